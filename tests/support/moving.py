"""Nodes that move in a whole conductor: how tests bring them somewhere, and what must be true of what was told.

`Story.check` holds what was told against R3-3 and against what the conductor shows: the events alone say where each
node stands.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.clients.provisioning.moves import AnyStep
from castiron.transport.events import EventView
from castiron.transport.replies import NodeView
from castiron.transport.vocabulary import EventType, ProvisionState
from tests.support.deadline import until

PATIENCE_S: Final = 30.0
NOTHING: Final[Sequence[AnyStep]] = [{"step": "wait", "args": {"seconds": 0}}]

WAYS: Final = {
    ProvisionState.ENROLL: (),
    ProvisionState.MANAGEABLE: ("manage",),
    ProvisionState.AVAILABLE: ("manage", "provide"),
    ProvisionState.ACTIVE: ("manage", "provide", "deploy"),
    ProvisionState.RESCUE: ("manage", "provide", "deploy", "rescue"),
}
"""State of rest → how a new node gets there."""

START, SUCCESS = EventType.PROVISION_SET_START, EventType.PROVISION_SET_SUCCESS
ENDS: Final = (EventType.PROVISION_SET_END, EventType.PROVISION_SET_ERROR)
MOVES: Final = (START, SUCCESS, *ENDS)
STEP_ENDS: Final = (EventType.STEP_END, EventType.STEP_ERROR)


class Story:
    """Nodes of one conductor, and what was told of them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def node(self, name: str, state: str = "available", **fields: Any) -> NodeView:
        """Make a node, and bring it to a state of rest."""
        self.client.nodes.create(name, driver="fake", **fields)
        for target in WAYS[ProvisionState(state)]:
            self.ended(self.move(name, target, NOTHING))
        return self.show(name)

    def move(self, name: str, target: str, steps: Sequence[AnyStep] | None = None, **terms: Any) -> Request:
        """Ask for a move."""
        return self.client.provision.set(name, target, steps=steps, **terms)

    def ended(self, request: Request, state: str = "succeeded") -> Request:
        """Wait for the end of a request, and see that it is this one."""
        ended = request.wait(timeout_s=PATIENCE_S)
        assert ended.state == state, ended.view
        return ended

    def show(self, name: str) -> NodeView:
        """Return a node as it stands."""
        return self.client.nodes.show(name)

    def at(self, name: str, state: str) -> None:
        """Wait until a node is in a state."""
        until(lambda: self.show(name).provision_state == state, timeout_s=PATIENCE_S)

    def token(self, name: str) -> str:
        """Wait until a step of a node waits for somebody; return its token."""
        until(lambda: any(one.token for one in self.client.provision.steps(name).steps), timeout_s=PATIENCE_S)
        return next(one.token for one in self.client.provision.steps(name).steps if one.token)

    def told(self, *names: str, types: Sequence[str] | None = None) -> list[EventView]:
        """Return all events, or those of some nodes, or of some types."""
        return list(self.client.events(0, nodes=names or None, types=types, follow=False))

    def kinds(self, request: Request) -> list[str]:
        """Return what was told of a request, in order."""
        return [event.type for event in self.told() if event.request == request.id]

    def check(self) -> None:
        """Every start has one end, later on; and the events alone say where each node stands."""
        until(self._agrees, timeout_s=PATIENCE_S)

    def _agrees(self) -> bool:
        """Look at a moment at which nothing happens; return whether this was one."""
        before, nodes, events = self.told(), self.client.nodes.list(), self.told()
        if before != events or rebuilt(events) != {node.uuid: standing(node) for node in nodes}:
            return False  # what is on disk is shown a moment later
        check_starts(events, {node.active_request.id for node in nodes if node.active_request is not None})
        return True


def standing(node: NodeView) -> tuple[str, str | None]:
    """Return where a node stands, and where it is meant to come to."""
    return node.provision_state, node.target_provision_state


def rebuilt(events: Sequence[EventView]) -> dict[str, tuple[str, str | None]]:
    """Return where each node stands, by its events alone."""
    stood: dict[str, tuple[str, str | None]] = {}
    for event in events:
        if event.node_uuid is None:
            continue  # the conductor's own, such as a limit that is near
        if event.type == EventType.NODE_CREATE_END:
            stood[event.node_uuid] = (ProvisionState.ENROLL, None)
        elif event.type == EventType.NODE_DELETE_END:
            del stood[event.node_uuid]
        elif event.type in MOVES:
            told = event.payload
            before = (told["previous_provision_state"], told["previous_target_provision_state"])
            assert before == stood[event.node_uuid], event
            stood[event.node_uuid] = (told["provision_state"], told["target_provision_state"])
    return stood


def check_starts(events: Sequence[EventView], open_requests: set[str]) -> None:
    """Hold events against R3-3: for each start exactly one end or error, later; the same for each step's."""
    told: dict[str | None, list[EventView]] = defaultdict(list)
    for event in events:
        if event.type in MOVES and event.request is not None:
            told[event.request].append(event)
    for request, moves in told.items():
        kinds = [event.type for event in moves]
        assert kinds[0] == START, request
        assert kinds.count(START) == 1
        if request in open_requests:
            assert not set(kinds) & set(ENDS)
        else:
            assert [kind in ENDS for kind in kinds] == [False] * (len(kinds) - 1) + [True], kinds
    _check_steps(events)


def _check_steps(events: Sequence[EventView]) -> None:
    begun: dict[tuple[str | None, str], bool] = {}
    for event in events:
        if event.type == EventType.STEP_START:
            key = (event.request, event.payload["name"])
            assert not begun.get(key), f"{key} began twice"
            begun[key] = True
        elif event.type in STEP_ENDS:
            key = (event.request, event.payload["name"])
            assert begun[key], f"{key} ended twice"
            begun[key] = False
        elif event.type in ENDS:
            assert not [key for key, is_open in begun.items() if is_open and key[0] == event.request]
