"""The invariants of a conductor: what must hold, who judges it, and the verdict. Pure.

A judge holds what it finds against its invariant, case by case: `hold(is_so, sentence)`. The sentence says what is
wrong where it is not so. A judge that had nothing to look at has judged no case, which a verdict tells.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.judges import checks, conductor, provision, requests
from castiron.testing.simulation.judges.homes import Hold

MAX_TOLD: Final = 20
"""Violations of one invariant that are told; more say no more."""

Judge = Callable[[Evidence, Hold], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of judging one invariant."""

    name: str
    meaning: str
    judged_count: int
    """Cases that were looked at."""
    violation_count: int
    violations: tuple[str, ...]
    """The first of them, as sentences."""

    @property
    def held(self) -> bool:
        """Whether no case was otherwise."""
        return not self.violation_count


def judge(evidence: Evidence) -> list[Verdict]:
    """Judge all invariants."""
    return [_verdict(name, evidence) for name in INVARIANTS]


def _verdict(name: str, evidence: Evidence) -> Verdict:
    meaning, judged_by = INVARIANTS[name]
    judged_count, violations = 0, list[str]()

    def hold(is_so: bool, sentence: str) -> None:
        nonlocal judged_count
        judged_count += 1
        if not is_so:
            violations.append(sentence)

    judged_by(evidence, hold)
    told = tuple(violations[:MAX_TOLD])
    return Verdict(
        name=name, meaning=meaning, judged_count=judged_count, violation_count=len(violations), violations=told
    )


INVARIANTS: Final[Mapping[str, tuple[str, Judge]]] = MappingProxyType(
    {
        "I1": ("one change at a time on a node", requests.one_change_at_a_time),
        "I2": ("each start has exactly one end or error, in order", requests.each_start_has_one_end),
        "I3": ("what was accepted has ended", requests.accepted_means_ended),
        "I4": ("the same key never runs twice", requests.same_key_runs_once),
        "I5": ("what was refused leaves no trace", requests.refused_leaves_no_trace),
        "I6": ("no check begins late, whichever BMCs are dead", checks.checks_are_in_time),
        "I7": ("time-outs are handled within one tick", requests.timeouts_within_one_tick),
        "I8": ("a failed actor is replaced within 2 s, its neighbours untouched", conductor.failed_actors_are_replaced),
        "I9": ("manual maintenance is never left automatically", conductor.manual_maintenance_stays),
        "I10": ("event numbers have no gap", conductor.numbers_have_no_gap),
        "I11": ("busy says which limit, and when to come back", conductor.busy_says_when_to_come_back),
        "I12": ("an action ends by its deadline", requests.actions_end_by_their_deadline),
        "R3-1": ("nothing is told of a move before it has started", provision.nothing_before_it_starts),
        "R3-2": ("what could not start leaves no trace", provision.unstarted_leaves_no_trace),
        "R3-3": ("each start of a move has exactly one end or error, later", provision.one_end_for_each_start),
        "R3-4": ("each move is a row of the table, and none is taken back", provision.no_way_back),
        "steps": ("each step has exactly one end, before its list has", provision.each_step_has_one_end),
        "bounded": ("no step takes longer than it may", provision.steps_end_in_time),
        "once": ("what must not be done twice is not", provision.blind_steps_run_once),
        "log": ("the events alone tell where each node is", provision.log_rebuilds_nodes),
        "deleted": ("requests of a deleted node end with it, and say so", requests.deletion_ends_requests),
        "answers": ("every question is answered once", conductor.every_question_is_answered_once),
        "truth": ("a power request that succeeded is true", requests.success_is_true),
        "noticed": ("a change behind our back is one event within one interval", checks.changes_are_noticed),
        "paced": ("a healthy BMC is asked often enough, a silent one seldom", checks.checks_are_paced),
        "faults": ("a BMC that stays silent becomes a fault", checks.silence_becomes_a_fault),
        "recovery": ("a node recovers once its BMC answers", checks.faults_are_left),
        "records": ("in the end each record says what its machine does", checks.records_are_true),
        "rest": ("nothing is left over", conductor.nothing_is_left_over),
    }
)
"""Name → what must hold, and who judges it. The numbers are those of the project's design."""
