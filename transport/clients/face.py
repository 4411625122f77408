"""What a program holds to talk to a conductor, whichever manner of waiting it has: verbs by what they are about.

Only the composition is here: questions and answers are in conversation, what is done with nodes and requests in nodes
and requests. `blocking.client` and `awaitable.client` are the two that programs hold.
"""

import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypedDict, Unpack
from weakref import WeakSet

from msgspec import Struct, structs

import castiron
from castiron.transport.clients.conversation import Conversation
from castiron.transport.clients.delivery import PATIENCE_S, Delivery
from castiron.transport.clients.nodes import AsyncNodes
from castiron.transport.clients.periodics import AsyncPeriodics
from castiron.transport.clients.provisioning.allocations import AsyncAllocations
from castiron.transport.clients.provisioning.guards import AsyncGuards
from castiron.transport.clients.provisioning.moves import AsyncProvision
from castiron.transport.clients.provisioning.runbooks import AsyncRunbooks
from castiron.transport.clients.requests import AsyncRequests
from castiron.transport.clients.sensors import AsyncNodeSensors
from castiron.transport.clients.stream import AsyncEventStream, Wanted, wanted_events
from castiron.transport.clients.watching import AsyncWatch
from castiron.transport.endpoint import default_endpoint, parse_endpoint
from castiron.transport.errors import CastironError
from castiron.transport.keys.protection import client_keys
from castiron.transport.replies import DrainView, Forecast, Pong, StatusView, Welcome
from castiron.transport.verbs import ConductorDrain, Ping, Status, Verb

TIMEOUT_S: Final = 5.0
"""For an answer that waits for no machine: a thousand times what it takes, and as long as a person likes to wait."""

WINDOW: Final = 64
"""Verbs in flight in `send_many`; more makes it no faster (measured: bench/transport.py)."""


def _new_key() -> str:
    return str(uuid.uuid4())


class Reach(TypedDict, total=False):
    """How a conductor is reached, and how long one waits for it."""

    timeout_s: float
    """For each answer; waiting for a request has its own. Left out: 5 s."""
    key: str | Path | None
    """Its secret key file; None: CASTIRON_CLIENT_KEY. Needed where the conductor is not on this machine."""
    server_key: str | Path | None
    """The conductor's public key, or a file with it; None: CASTIRON_SERVER_KEY."""
    patience_s: float
    """How long a request is sent again whose answer was lost, or for which there is no room; 0: never."""
    name: str | None
    """What it calls itself, which is kept with what it asks for; None: castiron-python and the version."""
    new_key: Callable[[], str]
    """Makes the keys of requests that are given none."""
    now: Callable[[], float]
    """Seconds of a clock that never goes back."""


class Face:
    """A conversation with one conductor, and the typed face of all its verbs, to be awaited.

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
        self, converse: Callable[..., Conversation], endpoint: str | None = None, **reach: Unpack[Reach]
    ) -> None:
        """Prepare the conversation. Sends nothing: the first call finds out whether somebody answers.

        Args:
            converse: makes the conversation: who waits, and how.
            endpoint: ipc://… or tcp://HOST:PORT; None: CASTIRON_ENDPOINT, else the default (see endpoint.py).
            reach: how it is reached, and how long it is waited for.

        Raises:
            EndpointRefused: castiron does not talk there, or not without keys.
            KeyUnusable: a key file cannot be used.
        """
        where = parse_endpoint(endpoint or default_endpoint(os.environ))
        keys = client_keys(where, reach.get("key"), reach.get("server_key"), os.environ)
        self.endpoint = str(where)
        self._now = now = reach.get("now", time.monotonic)
        self._timeout_s = timeout_s = reach.get("timeout_s", TIMEOUT_S)
        patience_s = reach.get("patience_s", PATIENCE_S)
        self._streams: WeakSet[AsyncEventStream] = WeakSet()
        own_name = reach.get("name") or f"castiron-python/{castiron.__version__}"
        self._conversation = talk = converse(where, name=own_name, now=now, keys=keys)
        self._delivery = Delivery(
            talk, timeout_s=timeout_s, patience_s=patience_s, new_key=reach.get("new_key", _new_key), now=now
        )
        self.requests = AsyncRequests(talk, self._delivery, timeout_s=timeout_s, now=now)
        self.guards = AsyncGuards(talk, timeout_s=timeout_s)
        self.runbooks = AsyncRunbooks(talk, timeout_s=timeout_s)
        self.allocations = AsyncAllocations(talk, timeout_s=timeout_s, patience_s=patience_s, now=now)
        self.provision = AsyncProvision(talk, self.requests, timeout_s=timeout_s)
        self.periodics = AsyncPeriodics(talk, timeout_s=timeout_s)
        self.sensors = AsyncNodeSensors(talk, timeout_s=timeout_s)
        self.nodes = AsyncNodes(talk, self.requests, timeout_s=timeout_s, follow=self.events, now=now)

    async def close(self) -> None:
        """Let go of the sockets, those of its streams too. Idempotent; requests go on without their client."""
        streams = list(self._streams)
        for stream in streams:
            stream.finish()
        await self._conversation.end_waits()
        for stream in streams:
            stream.close()
        self._conversation.close()

    async def hello(self) -> Welcome:
        """Return who answers, and its limits."""
        return await self._conversation.greet(self._timeout_s)

    async def ping(self) -> Pong:
        """Return a sign of life."""
        return await self._conversation.ask(Ping(), Pong, self._timeout_s)

    async def status(self) -> StatusView:
        """Return how the conductor itself is."""
        return await self._conversation.ask(Status(), StatusView, self._timeout_s)

    async def drain(self, *, undo: bool = False) -> DrainView:
        """Have the conductor finish what it has accepted, and accept nothing new. Idempotent; needs the role admin.

        Args:
            undo: have it accept again.

        Raises:
            ReplyTimeout, ConductorLost: nothing was heard.
        """
        return await self._conversation.ask(ConductorDrain(undo=undo), DrainView, self._timeout_s)

    async def foretell(self, verb: Verb) -> Forecast:
        """Return what a verb would do, and change nothing; a refusal is raised as the verb's own.

        Args:
            verb: one that changes something, as NodePowerSet(node="n1", target="power on").
        """
        return await self._conversation.ask(structs.replace(verb, dry_run=True), Forecast, self._timeout_s)

    def events(
        self,
        since: int | None = None,
        *,
        nodes: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        follow: bool = True,
        timeout_s: float | None = None,
        told: Callable[[str], object] | None = None,
    ) -> AsyncEventStream:
        """Yield events in the order of their numbers, each once, through restarts of the conductor.

        A stream that follows is subscribed when it has been opened, as `async with` does, or at its first event. For
        all changes after a look at the nodes:

            nodes, seq = await client.nodes.snapshot()
            async for event in client.events(since=seq): ...

        Args:
            since: number of the event to begin after; None: with the next one, or with the oldest if not `follow`.
            nodes: of these only, by name or uuid; a node keeps its place when it is renamed. None: all.
            types: of these only; `*` stands for any characters, as in "node.power_set.*". None: all.
            follow: wait for more when all have been yielded; otherwise end there.
            timeout_s: end after so long; None: never.
            told: called with a sentence when the conductor is away, and when it is back.

        Raises, once it is opened or read:
            NodeNotFound: some node is unknown.
            ArgumentInvalid: there are no events of such a type; raised when the first ones are read from the store.
            ConductorLost: nobody answers; a stream that follows and has begun waits instead.
            EventsLost: by its iteration: some are not kept any more. It names them; iteration may go on behind them.
        """
        stream = AsyncEventStream(
            self._conversation,
            since=since,
            wanted=partial(self._wanted, nodes, types),
            follow=follow,
            answer_s=self._timeout_s,
            timeout_s=timeout_s,
            told=told,
            now=self._now,
        )
        self._streams.add(stream)
        return stream

    def watch(
        self,
        nodes: Sequence[str] | None = None,
        *,
        timeout_s: float | None = None,
        told: Callable[[str], object] | None = None,
    ) -> AsyncWatch:
        """Return an always-current view of nodes: all as they are when it is opened, then each change as it is seen.

        Args:
            nodes: of these, by name or uuid; None: of all, and of those that are made later.
            timeout_s: end after so long; None: never.
            told: called with a sentence when the conductor is away, and when it is back.

        Raises, once it is opened:
            NodeNotFound: some node is unknown.
            ConductorLost: nobody answers.
        """
        stream = self.events(nodes=nodes, timeout_s=timeout_s, told=told)
        look = partial(self.nodes.list, nodes)
        return AsyncWatch(self._conversation, stream, look=look, grows=nodes is None, answer_s=self._timeout_s)

    def send_many(
        self, verbs: Iterable[Verb], *, window: int = WINDOW
    ) -> AsyncIterator[tuple[Verb, Struct | CastironError]]:
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

    async def _wanted(self, nodes: Sequence[str] | None, types: Sequence[str] | None) -> Wanted:
        return wanted_events(None if nodes is None else await self.nodes.uuids(nodes), types)
