"""An RMCP+ console of our own: bytes out, bytes in, written from the specification and sharing no code with the BMC.

Small and unforgiving: what a BMC answers must be right to the byte, or it raises. It can also be made to misbehave, one
datagram at a time, which real consoles cannot.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

RMCP = bytes.fromhex("0600ff07")
CONSOLE_ID = 0xA0A2A3A4
ALGORITHMS = {3: (1, 1, 1), 17: (3, 4, 1)}
HASHES = {3: hashlib.sha1, 17: hashlib.sha256}
CODE_BYTES = {3: 12, 17: 16}

Exchange = Callable[[bytes], bytes | None]


class Refused(Exception):
    """The BMC answered with this RMCP+ status."""

    def __init__(self, step: str, status: int) -> None:
        super().__init__(f"{step}: status {status:#04x}")
        self.step = step
        self.status = status


class Silent(Exception):
    """The BMC did not answer."""


def checked(data: bytes) -> bytes:
    return data + bytes((-sum(data) & 0xFF,))


def ipmi_message(netfn: int, command: int, data: bytes = b"", sequence: int = 0) -> bytes:
    return checked(bytes((0x20, netfn << 2))) + checked(bytes((0x81, sequence << 2, command)) + data)


def sessionless(netfn: int, command: int, data: bytes = b"") -> bytes:
    message = ipmi_message(netfn, command, data)
    return RMCP + bytes(9) + bytes((len(message),)) + message


def plus(payload_type: int, payload: bytes) -> bytes:
    return RMCP + struct.pack("<BBIIH", 6, payload_type, 0, 0, len(payload)) + payload


def open_request(algorithms: tuple[int, int, int], *, level: int = 0, console_id: int = CONSOLE_ID) -> bytes:
    proposals = b"".join(bytes((kind, 0, 0, 8, number, 0, 0, 0)) for kind, number in enumerate(algorithms))
    return plus(0x10, bytes((7, level, 0, 0)) + struct.pack("<I", console_id) + proposals)


def response_body(payload: bytes) -> bytes:
    """Completion code and data of an IPMI response."""
    assert sum(payload[:3]) & 0xFF == 0
    assert sum(payload[3:]) & 0xFF == 0
    assert payload[0] == 0x81
    assert payload[3] == 0x20
    return payload[6:-1]


@dataclass
class Console:
    """One console with one session at a time; `exchange` carries a datagram to a BMC and brings the answer."""

    exchange: Exchange
    username: str = "admin"
    password: str = "password"
    suite: int = 17
    k_g: bytes = b""
    level: int = 4
    nonce: bytes = bytes(range(16))
    vector: bytes = bytes(range(16, 32))
    managed_id: int = 0
    sequence: int = 0
    replies_seen: list[int] = field(default_factory=list[int])
    k1: bytes = b""
    aes: bytes = b""

    def login(self, *, privilege: int | None = 4) -> None:
        self.open()
        self.rakp()
        if privilege is not None:
            assert self.command(6, 0x3B, bytes((privilege,))) == bytes((0, privilege))

    def open(self) -> None:
        answer = self._handshake("open session", open_request(ALGORITHMS[self.suite]))
        assert len(answer) == 36
        self.managed_id = int.from_bytes(answer[8:12], "little")
        assert [answer[at] for at in (16, 24, 32)] == list(ALGORITHMS[self.suite])

    def rakp_1(self) -> bytes:
        name = self.username.encode()
        return plus(0x12, b"\x07\0\0\0" + self._managed + self.nonce + bytes((self.role, 0, 0, len(name))) + name)

    def rakp(self) -> None:
        answer = self._handshake("rakp 2", self.rakp_1())
        bmc_nonce, guid, proof = answer[8:24], answer[24:40], answer[40:]
        ids = struct.pack("<II", CONSOLE_ID, self.managed_id)
        key = self.password.encode()
        if proof != self.hmac(key, ids + self.nonce + bmc_nonce + guid + self._who):
            self._send(plus(0x14, b"\x07\x0f\0\0" + self._managed))
            raise Refused("rakp 2", 0x0F)
        proof = self.hmac(key, bmc_nonce + struct.pack("<I", CONSOLE_ID) + self._who)
        answer = self._handshake("rakp 4", plus(0x14, b"\x07\0\0\0" + self._managed + proof))
        sik = self.hmac(self.k_g or key, self.nonce + bmc_nonce + self._who)
        expected = self.hmac(sik, self.nonce + self._managed + guid)[: CODE_BYTES[self.suite]]
        if answer[8:] != expected:
            raise Refused("session key", 0x0F)
        self.k1, self.aes = self.hmac(sik, b"\x01" * 20), self.hmac(sik, b"\x02" * 20)[:16]
        self.sequence = 0

    def command(self, netfn: int, command: int, data: bytes = b"") -> bytes:
        """Send a command inside the session and return completion code and data."""
        answer = self._send(self.seal(ipmi_message(netfn, command, data)))
        if answer is None:
            raise Silent
        return self.unseal(answer)

    def seal(self, message: bytes, *, sequence: int | None = None) -> bytes:
        if sequence is None:
            self.sequence = sequence = self.sequence + 1
        pad = -(len(message) + 1) % 16
        plain = message + bytes(range(1, pad + 1)) + bytes((pad,))
        sealed = self.vector + self._cipher(self.vector).encryptor().update(plain)
        head = RMCP + struct.pack("<BBIIH", 6, 0xC0, self.managed_id, sequence, len(sealed)) + sealed
        fill = -(len(head) - 4 + 2) % 4
        signed = head + b"\xff" * fill + bytes((fill, 7))
        return signed + self.hmac(self.k1, signed[4:])[: CODE_BYTES[self.suite]]

    def unseal(self, datagram: bytes) -> bytes:
        cut = len(datagram) - CODE_BYTES[self.suite]
        assert datagram[cut:] == self.hmac(self.k1, datagram[4:cut])[: CODE_BYTES[self.suite]]
        kind, payload_type, session_id, sequence, length = struct.unpack_from("<BBIIH", datagram, 4)
        assert (kind, payload_type, session_id) == (6, 0xC0, CONSOLE_ID)
        self.replies_seen.append(sequence)
        plain = self._cipher(datagram[16:32]).decryptor().update(datagram[32 : 16 + length])
        return response_body(plain[: -plain[-1] - 1])

    def hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, HASHES[self.suite]).digest()

    @property
    def role(self) -> int:
        return 0x10 | self.level

    @property
    def _managed(self) -> bytes:
        return struct.pack("<I", self.managed_id)

    @property
    def _who(self) -> bytes:
        name = self.username.encode()
        return bytes((self.role, len(name))) + name

    def _cipher(self, vector: bytes) -> "Cipher[modes.CBC]":
        return Cipher(algorithms.AES(self.aes), modes.CBC(vector))

    def _send(self, datagram: bytes) -> bytes | None:
        return self.exchange(datagram)

    def _handshake(self, step: str, datagram: bytes) -> bytes:
        answer = self._send(datagram)
        if answer is None:
            raise Silent(step)
        assert answer[4] == 6
        assert answer[5] == datagram[5] + 1
        length = int.from_bytes(answer[14:16], "little")
        payload = answer[16:]
        assert len(payload) == length
        assert payload[0] == 7
        if payload[1]:
            raise Refused(step, payload[1])
        return payload
