"""Batches of messages, pipelined by several peers, and what must hold after each.

Every envelope gets exactly one last reply with its own id, of the shape and with a code that PROTOCOL.md names, and
none is a fault of the conductor's own; the conductor answers a ping, its counters add up, nothing of it has died, and
it does not grow.
"""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import zmq

from castiron.transport import codec, frames
from castiron.transport.errors import CastironError
from castiron.transport.replies import StatusView
from castiron.transport.verbs import COMMON_ERRORS, VERBS, AnyVerb, BulkRun, NodeRequest
from castiron.transport.vocabulary import ProvisionState, ReplyWish
from tests.fuzz.corpus import NODES
from tests.fuzz.fortress import Footprint, Fortress
from tests.fuzz.mutations import Message, message
from tests.fuzz.vandals import Vandals
from tests.support.raw_peer import RawPeer, taken_apart

PEERS: Final = 8
WINDOW: Final = 64
"""Messages of one peer without an answer; the conductor lets 128 in."""

EVERY_REQ: Final = 64
"""One in so many messages goes through a REQ socket, one at a time."""

ANSWER_S: Final = 60.0
"""For the answers of a batch, on a machine that has other things to do."""

PATIENT_S: Final = 3.0
"""A mutated message that waits for longer than this is not waited for."""

CODES: Final = frozenset(one.code for verb in VERBS.values() for one in (*COMMON_ERRORS, *verb.refusals)) - {"internal"}
"""What a message may be refused with."""

RSS_GROWTH_BYTES: Final = 48 << 20
"""After the warm-up: what 10,000 requests that have ended, and the pages of the store, may still take."""

LOOKS: Final = 20
"""At counters that are read while they move: a fault is in each of them, a torn reading in one or two."""

LOOK_PAUSE_MS: Final = 50
"""Between two looks, for what is under way to arrive."""

HOLDS: Final = frozenset({ProvisionState.DEPLOY_HOLD, ProvisionState.CLEAN_HOLD, ProvisionState.SERVICE_HOLD})

DESCRIPTOR_GROWTH: Final = 64
"""Connections of vandals that the kernel or libzmq has not closed yet."""


class Fallen(AssertionError):
    """The conductor did what it must not; the message says how to see it again."""


class Sent(NamedTuple):
    """What a peer waits for the answer of."""

    message: Message
    patient: bool


class Peer:
    """A DEALER socket and what it waits for, by the id that the answer must bear."""

    def __init__(self, endpoint: str) -> None:
        self.raw = RawPeer(endpoint, receive_hwm=10_000)
        self.waiting: dict[bytes, list[Sent]] = {}
        self.count = 0

    def send(self, one: Message) -> None:
        """Send a message as it is."""
        self.raw.socket.send_multipart(one.frames)
        self.waiting.setdefault(one.echo, []).append(Sent(one, is_patient(one)))
        self.count += 1

    @property
    def first_waiting(self) -> list[Sent]:
        """Return some of what has no answer."""
        return [sent for several in list(self.waiting.values())[:16] for sent in several]

    @property
    def impatient(self) -> list[Message]:
        """Return what must be answered soon."""
        return [sent.message for several in self.waiting.values() for sent in several if not sent.patient]


def is_patient(one: Message) -> bool:
    """Return whether a message asks for an answer that may take long: a wait, or the end of what may wait itself."""
    verb = _verb_of(one)
    if isinstance(verb, NodeRequest) and verb.replies is not ReplyWish.ACCEPTED:
        return True  # behind others, with `after`; while the node is in maintenance, with `hold`
    return isinstance(verb, BulkRun) or (getattr(verb, "timeout_s", None) or 0.0) > PATIENT_S


def is_for_req(one: Message) -> bool:
    """Return whether a REQ socket, which reads one reply and soon, may send a message."""
    return not is_patient(one) and getattr(_verb_of(one), "replies", None) != ReplyWish.BOTH


def _verb_of(one: Message) -> AnyVerb | None:
    try:
        return codec.decode_verb(one.frames[-1])
    except CastironError:
        return None


class Siege:
    """Fires messages of one seed at one conductor."""

    def __init__(self, fortress: Fortress, seed: int, *, vandals: int = 6) -> None:
        self.fortress = fortress
        self.seed = seed
        self.fired = 0
        self.answers: Counter[str] = Counter()
        self.warm: Footprint | None = None
        self._announced = 0
        self._client = fortress.client()
        self._peers = [Peer(fortress.endpoint) for _ in range(PEERS)]
        self._req = RawPeer(fortress.endpoint, zmq.REQ)
        self._poller = zmq.Poller()
        for peer in self._peers:
            self._poller.register(peer.raw.socket, zmq.POLLIN)
        events = self._client.hello().events_endpoint
        self._vandals = Vandals([fortress.endpoint, *([events] if events else [])], vandals)
        self._keep_house()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._vandals.leave()
        for raw in (self._req, *(peer.raw for peer in self._peers)):
            raw.close()
        self._client.close()

    def batch(self, first: int, count: int) -> None:
        """Fire messages, hear all answers, and look at the conductor.

        Raises:
            Fallen: it did what it must not.
        """
        self._vandals.strike(self.seed + first)
        for number in range(first, first + count):
            self._fire(message(self.seed, number))
        self._hear_all()
        self.fired += count
        self._look()
        self._keep_house()

    def settle(self) -> None:
        """Take the present as what it may grow from."""
        self.warm = self.fortress.footprint()

    def _fire(self, one: Message) -> None:
        if one.number % EVERY_REQ == 0 and is_for_req(one):
            return self._ask(one)
        peer = self._peers[one.number % PEERS]
        if peer.count >= WINDOW and len(peer.impatient) < WINDOW // 2:
            self._let_go()
        while peer.count >= WINDOW:
            self._hear(one)
        peer.send(one)
        if one.number % 16 == 0:
            self._hear(one, timeout_ms=0)
        return None

    def _ask(self, one: Message) -> None:
        self._req.send(*one.frames)
        echo = Message(one.number, one.kind, [b"", *one.frames]).echo
        kind = self._judge(one, self._receive(self._req, one), echo)
        assert kind == frames.FINAL, f"{kind!r} for a REQ socket, message {one.number}"

    def _receive(self, raw: RawPeer, one: Message) -> list[bytes]:
        try:
            return raw.receive(ANSWER_S)
        except TimeoutError:
            raise self._fallen(one, "got no answer") from None

    def _hear(self, one: Message, timeout_ms: int = int(ANSWER_S * 1000)) -> None:
        if not self._hear_ready(timeout_ms) and timeout_ms:
            waiting = [str(sent.message.frames[-1][:160]) for peer in self._peers for sent in peer.first_waiting]
            raise self._fallen(one, "and those before it got no answer: " + "\n".join(waiting))

    def _hear_ready(self, timeout_ms: int = 0) -> bool:
        """Take in what has come; return whether anything had."""
        ready: dict[Any, int] = dict(self._poller.poll(timeout_ms))
        for peer in self._peers:
            while peer.raw.socket in ready:
                try:
                    reply = peer.raw.socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._take(peer, reply)
        return bool(ready)

    def _take(self, peer: Peer, reply: list[bytes]) -> None:
        bare = reply[1:] if reply[:1] == [b""] else reply
        echo = bare[1] if len(bare) > 1 else b""
        several = peer.waiting.get(echo)
        if not several:
            raise Fallen(f"seed {self.seed}: an answer to nothing that was asked: {reply!r:.300}")
        # Several may bear the same id, and which of them is answered cannot be told: those who are not patient first.
        place = next((place for place, sent in enumerate(several) if not sent.patient), 0)
        if self._judge(several[place].message, bare, echo) == frames.FINAL:
            peer.count -= 1
            several.pop(place)
            if not several:
                del peer.waiting[echo]
        else:
            self._announced += 1

    def _judge(self, one: Message, reply: list[bytes], echo: bytes) -> bytes:
        try:
            heard = taken_apart(reply)
        except (AssertionError, ValueError, KeyError) as failure:
            raise self._fallen(one, f"got an answer out of shape ({failure}): {reply!r:.300}") from None
        code = str(heard.body["error"]["code"]) if "error" in heard.body else "result"
        if heard.id != echo or (code not in CODES and code != "result"):
            raise self._fallen(one, f"was answered with {code}, id {heard.id!r}: {heard.body!r:.600}")
        self.answers[code] += 1
        return heard.kind

    def _hear_all(self) -> None:
        until = time.monotonic() + ANSWER_S
        while late := [one for peer in self._peers for one in peer.impatient]:
            if time.monotonic() > until:
                raise self._fallen(late[0], f"and {len(late) - 1} others got no answer")
            self._hear(late[0])

    def _look(self) -> None:
        """Check that the conductor is well."""
        self._client.ping()
        status = self._status()
        counts, actors = status.transport, status.actors
        problems = {
            "its counters do not add up": not self._adds_up(counts),
            "answers were given twice": counts["doubled"] > 0,
            "an actor failed": any(actors[one] for one in ("restarts", "put_aside", "crashes", "replaced", "mended")),
            "a thread is not alive": any(state != "alive" for state in status.threads.values()),
            "its store is not well": status.store.state != "ok",
            "it is dead": not self.fortress.is_alive,
            "it logged a fault": "Traceback" in self.fortress.log,
        }
        if found := [text for text, is_so in problems.items() if is_so]:
            raise Fallen(
                f"seed {self.seed}, after message {self.fired}: {found}: {status}\n{self.fortress.log[-3000:]}"
            )
        self._look_at_size(status.nodes["total"])

    def _status(self) -> StatusView:
        """Return what the conductor says of itself, read at a moment when nothing was being counted, if there is one.

        Whoever reads the counters does not stop the thread that counts; but all answers are here, so it is idle soon.
        What patient messages are told meanwhile is heard first: the conductor has counted it, so must we.
        """
        status = self._client.status()
        for _ in range(LOOKS - 1):
            if self._adds_up(status.transport):
                break
            self._poller.poll(LOOK_PAUSE_MS)
            while self._hear_ready():
                pass
            status = self._client.status()
        return status

    def _adds_up(self, counts: Mapping[str, int]) -> bool:
        return counts["answered"] + counts["dropped"] + counts["in_flight"] == counts["received"] + self._announced

    def _look_at_size(self, nodes: int) -> None:
        if self.warm is None:
            return
        now = self.fortress.footprint()
        too_much = {
            "memory": now.rss_bytes > self.warm.rss_bytes + RSS_GROWTH_BYTES,
            "threads": now.threads > self.warm.threads + 2,
            "descriptors": now.descriptors > self.warm.descriptors + DESCRIPTOR_GROWTH,
        }
        if grown := [what for what, is_so in too_much.items() if is_so]:
            raise Fallen(
                f"seed {self.seed}, after message {self.fired}: {grown} grew from {self.warm} to {now}, {nodes} nodes"
            )

    def _keep_house(self) -> None:
        """Have the nodes of the corpus, and no others: what mutations created is deleted."""
        known = {node.name: node.uuid for node in self._client.nodes.list()}
        for name, uuid in known.items():
            if name not in NODES:
                self._try(lambda uuid=uuid: self._client.nodes.delete(uuid))
        for name in NODES:
            if name not in known:
                self._try(lambda name=name: self._client.nodes.create(name, driver="fake"))

    def _let_go(self) -> None:
        """Let nothing be held any more, so that what waits for that, and what waits for those, can end."""
        for node in self._client.nodes.list():
            if node.maintenance:
                self._try(lambda uuid=node.uuid: self._client.nodes.unset_maintenance(uuid))
            if node.provision_state in HOLDS:
                self._try(lambda uuid=node.uuid: self._client.provision.abort(uuid))

    @staticmethod
    def _try(change: Any) -> None:
        try:
            change()
        except CastironError as error:
            if error.code not in CODES:
                raise

    def _fallen(self, one: Message, what: str) -> Fallen:
        again = f"python -m tests.fuzz --seed {self.seed} --first {max(0, one.number - 2000)} --messages 4000"
        shown = [part[:200] for part in one.frames[:6]]
        log = self.fortress.log[-3000:]
        return Fallen(f"message {one.number} of seed {self.seed} ({one.kind}) {what}\n{shown}\nagain: {again}\n{log}")


def lay_siege(folder: Path, endpoint: str, *, seed: int, messages: int, warm_up: int, batch: int) -> Siege:
    """Fire so many messages at a conductor of its own, and see it stop in order."""
    with Fortress(folder, endpoint) as fortress:
        with Siege(fortress, seed) as siege:
            for first in range(0, messages, batch):
                siege.batch(first, min(batch, messages - first))
                if siege.warm is None and siege.fired >= warm_up:
                    siege.settle()
        assert fortress.stop() == 0, fortress.log
    return siege
