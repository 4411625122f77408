"""The front door: one thread, one ROUTER socket, every message in and every reply out; beside it the events' socket.

It reads, judges frames and bodies, keeps the limits, hands what is left to the handler, and sends the answers that the
other threads have put into the outbox, and the events that they have given to the publisher. It never waits: not for an
actor, not for a slow client. What a verb means is the handler's business.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import zmq

from castiron.transport import codec, frames
from castiron.transport.doors.answers import Answer, Handler, Outbox, Outgoing, PeerInfo, internal_error
from castiron.transport.doors.callers import Callers
from castiron.transport.doors.fullness import fullness
from castiron.transport.doors.guard import Guard, revoked
from castiron.transport.doors.listener import Listener
from castiron.transport.doors.passing import put, read
from castiron.transport.doors.publisher import Publisher
from castiron.transport.doors.unread import LARGE_BYTES, Unread
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import CastironError, ConductorDraining, EndpointRefused, FrameMalformed
from castiron.transport.frames import Envelope
from castiron.transport.keys.protection import needs_keys
from castiron.transport.replies import Gauge
from castiron.transport.session import DEFAULT_LIMITS, RETRY_AFTER_S, Limits, Peers, Session, overloaded
from castiron.transport.verbs import AnyVerb, Hello, tag_of
from castiron.transport.vocabulary import Applied

log = logging.getLogger(__name__)

BATCH: Final = 128
"""Messages read before answers are sent again: amortises the wake-up, and holds no answer up for 10 ms."""

LINGER_MS: Final = 500
"""At the end, for the last replies to leave; a client that does not read gets no more."""

NO_EVENT: Final = 0
"""Event number of an answer that the front door gives itself: it takes no event into account."""


class FrontDoor:
    """The server's side of the protocol. Start it once; a stopped or dead one is replaced by a new one.

    Attributes:
        endpoint: where it listens; after `start` with the port that the kernel chose, if it was to choose.
        events_endpoint: where events are published; None: nowhere, or it has not been started.
        limits: what it allows.
    """

    def __init__(
        self,
        endpoint: str,
        handler: Handler,
        *,
        now: Callable[[], float],
        limits: Limits = DEFAULT_LIMITS,
        publisher: Publisher | None = None,
        guard: Guard | None = None,
        new_error_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """Check the endpoint; nothing is opened yet.

        Args:
            endpoint: ipc://… or tcp://…, see endpoint.py.
            handler: gets every verb that passed.
            now: seconds of a clock that never goes back.
            limits: what peers may do.
            publisher: whose events it sends; None: it publishes none.
            guard: who is let in, and as what; None: whoever can connect may do everything.
            new_error_id: makes the word that connects an InternalError with the log.

        Raises:
            EndpointRefused: castiron does not listen there, or not without a guard.
        """
        self._wanted = parse_endpoint(endpoint)
        if guard is None and needs_keys(self._wanted):
            raise EndpointRefused(
                f"castiron does not listen at {endpoint} without keys.", details={"endpoint": endpoint}
            )
        self._guard = guard
        self._allowed = None if guard is None else guard.allowed
        self._callers = Callers(guard, is_ipc=self._wanted.is_ipc)
        self.endpoint = str(self._wanted)
        self.events_endpoint: str | None = None
        self.limits = limits
        self._publisher = publisher
        self._handler = handler
        self._now = now
        self._new_error_id = new_error_id
        self._outbox = Outbox(new_error_id)
        self.probe = self._outbox.probe  # for whoever measures how long a message waits for this thread
        self._peers: Peers[bytes, Answer] = Peers(limits)
        self._is_draining = self._is_stopping = False
        self._unread = Unread()
        self._beats = self._unread_refused = 0
        self._received = self._answered = self._malformed = self._refused = self._vanished = self._slow = 0
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Bind. Whoever connects is answered from `start` on.

        Raises:
            EndpointRefused: somebody listens there, or the system refuses it.
        """
        with ExitStack() as undo:
            undo.callback(self._outbox.close)
            listener = Listener(self._wanted, guard=self._guard)
            undo.callback(listener.close)
            if self._publisher is not None:
                wake = self._outbox.nudge
                self.events_endpoint = str(self._publisher.open(self._wanted.of_events(), wake, self._guard))
            undo.pop_all()
        if self._guard is not None:
            self._guard.follower.start(self._outbox.nudge)
        self.endpoint = str(listener.endpoint)
        self._listener = listener

    def start(self) -> None:
        """Begin to answer. From here on the sockets belong to the front door's thread.

        Raises:
            EndpointRefused: as `open`, which is called here unless it was before.
        """
        if self._listener is None:
            self.open()
        self._thread = threading.Thread(
            target=self._run, args=(self._listener,), name="castiron-front-door", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Let go of the sockets of a door that was opened and never started. Idempotent."""
        if self._listener is not None and self._thread is None:
            self._let_go(self._listener, linger_ms=0)
            self._listener = None

    def drain(self) -> None:
        """Refuse verbs that make work from now on; look-ups and waits are still answered. Any thread; idempotent."""
        self._is_draining = True

    def stop(self, timeout_s: float) -> bool:
        """End what is in flight with ConductorDraining, send it, and close. Any thread but its own; idempotent.

        Returns:
            Whether the thread has ended within `timeout_s`; it takes half a second at the most unless a handler blocks.
        """
        self._is_draining = self._is_stopping = True
        if self._guard is not None:
            self._guard.follower.stop(timeout_s)
        self._outbox.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.is_alive()

    @property
    def thread(self) -> threading.Thread | None:
        """Its thread; None before `start`."""
        return self._thread

    def beats(self) -> int:
        """Return how often it has begun or ended its work after a wait: odd while at work. Any thread."""
        return self._beats

    def is_alive(self) -> bool:
        """Return whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def counters(self) -> dict[str, int]:
        """Return what has been counted since the start. Any thread; each figure is right, their sums may be in motion.

        peers: remembered now. in_flight: messages without a last reply now. received, answered: messages in, replies
        out. malformed: not of the protocol. refused: well-formed, and not let in (verb, argument, limit, draining).
        unread_bytes: of large replies that wait for their peers, at the most. unread_refused: large replies that gave
        way to `conductor.overloaded`, as too many bytes wait. dropped: replies whose peer had vanished or did not read.
        late: answers given after their peer was taken for gone, or after this door has closed. doubled: second last
        replies, a bug. The events' figures are explained in Publisher.counters, those of keys in Guard.counters.
        """
        return {
            "peers": len(self._peers),
            "in_flight": self._peers.in_flight_count,
            "received": self._received,
            "answered": self._answered,
            "malformed": self._malformed,
            "refused": self._refused,
            "unread_bytes": self._unread.total_bytes,
            "unread_refused": self._unread_refused + self._outbox.crowded_count,
            "dropped": self._vanished + self._slow,
            "late": self._outbox.late_count,
            "doubled": self._outbox.doubled_count,
            **({} if self._publisher is None else self._publisher.counters()),
            **({} if self._guard is None else self._guard.counters()),
        }

    def full(self) -> dict[str, Gauge]:
        """Return how full the bounds are that are each peer's, or of bytes. O(peers); any thread."""
        return fullness(self.limits, self._peers.busiest(), self._unread, self._outbox.large_bytes)

    def peaks(self) -> dict[str, Gauge]:
        """Return the same as `full`, at its fullest since the last call, as far as it was nearly full. One thread."""
        return fullness(self.limits, self._peers.crowd.look(), self._unread, self._outbox.crowd.look().used)

    def _run(self, listener: Listener) -> None:
        try:
            self._outbox.belongs_here()
            poller = self._poller(listener)
            while not self._is_stopping:
                self._turn(listener.socket, poller)
                if self._guard is not None and self._look_after(self._guard, listener):
                    poller = self._poller(listener)
            self._take_leave(listener.socket)
        except Exception:
            log.exception("the front door at %s has failed", self.endpoint)
            raise
        finally:
            self._let_go(listener, LINGER_MS)

    def _let_go(self, listener: Listener, linger_ms: int) -> None:
        self._outbox.close()
        if self._publisher is not None:
            self._publisher.close()
        listener.close(linger_ms)

    def _poller(self, listener: Listener) -> zmq.Poller:
        """Return a poller of everything that has something for the front door."""
        poller = zmq.Poller()
        poller.register(self._outbox.fileno(), zmq.POLLIN)
        for one in (listener, *(() if self._publisher is None else (self._publisher.listener,))):
            poller.register(one.socket, zmq.POLLIN)
            if one.gate is not None:
                poller.register(one.gate.socket, zmq.POLLIN)
        return poller

    def _look_after(self, guard: Guard, listener: Listener) -> bool:
        """Judge handshakes, and cut off those whose keys were revoked; return whether there are other sockets now."""
        gates = [listener.gate, *(() if self._publisher is None else (self._publisher.listener.gate,))]
        for gate in gates:
            if gate is not None:
                guard.judge_handshakes(gate, self._now())
        before, self._allowed = self._allowed, guard.allowed
        gone: frozenset[str] = frozenset() if before is None else before.keys() - self._allowed.keys()
        if not gone:
            return False
        for key in gone:
            for answer in self._peers.in_flight_of({key}):
                self._tell_gone(answer, revoked(key))
        self._send_answers(listener.socket)
        return self._publisher is not None and self._publisher.cut_off(gone)

    def _turn(self, router: "zmq.Socket[bytes]", poller: zmq.Poller) -> None:
        """Wait for something to do, and do it: answers out, messages in, answers to those out, the silent forgotten."""
        ready: dict[Any, int] = dict(poller.poll(self._patience_ms()))
        self._beats += 1
        if self._outbox.fileno() in ready:
            self._outbox.heed()
        self._send_answers(router)
        if router in ready:
            for _ in range(BATCH):
                if not self._receive(router):
                    break
            self._send_answers(router)
        if self._publisher is not None:
            self._publisher.turn(self._now())
        self._unread.settle(self._now())
        for answer in self._silent(router):
            self._tell_gone(answer)
        self._beats += 1

    def _silent(self, router: "zmq.Socket[bytes]") -> list[Answer]:
        """Forget who is silent, and return their messages; first read what waits: we may have stood still, not they."""
        now, due_at = self._now(), self._peers.next_expiry_at()
        if due_at is None or now < due_at:
            return []
        is_all_read = not self._receive(router)
        self._send_answers(router)
        return self._peers.expire(now, is_all_read=is_all_read)

    def _patience_ms(self) -> int | None:
        now = self._now()
        due_at = None if self._publisher is None else self._publisher.due_at(now)
        times = [at for at in (self._peers.next_expiry_at(), due_at) if at is not None]
        return max(0, -int(-(min(times) - now) * 1000 // 1)) if times else None

    def _take_leave(self, router: "zmq.Socket[bytes]") -> None:
        """Give every message in flight its last reply: what the conductor cannot say any more, it says so."""
        self._send_answers(router)
        for answer in list(self._peers.items_in_flight()):
            applied = Applied.UNKNOWN if answer.verb.makes_work else None
            message = "The conductor has stopped before it could answer. Ask again once it is back."
            answer.leave(ConductorDraining(message, applied=applied), NO_EVENT)
        self._send_answers(router)

    def _receive(self, router: "zmq.Socket[bytes]") -> bool:
        """Take in one message; False if there is none."""
        message = read(router)
        if message is None:
            return False
        self._received += 1
        key, first, parts = message
        envelope = frames.parse_request(parts)
        try:
            self._judge(key, self._session(key, first), envelope, first)
        except CastironError as error:
            self._refuse(router, key, envelope, error)
        return True

    def _session(self, key: bytes, frame: zmq.Frame) -> Session[Answer]:
        """Return the session of whoever sent a frame.

        Raises:
            KeyRefused: the sender's key was revoked.
            ConductorOverloaded: there is no room for a stranger.
        """
        now = self._now()
        session = self._peers.find(key, now)
        if session is None:
            return self._peers.admit(key, self._callers.of(frame), now)
        if self._guard is not None:  # each message anew: a key may have been revoked, or have another role
            session.came_from(self._callers.of(frame))
        return session

    def _judge(self, key: bytes, session: Session[Answer], envelope: Envelope, frame: zmq.Frame) -> None:
        """Let a message in; `frame` is one of its own, which knows where it came from.

        Raises:
            CastironError: why not.
        """
        if envelope.error is not None:
            raise envelope.error
        verb = codec.decode_verb(envelope.body)
        if self._guard is not None:
            self._guard.permit(session.caller, verb)
        if verb.makes_work and self._is_draining:
            message = "The conductor is stopping and accepts nothing new. Ask again once it is back."
            raise ConductorDraining(message, retry_after_s=RETRY_AFTER_S, applied=Applied.NO)
        if self._guard is None and (verb.makes_work or isinstance(verb, Hello)):
            # Not only at the first message: a routing id may have been somebody else's before.
            session.came_from(self._callers.of(frame))
        if isinstance(verb, Hello):
            session.name = verb.client
        answer = Answer(self._outbox, key, envelope, verb)
        self._peers.begin(session, envelope.id, answer)
        self._hand_over(verb, PeerInfo(session.caller.requester, session.name), answer)

    def _hand_over(self, verb: AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        try:
            self._handler.handle(verb, peer, answer)
        except Exception:
            error_id = self._new_error_id()
            extra = {"error_id": error_id, "requester": peer.who}
            log.exception("%s: the handler failed at %s", error_id, tag_of(verb), extra=extra)
            if answer.is_open:
                answer.fail(internal_error(error_id), NO_EVENT)

    def _tell_gone(self, answer: Answer, last_word: CastironError | None = None) -> None:
        try:
            answer.gone(last_word)
        except Exception:
            log.exception("what was to be done when a peer is gone has failed")

    def _refuse(self, router: "zmq.Socket[bytes]", key: bytes, envelope: Envelope, error: CastironError) -> None:
        """Answer a message that was not let in; it has no place in flight, though another of its id may have one."""
        if envelope.error is not None or isinstance(error, FrameMalformed):
            self._malformed += 1
        else:
            self._refused += 1
        self._send(router, Outgoing(key, envelope, frames.FINAL, codec.encode_reply(error, NO_EVENT)))

    def _send_answers(self, router: "zmq.Socket[bytes]") -> None:
        for reply in self._outbox.take():
            if reply.kind == frames.FINAL:  # before it is sent: the client may use the id again as soon as it reads
                self._peers.end(reply.key, reply.envelope.id)
            self._send(router, reply)

    def _send(self, router: "zmq.Socket[bytes]", reply: Outgoing) -> None:
        if len(reply.body) >= LARGE_BYTES and not self._unread.has_room(len(reply.body)):
            if reply.slip is not None:
                return reply.slip.lose()  # whoever told the part keeps it, and tells it again
            if reply.kind == frames.FINAL:
                self._unread_refused += 1
                refusal = overloaded("unread_bytes", self._unread.limit_bytes)
                reply = reply._replace(body=codec.encode_reply(refusal, NO_EVENT))
        try:
            put(router, reply, self._unread)
        except zmq.ZMQError as failure:
            if isinstance(failure, zmq.Again):
                self._slow += 1
            else:  # EHOSTUNREACH: the peer has disconnected
                self._vanished += 1
            if reply.slip is not None:
                reply.slip.lose()
        else:
            self._answered += 1
        return None
