"""One simulated BMC as a state machine: a datagram comes in, answers go out with the time after which they are due.

There is no socket, no thread, no clock and no randomness of its own here: whoever drives it (real UDP, or a simulation
in virtual time) says what now is, and the random numbers come from the generator that it was given. So the same seed
and the same datagrams at the same instants give the same answers, byte for byte. Not thread-safe: take turns.

    datagram -> line -> RMCP class -> ping             -> pong
                                   -> IPMI 1.5         -> commands that need no session
                                   -> RMCP+  type 0x10… -> handshake
                                             sealed    -> session: genuine? in the window? -> commands
    answer -> forgery -> line -> delay
"""

from math import inf
from random import Random
from typing import Final

from castiron.testing.bmc.codes import Payload
from castiron.testing.bmc.commands import execute
from castiron.testing.bmc.device import BMCSettings, Device
from castiron.testing.bmc.faults import Faults, Forgery
from castiron.testing.bmc.forgery import LATE_S, forge, garbage, other_than
from castiron.testing.bmc.line import Line
from castiron.testing.bmc.wire import rmcp
from castiron.testing.bmc.wire.handshake import STEPS
from castiron.testing.bmc.wire.session import Session
from castiron.testing.bmc.wire.suite import BLOCK_BYTES, SEALED

MAX_DATAGRAM_BYTES: Final = 512
"""Longer datagrams are ignored: the longest that a console sends is a boot option of 17 bytes in a sealed packet."""

Answers = list[tuple[float, bytes]]
"""(seconds from now, datagram), to the source of the request."""


class BMC:
    """A simulated IPMI 2.0 BMC and the machine behind it.

    Attributes:
        name: its name; its GUID is made of it.
        device: its state: chassis, sessions, counts.
    """

    __slots__ = ("_inward", "_outward", "device", "name")

    def __init__(self, name: str, settings: BMCSettings, rng: Random) -> None:
        self.name = name
        self.device = Device(name, settings, rng)
        self._inward, self._outward = Line(), Line()

    @property
    def faults(self) -> Faults:
        """What is wrong with it; may be replaced at any time. What is used up shows here."""
        return self.device.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.device.faults = faults

    def receive(self, datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        """Take one datagram and return what to answer: nothing, or one datagram and its delay; more with some faults.

        Never raises for what a datagram holds: what is not well formed, not genuine or not for this BMC is met with
        silence, as real ones do. Not idempotent.
        """
        device = self.device
        faults = device.faults
        device.chassis.advance(now)
        if faults.silent or now < self.device.silent_until:
            return []
        if faults.is_smooth and not self._inward.held and not self._outward.held:
            answer = self._answer(datagram, source, now)
            return [] if answer is None else [(0.0, answer)]
        return [
            answer
            for each in self._inward.carry(datagram, source, faults, device.rng)
            for answer in self._answer_roughly(each, source, now)
        ]

    def cold_reset(self, silent_until: float = -inf) -> None:
        """Restart the BMC, not the machine: every session is forgotten, and nothing heard before this instant."""
        self.device.restart(silent_until)

    def is_restarting(self, now: float) -> bool:
        """Return whether a cold reset still keeps it silent."""
        return now < self.device.silent_until

    def _answer_roughly(self, datagram: bytes, source: tuple[str, int], now: float) -> Answers:
        """Answer as the faults of the way back have it."""
        faults, rng = self.device.faults, self.device.rng
        answers: Answers = [(0.0, each) for each in garbage(faults.flood_count, rng)]
        session = self._session_of(datagram, now)  # before the answer, which may end it
        answer = self._answer(datagram, source, now)
        if answer is None:
            return answers
        forgery = faults.forgery(rng)
        if forgery is not None:
            answer = self._forged(forgery, answer, session)
        late_s = LATE_S if forgery is Forgery.LATE else 0.0
        arriving = self._outward.carry(answer, source, faults, rng)
        return answers + [(faults.delay_s(rng) + late_s, each) for each in arriving]

    def _forged(self, forgery: Forgery, answer: bytes, session: Session | None) -> bytes:
        rng = self.device.rng
        if session is None:
            return forge(forgery, answer, None, 0, rng)
        others = (other.console_id for other in self.device.sessions if other is not session and other.seal)
        return forge(forgery, answer, session.seal, next(others, other_than(session.console_id)), rng)

    def _session_of(self, datagram: bytes, now: float) -> Session | None:
        packet = rmcp.read_packet(datagram)
        return None if packet is None else self.device.sessions.find(packet.session_id, now)

    def _answer(self, datagram: bytes, source: tuple[str, int], now: float) -> bytes | None:
        if len(datagram) > MAX_DATAGRAM_BYTES:
            return None
        match datagram[:5]:
            case b"\x06\x00\xff\x07\x06":
                return self._answer_rmcp_plus(datagram, source, now)
            case b"\x06\x00\xff\x07\x00":
                return self._answer_sessionless(datagram, source, now)
            case _:
                tag = rmcp.read_ping(datagram)
                return None if tag is None else rmcp.build_pong(tag)

    def _answer_sessionless(self, datagram: bytes, source: tuple[str, int], now: float) -> bytes | None:
        payload = rmcp.read_sessionless(datagram)
        response = None if payload is None else self._execute_outside(payload, source, now)
        return None if response is None else rmcp.build_sessionless(response)

    def _answer_rmcp_plus(self, datagram: bytes, source: tuple[str, int], now: float) -> bytes | None:
        packet = rmcp.read_packet(datagram)
        if packet is None:
            return None
        if packet.payload_type == SEALED:
            return self._answer_sealed(packet, datagram, now)
        if packet.session_id or packet.sequence:
            return None  # unencrypted or unauthenticated, inside a session that agreed on both
        if packet.payload_type == Payload.IPMI:
            response = self._execute_outside(packet.payload, source, now)
            return None if response is None else rmcp.build_unauthenticated(Payload.IPMI, response)
        if packet.payload_type not in STEPS or self.device.faults.ignores_logins:
            return None
        answer_type, step = STEPS[packet.payload_type]
        payload = step(self.device, packet.payload, source, now)
        return None if payload is None else rmcp.build_unauthenticated(answer_type, payload)

    def _answer_sealed(self, packet: rmcp.Packet, datagram: bytes, now: float) -> bytes | None:
        device = self.device
        session = device.sessions.find(packet.session_id, now)
        if session is None or session.seal is None or not session.seal.is_genuine(datagram):
            return None
        if not session.window.admit(packet.sequence):
            return None
        payload = session.seal.open(packet.payload)
        message = None if payload is None else rmcp.read_message(payload)
        if message is None:
            return None
        session.used_at = now
        device.command_count += 1
        response = rmcp.build_response(message, execute(device, session, message, now))
        vector = device.rng.randbytes(BLOCK_BYTES)
        return session.seal.close(session.console_id, session.next_sequence(), response, vector)

    def _execute_outside(self, payload: bytes, source: tuple[str, int], now: float) -> bytes | None:
        message = rmcp.read_message(payload)
        if message is None:
            return None
        body = execute(self.device, Session.outside(source, now), message, now)
        return rmcp.build_response(message, body)
