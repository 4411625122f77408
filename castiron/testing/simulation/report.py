"""Running simulations, and what they tell people and programs: one summary, and the log of events, an object a line.

Both are the same, byte for byte, wherever and whenever the same plan is run by the same version.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from castiron.testing.ailments import Ailments
from castiron.testing.bmc import Faults
from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.invariants import Verdict, judge
from castiron.testing.simulation.plan import Plan
from castiron.testing.simulation.rollout.story import Rollout
from castiron.testing.simulation.simulation import Simulation
from castiron.transport.events import EventView


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a simulation."""

    seed: int
    nodes: int
    days: float
    replay: str
    """The command that runs it again."""
    held: bool
    """Whether every invariant held."""
    invariants: tuple[Verdict, ...]
    events: Mapping[str, int]
    """Type → count."""
    events_sha256: str
    """Of the log of events."""
    requests: Mapping[str, int]
    """Final state, with the error's code where it failed → count."""
    answers: Mapping[str, int]
    """What users heard: "ok", an error's code, or "lost" where the conductor was killed → count."""
    faults: Mapping[str, int]
    """What was wrong with BMCs, and with the conductor → count."""
    work: Mapping[str, int]
    """What the conductors did."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A simulation that has been run and judged."""

    plan: Plan
    report: Report
    """The summary."""
    evidence: Evidence = field(repr=False)
    """All that there was to judge."""

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return self.report.held

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each invariant."""
        return self.report.invariants

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """Those of invariants that did not hold; each has its violations."""
        return tuple(verdict for verdict in self.verdicts if not verdict.held)

    @property
    def seed(self) -> int:
        """What everything was drawn from."""
        return self.plan.seed

    @property
    def replay(self) -> str:
        """The command that runs it again at a terminal, event for event."""
        return self.report.replay

    @cached_property
    def log(self) -> str:
        """All events, the oldest first, one JSON object a line."""
        return "".join(log_lines(self.evidence.events))

    def check(self) -> None:
        """Do nothing if every invariant held.

        Raises:
            AssertionError: the message says what was broken, and the command that replays it.
        """
        if self.held:
            return
        cases = [
            f"{verdict.name} ({verdict.meaning}): {case}" for verdict in self.broken for case in verdict.violations
        ]
        raise AssertionError("\n".join([*cases, f"Replay: {self.replay}"]))


HEALTHY: Final[Ailments] = {}


def simulate(seed: int = 0, nodes: int = 20, faults: Mapping[str, Faults | str] = HEALTHY, days: float = 1.0) -> Trial:
    """Run a conductor in virtual time among machines, users and trouble, all drawn from a seed, and judge it.

    Blocks for as long as it takes: 20 nodes live a day in three seconds or so. The same arguments give the same log,
    byte for byte, in any process.

    Args:
        seed: what everything is drawn from; 0 or more.
        nodes: how many machines, called n1, n2, …
        faults: nodes as a host range → `Faults`, or words as `castiron farm set` takes them: what is wrong from the
            beginning until the calm at the end. Whatever else goes wrong is drawn.
        days: of virtual time.

    Raises:
        ValueError: a number out of its range, faults that are none, or of a node that there is not.
    """
    return try_plan(Plan(seed=seed, nodes=nodes, faults=faults, days=days))


def try_plan(plan: Plan) -> Trial:
    """Run a simulation that is planned in detail, and judge it; see `simulate`."""
    with Simulation(plan) as simulation:
        evidence = Rollout(simulation).run() if plan.rollout else simulation.run()
    return Trial(plan=plan, report=report_of(plan, evidence), evidence=evidence)


def report_of(plan: Plan, evidence: Evidence) -> Report:
    """Judge the evidence, and sum it up. Pure."""
    verdicts = tuple(judge(evidence))
    return Report(
        seed=plan.seed,
        nodes=plan.nodes,
        days=plan.days,
        replay=plan.command,
        held=all(verdict.held for verdict in verdicts),
        invariants=verdicts,
        events=_counted(event.type for event in evidence.events),
        events_sha256=sha256("".join(log_lines(evidence.events)).encode()).hexdigest(),
        requests=_counted(_outcome(request.state, request.error) for request in evidence.requests.values()),
        answers=_counted(
            "lost" if question.is_lost else "ok" if question.error is None else question.error.code
            for question in evidence.questions
        ),
        faults=_counted(span.what for span in (*evidence.faults, *evidence.outages)),
        work=dict(sorted(evidence.counts.items())),
    )


def log_lines(events: Iterable[EventView]) -> Iterator[str]:
    """Yield the log of events, a JSON object and a line feed each."""
    for event in events:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        yield json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n"


def _outcome(state: str, error: Mapping[str, Any] | None) -> str:
    return f"{state}" if error is None else f"{state}: {error.get('code')}"


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
