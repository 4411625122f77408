"""What a simulation leaves behind, for judges and for people: events, requests, answers, machines, what was done to it.

Plain data; who judges is invariants'.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord, RequestRecord
from castiron.testing.simulation.machines import Machine
from castiron.transport.doors.slip import Slip, arrived
from castiron.transport.errors import CastironError
from castiron.transport.events import EventView
from castiron.transport.verbs import AnyVerb, NodeRequest
from castiron.transport.vocabulary import EventSeq, NodeUUID, ReplyWish, RequestID


@dataclass(slots=True, eq=False)
class Question:
    """One message of a user, and what became of it: what a front door's answer is in a conductor."""

    requester: str
    """Who asks; another one each time, so that what is left behind shows whose it is."""
    verb: AnyVerb
    asked_at: float
    accepted_id: str | None = None
    results: list[Any] = field(default_factory=list[Any])
    """Final answers; one, if all is well."""
    error: CastironError | None = None
    told_count: int = 0
    """Last words; one, if all is well."""
    is_lost: bool = False
    """The conductor ended before it had said its last word."""

    def accepted(self, result: Any, seq: EventSeq) -> None:
        """Hear that the request is on disk: the last word, if no more was wished for."""
        del seq
        if not isinstance(self.verb, NodeRequest):  # a bulk is no request, but has some
            return
        self.accepted_id = result.id
        if self.verb.replies is ReplyWish.ACCEPTED:
            self.told_count += 1

    def part(self, result: Any, seq: EventSeq) -> Slip:
        """Hear a part, at once."""
        del result, seq
        return arrived()

    def final(self, result: Any, seq: EventSeq) -> None:
        """Hear the result."""
        del seq
        self.told_count += 1
        self.results.append(result)

    def fail(self, error: CastironError, seq: EventSeq) -> None:
        """Hear the failure."""
        del seq
        self.told_count += 1
        self.error = error

    def when_gone(self, call: Callable[[], None]) -> None:
        """Stay: users of simulations hear everything to its end."""


class Span(NamedTuple):
    """Something that lasted: the disk was full, there was no conductor, a BMC was not as it should be."""

    what: str
    begin: float
    end: float
    whose: str = ""
    """Address of the BMC; empty if it concerns all nodes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An actor that was made to fail, and how its node was after the time that a successor has."""

    at: float
    node_uuid: NodeUUID
    is_replaced: bool
    neighbours_replaced: tuple[NodeUUID, ...] = ()
    """Others whose owner changed meanwhile, though nothing was done to them."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """All that there is to judge."""

    settings: Settings
    ended_at: float = 0.0
    events: Sequence[EventView] = ()
    """As they are in the store."""
    published: list[EventView] = field(default_factory=list[EventView])
    """As they were sent out, over all starts of the conductor."""
    requests: dict[RequestID, RequestRecord] = field(default_factory=dict[RequestID, RequestRecord])
    """By id, as they were last seen in the store; also those that it has forgotten since."""
    nodes: Sequence[NodeRecord] = ()
    questions: list[Question] = field(default_factory=list[Question])
    machines: Sequence[Machine] = ()
    outages: list[Span] = field(default_factory=list[Span])
    """When the disk was full, or there was no conductor."""
    faults: list[Span] = field(default_factory=list[Span])
    """When a BMC was not as it should be."""
    failures: list[Failure] = field(default_factory=list[Failure])
    conductor_failures: list[str] = field(default_factory=list[str])
    """Why a conductor gave up, if one did."""
    lateness: Counter[float] = field(default_factory=Counter[float])
    """How late power checks began, in seconds, to the millisecond → how many."""
    left_over: dict[str, int] = field(default_factory=dict[str, int])
    """What the last conductor still held when all had come to rest; nothing, if all is well."""
    step_timeouts_s: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """(interface, step) → how long an attempt may take, where the step itself says so."""
    blind_starts: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(node, step) → how often workers began what must not be done twice."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """What was done: driver calls, datagrams, restarts."""
