"""The blocking client: what a program holds to talk to a conductor.

    with castiron.connect() as client:
        client.nodes.power("n1", "power on").wait(timeout_s=60)

Only the typed face is here; questions and answers are in conversation, what is done with nodes and requests in nodes
and requests.
"""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from msgspec import Struct, structs

import castiron
from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.delivery import PATIENCE_S, Delivery
from castiron.transport.clients.nodes import Nodes
from castiron.transport.clients.periodics import Periodics
from castiron.transport.clients.provisioning.allocations import Allocations
from castiron.transport.clients.provisioning.guards import Guards
from castiron.transport.clients.provisioning.moves import Provision
from castiron.transport.clients.provisioning.runbooks import Runbooks
from castiron.transport.clients.requests import Requests
from castiron.transport.clients.sensors import NodeSensors
from castiron.transport.clients.stream import EventStream, wanted_events
from castiron.transport.endpoint import default_endpoint, parse_endpoint
from castiron.transport.errors import CastironError
from castiron.transport.keys.protection import client_keys
from castiron.transport.replies import Forecast, Pong, StatusView, Welcome
from castiron.transport.verbs import Ping, Status, Verb

TIMEOUT_S: Final = 5.0
"""For an answer that waits for no machine: a thousand times what it takes, and as long as a person likes to wait."""

WINDOW: Final = 64
"""Verbs in flight in `send_many`; more makes it no faster (measured: bench/transport.py)."""


def _new_key() -> str:
    return str(uuid.uuid4())


class Client:
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

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        key: str | Path | None = None,
        server_key: str | Path | None = None,
        patience_s: float = PATIENCE_S,
        name: str | None = None,
        new_key: Callable[[], str] = _new_key,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the conversation. Sends nothing: the first call finds out whether somebody answers.

        Args:
            endpoint: ipc://… or tcp://HOST:PORT; None: CASTIRON_ENDPOINT, else the default (see endpoint.py).
            timeout_s: for each answer; waiting for a request has its own.
            key: its secret key file; None: CASTIRON_CLIENT_KEY. Needed where the conductor is not on this machine.
            server_key: the conductor's public key, or a file with it; None: CASTIRON_SERVER_KEY.
            patience_s: how long a request is sent again whose answer was lost, or for which there is no room; 0: never.
            name: what it calls itself, which is kept with what it asks for; None: castiron-python and the version.
            new_key: makes the keys of requests that are given none.
            now: seconds of a clock that never goes back.

        Raises:
            EndpointRefused: castiron does not talk there, or not without keys.
            KeyUnusable: a key file cannot be used.
        """
        where = parse_endpoint(endpoint or default_endpoint(os.environ))
        keys = client_keys(where, key, server_key, os.environ)
        self.endpoint = str(where)
        self._timeout_s = timeout_s
        self._now = now
        self._streams: WeakSet[EventStream] = WeakSet()
        own_name = name or f"castiron-python/{castiron.__version__}"
        self._conversation = Conversation(where, name=own_name, now=now, keys=keys)
        self._delivery = Delivery(
            self._conversation, timeout_s=timeout_s, patience_s=patience_s, new_key=new_key, now=now
        )
        self.requests = Requests(self._conversation, self._delivery, timeout_s=timeout_s, now=now)
        self.guards = Guards(self._conversation, timeout_s=timeout_s)
        self.runbooks = Runbooks(self._conversation, timeout_s=timeout_s)
        self.allocations = Allocations(self._conversation, timeout_s=timeout_s, patience_s=patience_s, now=now)
        self.provision = Provision(self._conversation, self.requests, timeout_s=timeout_s)
        self.periodics = Periodics(self._conversation, timeout_s=timeout_s)
        self.sensors = NodeSensors(self._conversation, timeout_s=timeout_s)
        self.nodes = Nodes(self._conversation, self.requests, timeout_s=timeout_s, follow=self.events, now=now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the sockets, those of its streams too. Idempotent; requests go on without their client."""
        for stream in list(self._streams):
            stream.close()
        self._conversation.close()

    def hello(self) -> Welcome:
        """Return who answers, and its limits."""
        return self._conversation.greet(self._timeout_s)

    def ping(self) -> Pong:
        """Return a sign of life."""
        return self._conversation.ask(Ping(), Pong, self._timeout_s)

    def status(self) -> StatusView:
        """Return how the conductor itself is."""
        return self._conversation.ask(Status(), StatusView, self._timeout_s)

    def foretell(self, verb: Verb) -> Forecast:
        """Return what a verb would do, and change nothing; a refusal is raised as the verb's own.

        Args:
            verb: one that changes something, as NodePowerSet(node="n1", target="power on").
        """
        return self._conversation.ask(structs.replace(verb, dry_run=True), Forecast, self._timeout_s)

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
        stream = EventStream(
            self._conversation,
            since=since,
            wanted=wanted_events(None if nodes is None else self.nodes.uuids(nodes), types),
            follow=follow,
            answer_s=self._timeout_s,
            timeout_s=timeout_s,
            told=told,
            now=self._now,
        )
        self._streams.add(stream)
        return stream

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
        return self._delivery.send_many(verbs, window=window)


def connect(
    endpoint: str | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    key: str | Path | None = None,
    server_key: str | Path | None = None,
) -> Client:
    """Return a client of the conductor at `endpoint`; see Client."""
    return Client(endpoint, timeout_s=timeout_s, key=key, server_key=server_key)
