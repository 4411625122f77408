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

        A stream that follows is subscribed when this returns. For all changes after a look at the nodes:

            nodes, seq = client.nodes.snapshot()
            for event in client.events(since=seq): ...

        Args:
            since: number of the event to begin after; None: with the next one, or with the oldest if not `follow`.
            nodes: of these only, by name or uuid; a node keeps its place when it is renamed. None: all.
            types: of these only; `*` stands for any characters, as in "node.power_set.*". None: all.
            follow: wait for more when all have been yielded; otherwise end there.
            timeout_s: end after so long; None: never.
            told: called with a sentence when the conductor is away, and when it is back.

        Raises:
            NodeNotFound: some node is unknown.
            ArgumentInvalid: there are no events of such a type; raised when the first ones are read from the store.
            ConductorLost: nobody answers; a stream that follows and has begun waits instead.
            EventsLost: by its iteration: some are not kept any more. It names them; iteration may go on behind them.
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

        Args:
            nodes: of these, by name or uuid; None: of all, and of those that are made later.
            timeout_s: end after so long; None: never.
            told: called with a sentence when the conductor is away, and when it is back.

        Raises:
            NodeNotFound: some node is unknown.
            ConductorLost: nobody answers.
        """
        watch = self.held.watch(nodes, timeout_s=timeout_s, told=told)
        run(watch.open())
        return Watch(watch)

    def send_many(
        self, verbs: Iterable[Verb], *, window: int = WINDOW
    ) -> Iterator[tuple[Verb, Struct | CastironError]]:
        """Send many verbs, and yield each with its result or error as the answers come, in any order.

        Errors are yielded, not raised, so that one node's does not hide the others' answers. Each verb has the
        client's `timeout_s` from the moment when it is sent. An abandoned iteration leaves no trace. Requests are sent
        again as long as their outcome is not known, or there is no room for them; see `delivery`.

        Args:
            verbs: any number; read as places become free.
            window: how many are in flight at a time; kept below the conductor's limit for one peer.

        Raises:
            ConductorLost: the conductor could not be reached for the next verb, which was not sent; whatever was sent
                before has been yielded.
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
