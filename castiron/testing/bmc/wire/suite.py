"""Cipher suites of RMCP+: authentication, the keys of a session, sealing and opening what goes through it.

Pure functions of keys and bytes; initialization vectors come from the caller. Suites 3 and 17 are the ones that BMCs of
the last fifteen years share with ipmitool and pyghmi.

Source: IPMI v2.0, 13.28 to 13.32, table 22-20 (suite 3); suite 17 is the SHA-256 suite of its errata.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from castiron.testing.bmc.wire.rmcp import V20_SIZE, build_packet

BLOCK_BYTES: Final = 16
"""AES works on blocks of this size, and so do initialization vectors."""
SEALED: Final = 0xC0
"""The bits of a payload type that say: encrypted and authenticated. Type 0 is an IPMI message."""

# Header and sealed payload leave two bytes to fill up to a multiple of four, always: both have a fixed remainder.
_TRAILER: Final = b"\xff\xff\x02\x07"
# Confidentiality pad (table 13-20): 1, 2, 3 … and then its own length.
_PADS: Final = tuple(bytes(range(1, count + 1)) + bytes((count,)) for count in range(BLOCK_BYTES))


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One authentication, integrity and confidentiality algorithm, to be used together."""

    number: int
    """The suite's id (table 22-20)."""
    authentication: int
    """RAKP algorithm (table 13-17)."""
    integrity: int
    """Integrity algorithm (table 13-18)."""
    confidentiality: int
    """Confidentiality algorithm (table 13-19)."""
    digest: str
    """The hash behind both HMACs, as hashlib names it."""
    code_bytes: int
    """Length of an integrity check value: the digest is cut to it."""

    @property
    def algorithms(self) -> tuple[int, int, int]:
        """The three algorithm numbers, in the order of Open Session."""
        return (self.authentication, self.integrity, self.confidentiality)

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """Return the whole HMAC of `data`."""
        return hmac.digest(key, data, self.digest)


SUITES: Final[Mapping[int, CipherSuite]] = MappingProxyType(
    {
        3: CipherSuite(3, authentication=1, integrity=1, confidentiality=1, digest="sha1", code_bytes=12),
        17: CipherSuite(17, authentication=3, integrity=4, confidentiality=1, digest="sha256", code_bytes=16),
    }
)
"""The suites that a simulated BMC can offer, by number."""


class Seal:
    """The keys of one session, in use: made from its session integrity key."""

    __slots__ = ("_aes", "_integrity_key", "_suite")

    def __init__(self, suite: CipherSuite, session_integrity_key: bytes) -> None:
        self._suite = suite
        self._integrity_key = suite.hmac(session_integrity_key, b"\x01" * 20)
        self._aes = AES(suite.hmac(session_integrity_key, b"\x02" * 20)[:BLOCK_BYTES])

    def close(self, session_id: int, sequence: int, message: bytes, vector: bytes) -> bytes:
        """Return the datagram that carries `message`, encrypted with this initialization vector and authenticated."""
        padded = message + _PADS[-(len(message) + 1) % BLOCK_BYTES]
        sealed = vector + Cipher(self._aes, CBC(vector)).encryptor().update(padded)
        datagram = build_packet(SEALED, session_id, sequence, sealed) + _TRAILER
        return datagram + self._code(datagram)

    def is_genuine(self, datagram: bytes) -> bool:
        """Return whether whoever sent this RMCP+ datagram has the session's integrity key."""
        cut = len(datagram) - self._suite.code_bytes
        return cut > V20_SIZE and hmac.compare_digest(self._code(datagram[:cut]), datagram[cut:])

    def open(self, payload: bytes) -> bytes | None:
        """Return the message in a sealed payload; None if it was never sealed by these rules."""
        if len(payload) < 2 * BLOCK_BYTES or len(payload) % BLOCK_BYTES:
            return None
        cipher = Cipher(self._aes, CBC(payload[:BLOCK_BYTES]))
        padded = cipher.decryptor().update(payload[BLOCK_BYTES:])
        pad = padded[-1]
        if pad >= BLOCK_BYTES or not padded.endswith(_PADS[pad]):
            return None
        return padded[: -pad - 1]

    def _code(self, datagram: bytes) -> bytes:
        return self._suite.hmac(self._integrity_key, datagram[4:])[: self._suite.code_bytes]
