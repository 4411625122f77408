"""What a simulation tells people and programs: one summary, and the log of its events, a JSON object a line.

Both are the same, byte for byte, wherever and whenever the same plan is run by the same version.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

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


def simulate(plan: Plan) -> tuple[Report, Evidence]:
    """Run a simulation and judge it. Takes as long as it takes: seconds for a week of 100 nodes."""
    with Simulation(plan) as simulation:
        evidence = Rollout(simulation).run() if plan.rollout else simulation.run()
    return report_of(plan, evidence), evidence


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
