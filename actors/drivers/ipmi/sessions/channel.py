"""What passes in an open session: requests sealed, answers opened. No login, no I/O, no time.

pyghmi frames any payload of any session, through lists of bytes and general tables, and takes 40 µs for an exchange.
This is the one kind of message that an open session has: an IPMI message, AES-CBC-128, one HMAC over it. It says byte
for byte what pyghmi would say with the same keys, numbers and initialization vector, and takes for an answer what
pyghmi takes for one; tests hold the two beside each other.

Source: IPMI v2.0, 13.8 (messages), 13.6 and table 13-8 (packets), 13.28.4 and 13.29 (integrity, encryption).
"""

import hashlib
import os
import struct
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from castiron.actors.drivers.ipmi.sessions.exchange import Answer

_RMCP: Final = b"\x06\x00\xff\x07"
_HEADER: Final = struct.Struct("<BBIIH")
"""Authentication type, payload type, session id, sequence number, bytes of the payload."""

_HEADER_ENDS: Final = len(_RMCP) + _HEADER.size
_RMCP_PLUS: Final = 0x06
_SEALED: Final = 0xC0
"""Payload type of an IPMI message that is authenticated and encrypted."""

_AUTHENTICATED: Final = 0x40
_ENCRYPTED: Final = 0x80

_TRAILER: Final = b"\xff\xff\x02\x07"
"""To a multiple of four with the next two: how much of that there is, and what the specification wants there. All
before it is a multiple of four."""

_HASHES: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_INNER, _OUTER = (bytes(byte ^ flipped for byte in range(256)) for flipped in (0x36, 0x5C))
"""RFC 2104. The pieces of an HMAC, because the standard library's lets other threads in, twice for each exchange."""

_HASHED_BYTES: Final = 64
"""What SHA-1 and SHA-256 take at a time."""

_BLOCK_BYTES: Final = 16
_PADS: Final = tuple(bytes(range(1, count + 1)) + bytes((count,)) for count in range(_BLOCK_BYTES))
"""Table 13-20: 1, 2, 3… and how many."""

_BMC: Final = 0x20
_SOFTWARE: Final = 0x81
"""Table 5-4: a remote console's software id."""

_MIN_MESSAGE_BYTES: Final = 7
"""What pyghmi takes for a message."""

_LAST_SEQUENCE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Keys:
    """What a login has agreed to."""

    session_id: int
    """The BMC's: it stands in what is sent."""
    own_id: int
    """Ours: it stands in what comes."""
    integrity: str
    """Name of the hash, as hashlib's."""
    check_bytes: int
    """Of an integrity check value."""
    k1: bytes = field(repr=False)
    aes_key: bytes = field(repr=False)


class Channel:
    """One open session's messages. One request at a time; not thread-safe.

    Args:
        keys: the login's.
        number: the first request's, from 0 to 63; each answer moves it on.
    """

    __slots__ = (
        "_aes",
        "_check_bytes",
        "_expected",
        "_hash",
        "_heard_sequence",
        "_inner_key",
        "_message",
        "_number",
        "_outer_key",
        "_own_id",
        "_sequence",
        "_session_id",
    )

    def __init__(self, keys: Keys, number: int) -> None:
        key = keys.k1.ljust(_HASHED_BYTES, b"\0")
        self._inner_key, self._outer_key = key.translate(_INNER), key.translate(_OUTER)
        self._hash, self._check_bytes = _HASHES[keys.integrity], keys.check_bytes
        self._session_id, self._own_id = keys.session_id, keys.own_id
        self._aes = AES(keys.aes_key)
        self._number = number
        self._sequence = self._heard_sequence = 0
        self._message = b""
        self._expected: tuple[int, int, int] | None = None

    @property
    def heard_sequence(self) -> int:
        """The sequence number of the latest message that was taken; 0: none was."""
        return self._heard_sequence

    def seal(self, netfn: int, command: int, data: bytes) -> bytes:
        """Return the datagram of a request; from now on its answer is expected, and no other's."""
        head = bytes((_BMC, netfn << 2))
        body = bytes((_SOFTWARE, self._number << 2, command)) + data
        message = head + bytes((-sum(head) & 0xFF,)) + body + bytes((-sum(body) & 0xFF,))
        self._message = message + _PADS[-(len(message) + 1) % _BLOCK_BYTES]
        self._expected = ((netfn + 1) << 2, self._number << 2, command)
        return self.seal_again()

    def seal_again(self) -> bytes:
        """Return the latest request once more, under its number and with a sequence number of its own."""
        self._sequence += 1
        vector = os.urandom(_BLOCK_BYTES)
        sealed = vector + Cipher(self._aes, CBC(vector)).encryptor().update(self._message)
        packet = _HEADER.pack(_RMCP_PLUS, _SEALED, self._session_id, self._sequence, len(sealed)) + sealed + _TRAILER
        return _RMCP + packet + self._check(packet)

    def open(self, datagram: bytes) -> Answer | None:
        """Return the answer that a datagram of at least a header is, None if it is to be dropped.

        Raises:
            ValueError: it was sealed with the session's keys, and cannot be opened.
        """
        kind, own_id, sequence, length = _HEADER.unpack_from(datagram, len(_RMCP))[1:]
        if not kind & _AUTHENTICATED or own_id != self._own_id:
            return None
        ends = len(datagram) - self._check_bytes
        if not compare_digest(datagram[ends:], self._check(datagram[len(_RMCP) : ends])):
            return None
        if sequence < self._heard_sequence != _LAST_SEQUENCE:
            return None  # of before, played again
        self._heard_sequence = sequence
        payload = datagram[_HEADER_ENDS : _HEADER_ENDS + length]
        return self._read(self._decrypted(payload) if kind & _ENCRYPTED else payload)

    def _check(self, packet: bytes) -> bytes:
        """Return the integrity check value of a packet."""
        inner = self._hash(self._inner_key + packet).digest()
        return self._hash(self._outer_key + inner).digest()[: self._check_bytes]

    def _decrypted(self, payload: bytes) -> bytes:
        vector, sealed = payload[:_BLOCK_BYTES], payload[_BLOCK_BYTES:]
        if not sealed or len(sealed) % _BLOCK_BYTES:
            raise ValueError("it is not made of whole blocks")
        message = Cipher(self._aes, CBC(vector)).decryptor().update(sealed)
        return message[: -1 - message[-1]]

    def _read(self, message: bytes) -> Answer | None:
        if len(message) < _MIN_MESSAGE_BYTES or self._expected is None:
            return None
        netfn, number, command = self._expected
        if message[1] & 0xFC != netfn or message[4] & 0xFC != number or message[5] != command:
            return None
        self._expected = None
        self._number = (self._number + 1) & 0x3F
        return Answer(message[6], message[7:-1])
