"""Events on their way out: what any thread hands in, the front door's thread encodes once and sends to whoever listens.

Nothing here waits for a subscriber. One that does not read loses events once its share of the queue is full, and finds
that out by their numbers; so does everybody if events come faster than they can be sent. What was lost is in the store.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import zmq

from castiron.transport import codec, events
from castiron.transport.doors.guard import Guard
from castiron.transport.doors.listener import Listener
from castiron.transport.endpoint import Endpoint
from castiron.transport.events import EventView, Heartbeat
from castiron.transport.session import HEARTBEAT_INTERVAL_S

log = logging.getLogger(__name__)

MAX_WAITING: Final = 16_384
"""Events that may wait to be sent: sixteen of the largest groups that the store commits at once, about 10 MB."""

SEND_HIGH_WATER_MARK: Final = 1_000
"""Events that may wait for one subscriber to read: one group of the store's, about 0.4 MB; then it loses some."""

MAX_SUBSCRIPTION_BYTES: Final = 256
"""Of a topic that somebody subscribes to: three times the longest there is. A longer one ends its connection."""

MAX_HANDSHAKE_BYTES: Final = 1_024
"""The same where keys are in use: the limit holds for CURVE's INITIATE, too, which has 257 bytes and the peer's
metadata."""

BATCH: Final = 256
"""Events sent, and subscriptions read, before the front door looks after its replies again: some 5 ms."""

LINGER_MS: Final = 100
"""At the end, for the last events to leave; what does not, is in the store."""

_OPTIONS: Final[Mapping[int, int]] = {
    zmq.XPUB_VERBOSE: 1,  # each subscriber is answered with a heartbeat, also one that joins others
    zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
    zmq.SNDHWM: SEND_HIGH_WATER_MARK,
}

_SUBSCRIBED: Final = 1


def _nobody() -> None:
    """Wake nobody: there is no front door yet."""


class Publisher:
    """The stream of one start of a conductor.

    `publish` and `counters` are for any thread; all else is for the front door that it was given to.
    """

    def __init__(
        self, *, conductor: str, boot_id: str, seq: int, heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S
    ) -> None:
        """Prepare it; nothing is opened yet.

        Args:
            conductor: the conductor's id.
            boot_id: of this start.
            seq: number of the last event before those that will be published.
            heartbeat_interval_s: the longest silence of the stream.
        """
        self._conductor = conductor
        self._boot_id = boot_id
        self._seq = seq
        self._heartbeat_interval_s = heartbeat_interval_s
        self._waiting: deque[EventView] = deque(maxlen=MAX_WAITING)
        self._wake: Callable[[], None] = _nobody
        self._listener: Listener | None = None
        self._guard: Guard | None = None
        self._reopened = 0
        self._has_audience = self._is_asked = False
        self._beats_at: float | None = None
        self._published = self._skipped = 0

    def publish(self, happened: Sequence[EventView]) -> None:
        """Hand in events, in the order of their numbers. Never blocks; one thread at a time."""
        self._waiting.extend(happened)
        self._wake()

    def counters(self) -> dict[str, int]:
        """Return what has been counted since the start.

        events_published: sent to whoever listened. events_waiting: to be sent. events_skipped: sent to nobody, because
        they had to give way to later ones, or could not be encoded, which is a bug. events_reopened: how often all
        subscribers had to connect anew, because the key of one was revoked.
        """
        return {
            "events_published": self._published,
            "events_waiting": len(self._waiting),
            "events_skipped": self._skipped,
            **({} if self._guard is None else {"events_reopened": self._reopened}),
        }

    def open(self, endpoint: Endpoint, wake: Callable[[], None], guard: Guard | None = None) -> Endpoint:
        """Bind, and return where; with the port that the kernel chose, if it was to choose.

        Args:
            endpoint: where to publish.
            wake: called, from any thread, when there is something to send.
            guard: whose key and list protect it; None: nobody's.

        Raises:
            EndpointRefused: somebody listens there, or the system refuses it.
        """
        self._guard = guard
        self._listener = self._new_listener(endpoint)
        self._wake = wake
        return self._listener.endpoint

    @property
    def listener(self) -> Listener:
        """Whose socket is to be polled for subscriptions, and whose gate for handshakes, once it is open."""
        if self._listener is None:
            raise RuntimeError("the publisher has not been opened")
        return self._listener

    def cut_off(self, public_keys: Collection[str]) -> bool:
        """See to it that subscribers with these keys get no more events; return whether that took a new socket.

        ZeroMQ cannot end one subscriber's connection, so all are ended if one of these keys was let in. The others
        connect anew and read from the store what was published meanwhile. Blocks for some milliseconds.

        Raises:
            EndpointRefused: somebody took the port in between.
        """
        gate = self.listener.gate
        if gate is None or gate.let_in.isdisjoint(public_keys):
            return False
        endpoint = self.listener.endpoint
        self.listener.close()
        self._listener = None
        self._listener = self._new_listener(endpoint)
        self._reopened += 1
        return True

    def _new_listener(self, endpoint: Endpoint) -> Listener:
        guarded: dict[int, int] = {} if self._guard is None else {zmq.MAXMSGSIZE: MAX_HANDSHAKE_BYTES}
        return Listener(endpoint, zmq.XPUB, {**_OPTIONS, **guarded}, self._guard)

    def due_at(self, now: float) -> float | None:
        """Return when `turn` has something to do by itself; None: not before somebody wakes the front door."""
        return now if self._waiting else self._beats_at

    def turn(self, now: float) -> None:
        """Read subscriptions and send what waits, some of each. Never blocks, and never raises because of an event."""
        self._heed_subscribers()
        if self._is_asked or (self._beats_at is not None and now >= self._beats_at):
            self._is_asked = False
            self._beats_at = now + self._heartbeat_interval_s
            beat = Heartbeat(conductor=self._conductor, boot_id=self._boot_id, seq=self._seq)
            self._send(events.HEARTBEAT, beat)
        for _ in range(min(BATCH, len(self._waiting))):
            self._send_event(self._waiting.popleft())

    def close(self) -> None:
        """Send what waits, and close. Idempotent."""
        if self._listener is not None:
            while self._waiting:
                self._send_event(self._waiting.popleft())
            self._listener.close(LINGER_MS)
            self._listener = None

    def _heed_subscribers(self) -> None:
        for _ in range(BATCH):
            try:
                notice = self.listener.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if notice[:1] == bytes((_SUBSCRIBED,)):
                self._has_audience = True
                self._is_asked |= events.HEARTBEAT.startswith(notice[1:])

    def _send_event(self, event: EventView) -> None:
        self._skipped += event.seq - self._seq - 1  # those that gave way, because too many waited
        self._seq = event.seq
        if not self._has_audience:  # nobody has ever subscribed
            return
        try:
            self._send(events.topic_of(event), event)
        except Exception:  # one event that cannot be sent must not stop the others
            self._skipped += 1
            log.exception("event %d cannot be published", event.seq)
        else:
            self._published += 1

    def _send(self, topic: bytes, body: EventView | Heartbeat) -> None:
        self.listener.socket.send_multipart(events.build(topic, codec.encode_published(body)), zmq.NOBLOCK)
