"""The blocking client: what a program holds to talk to a conductor.

    with castiron.connect() as client:
        client.nodes.power("n1", "power on").wait(timeout_s=60)

Only the typed face is here; what is said is in `transport.clients`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from msgspec import Struct

from castiron.transport.clients.blocking.conversation import BlockingConversation
from castiron.transport.clients.blocking.nodes import Nodes
from castiron.transport.clients.blocking.provisioning import Allocations, Guards, Provision, Runbooks
from castiron.transport.clients.blocking.requests import Requests
from castiron.transport.clients.blocking.running import Blocking, blocking, each, run
from castiron.transport.clients.blocking.stream import EventStream, Watch
from castiron.transport.clients.face import TIMEOUT_S, WINDOW, Face, Reach
from castiron.transport.clients.periodics import AsyncPeriodics
from castiron.transport.clients.sensors import AsyncNodeSensors
from castiron.transport.errors import CastironError
from castiron.transport.verbs import Verb


class Periodics(Blocking[AsyncPeriodics]):
    """`client.periodics`: the conductor's periodic tasks. Any thread; every method blocks until it is answered."""

    list = blocking(AsyncPeriodics.list)
    stop = blocking(AsyncPeriodics.stop)
    start = blocking(AsyncPeriodics.start)


class NodeSensors(Blocking[AsyncNodeSensors]):
    """`client.sensors`: what machines' sensors say. Any thread; every method blocks until it is answered."""

    list = blocking(AsyncNodeSensors.list)


class Client(Blocking[Face]):
    """A conversation with one conductor, and the typed face of all its verbs.

    Any thread may use it; calls take turns, so a thread that waits for a request makes the others wait: give each
    thread a client of its own. Not for use across a fork. `castiron.connect` makes one; it is a context manager.

    A request whose answer does not come is sent again with the same key, through a restart of the conductor, so it is
    carried out once. If ConductorLost or ReplyTimeout is raised all the same, `applied` says what is known; asking once
    more with a key of your own (`key=`) is safe, too.

    Attributes:
        endpoint: where the conductor listens.
        nodes: verbs about nodes.
        requests: verbs about requests.
        provision: verbs that move nodes.
        guards: the locks of nodes.
        allocations: nodes held for somebody, chosen by what they are.
        periodics: the conductor's periodic tasks.
        runbooks: verbs about runbooks.
        sensors: what machines' sensors say.
    """

    hello = blocking(Face.hello)
    ping = blocking(Face.ping)
    status = blocking(Face.status)
    drain = blocking(Face.drain)
    foretell = blocking(Face.foretell)

    def __init__(self, endpoint: str | None = None, **reach: Unpack[Reach]) -> None:
        """Prepare the conversation. Sends nothing: the first call finds out whether somebody answers.

        Args:
            endpoint: ipc://… or tcp://HOST:PORT; None: CASTIRON_ENDPOINT, else the default (see endpoint.py).
            reach: how it is reached, and how long it is waited for; see Reach.

        Raises:
            EndpointRefused: castiron does not talk there, or not without keys.
            KeyUnusable: a key file cannot be used.
        """
        face = Face(BlockingConversation, endpoint, **reach)
        super().__init__(face)
        self.endpoint = face.endpoint
        self.nodes = Nodes(face.nodes)
        self.requests = Requests(face.requests)
        self.provision = Provision(face.provision)
        self.guards = Guards(face.guards)
        self.allocations = Allocations(face.allocations)
        self.periodics = Periodics(face.periodics)
        self.runbooks = Runbooks(face.runbooks)
        self.sensors = NodeSensors(face.sensors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the sockets, those of its streams too. Idempotent; requests go on without their client."""
        run(self.held.close())

    def events(
        self,
        since: int | None = None,
        *,
        nodes: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        follow: bool = True,
        timeout_s: float | None = None,
        told: Callable[[str], object] | None = None,
    ) -> EventStream:
        """Yield events in the order of their numbers, each once, through restarts of the conductor.

        A stream that follows is subscribed when this returns, and what AsyncClient.events raises once it is opened is
        raised here. Arguments and errors are those of AsyncClient.events. For all changes after a look at the nodes:

            nodes, seq = client.nodes.snapshot()
            for event in client.events(since=seq): ...
        """
        stream = self.held.events(since, nodes=nodes, types=types, follow=follow, timeout_s=timeout_s, told=told)
        run(stream.open())
        return EventStream(stream)

    def watch(
        self,
        nodes: Sequence[str] | None = None,
        *,
        timeout_s: float | None = None,
        told: Callable[[str], object] | None = None,
    ) -> Watch:
        """Return an always-current view of nodes: all as they are when this returns, then each change as it is seen.

        Arguments and errors are those of AsyncClient.watch.
        """
        watch = self.held.watch(nodes, timeout_s=timeout_s, told=told)
        run(watch.open())
        return Watch(watch)

    def send_many(
        self, verbs: Iterable[Verb], *, window: int = WINDOW
    ) -> Iterator[tuple[Verb, Struct | CastironError]]:
        """Send many verbs, and yield each with its result or error as the answers come, in any order.

        Arguments and errors are those of AsyncClient.send_many.
        """
        return each(self.held.send_many(verbs, window=window))


def connect(
    endpoint: str | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    key: str | Path | None = None,
    server_key: str | Path | None = None,
) -> Client:
    """Return a client of the conductor at `endpoint`; see Client."""
    return Client(endpoint, timeout_s=timeout_s, key=key, server_key=server_key)
