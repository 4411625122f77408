"""What the report of a failed test says of its nodes: how they stand and why, their events, their requests' traces.

Told first are the nodes that the failure itself names, then those that were last asked for something.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor
    from castiron.testing.simulation.simulation import Simulation
    from castiron.transport.clients.blocking.client import Client
    from castiron.transport.clients.blocking.requests import Request
    from castiron.transport.events import EventView

SHOWN_NODES: Final = 3
SHOWN_EVENTS: Final = 15
"""Of each node, and of the conductor; the latest."""
SHOWN_REQUESTS: Final = 3
"""Of each node, the latest."""
PATIENCE_S: Final = 1.0
"""A conductor that does not answer is said to be such, and the report goes on."""

_WORD: Final = re.compile(r"[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a test has been given: a conductor, or one in virtual time."""

    conductor: "Conductor | None" = None
    simulation: "Simulation | None" = None


def tell_stories(stage: Stage, failure: str) -> str:
    """Return the stories of the nodes that a failure is about.

    Args:
        stage: what the test has.
        failure: the failure's own text, in which nodes may be named.
    """
    lines = _real(stage.conductor, failure) if stage.conductor is not None else ()
    if stage.simulation is not None:
        lines = _virtual(stage.simulation)
    return "\n".join(lines)


def _real(conductor: "Conductor", failure: str) -> Iterator[str]:
    from castiron.transport.errors import CastironError  # noqa: PLC0415 - loaded where a test fails

    try:
        with conductor.client(timeout_s=PATIENCE_S) as client:
            yield "its latest events:"
            yield from _told([*client.events(follow=False)])
            for name in _meant(client, failure):
                yield from _of_node(client, name)
    except CastironError as error:
        yield f"The conductor could not say what it has done: {error.message}"


def _meant(client: "Client", failure: str) -> Sequence[str]:
    """Return the names of the nodes to tell of."""
    names = {view.name or view.uuid for view in client.nodes.list()}
    asked = [request.view.node or request.view.node_uuid for request in client.requests.list(limit=100)]
    candidates = [*_WORD.findall(failure), *asked]  # the latest first
    return list(dict.fromkeys(name for name in candidates if name in names))[:SHOWN_NODES]


def _of_node(client: "Client", name: str) -> Iterator[str]:
    view = client.nodes.show(name)
    trouble = "".join(
        f", {word} {value}" for word, value in (("fault", view.fault), ("error", view.last_error)) if value
    )
    yield from ("", f"{name}: {view.power_state or 'power unknown'}, {view.provision_state}{trouble}")
    for finding in client.nodes.explain(name).findings:
        yield f"  {finding.text} {finding.advice or ''}".rstrip()
    yield f"  {name}'s latest events:"
    yield from (f"  {line}" for line in _told([*client.events(nodes=[name], follow=False)]))
    for request in reversed(client.requests.list(name, limit=SHOWN_REQUESTS)):
        yield from _of_request(client, request)


def _of_request(client: "Client", request: "Request") -> Iterator[str]:
    yield f"  {request!r} {request.view.error or ''}".rstrip()
    for step in client.requests.trace(request.id).entries:
        often = f" ({step.count} times)" if step.count > 1 else ""
        yield f"    {step.at:.3f} {step.word}{often} {step.details or ''}".rstrip()


def _virtual(simulation: "Simulation") -> Iterator[str]:
    yield f"in virtual time, from seed {simulation.plan.seed}, at {simulation.clock.now():.3f}; its latest events:"
    yield from _told(simulation.evidence.published)
    for question in simulation.users.questions[-SHOWN_EVENTS:]:
        heard = "nothing yet" if not question.told_count else question.error or "an answer"
        yield f"  asked at {question.asked_at:.3f}: {question.verb}; heard: {heard}"


def _told(events: "Sequence[EventView]") -> Iterator[str]:
    for one in events[-SHOWN_EVENTS:]:
        yield f"  {one.at:.3f} {one.seq:>6} {one.node or '-'} {one.type} {one.payload}"
