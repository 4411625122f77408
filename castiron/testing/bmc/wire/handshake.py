"""The login of RMCP+: Open Session, then RAKP 1 to 4, after which both sides have the same keys.

Each step is a function of the device and the request's payload that returns the payload of the answer. A refusal is an
answer with a status; silence is for what is too broken to answer. Every answer can be asked for again until the session
carries commands, because the nonce of a session is drawn once, when it is opened.

    console                                                     BMC
    Open Session   algorithms, its session id            ->
                   status, algorithms, the BMC's id      <-     0x01 table full, 0x11 no such suite
    RAKP 1         nonce, role, user name                ->
                   status, nonce, GUID, proof            <-     0x0d no such user, 0x0a not that role
    RAKP 3         proof                                 ->
                   status, proof of the session key      <-     0x0f wrong password

Source: IPMI v2.0, 13.17 to 13.23.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc.codes import Payload, Privilege, Status
from castiron.testing.bmc.device import MAX_NAME_BYTES, Device
from castiron.testing.bmc.wire.session import Session
from castiron.testing.bmc.wire.suite import SUITES, CipherSuite, Seal

_ALGORITHM: Final = Struct("<BxxBBxxx")
_HEAD: Final = Struct("<BBxxI")
_OPEN_BYTES: Final = 32
_RAKP_1_BYTES: Final = 28
_NONCE_BYTES: Final = 16
_ROLE_LEVEL: Final = 0x0F
# How many algorithms of each kind the specification numbers (tables 13-17 to 13-19), and the refusal of any other.
_KNOWN_ALGORITHMS: Final = (
    (4, Status.INVALID_AUTHENTICATION),
    (5, Status.INVALID_INTEGRITY),
    (4, Status.INVALID_CONFIDENTIALITY),
)

Step = Callable[[Device, bytes, tuple[str, int], float], bytes | None]
"""(device, payload, source, now) -> payload of the answer."""


def open_session(device: Device, payload: bytes, source: tuple[str, int], now: float) -> bytes | None:
    """Answer an Open Session request: take a slot and agree on a cipher suite."""
    if len(payload) < _HEAD.size:
        return None
    tag, level, console_id = _read_head(payload)
    suite = _choose_suite(device, payload)
    if isinstance(suite, Status):
        return _refuse(tag, suite, console_id)
    if level > device.settings.privilege:
        return _refuse(tag, Status.UNAUTHORIZED_ROLE, console_id)
    session = (
        None
        if device.faults.table_full
        else device.sessions.open(
            lambda: device.rng.getrandbits(32),
            console_id=console_id,
            suite=suite,
            nonce=device.rng.randbytes(_NONCE_BYTES),
            source=source,
            now=now,
        )
    )
    if session is None:
        return _refuse(tag, Status.NO_RESOURCES, console_id)
    granted = level or device.settings.privilege
    ids = b"%c\x00%c\x00" % (tag, granted) + console_id.to_bytes(4, "little") + session.managed_id.to_bytes(4, "little")
    return ids + b"".join(_ALGORITHM.pack(kind, 8, number) for kind, number in enumerate(suite.algorithms))


def rakp_1(device: Device, payload: bytes, _source: tuple[str, int], now: float) -> bytes | None:
    """Answer RAKP 1 with RAKP 2: prove the password for the user that it names."""
    if len(payload) < _RAKP_1_BYTES:
        return None
    tag, _, managed_id = _read_head(payload)
    session = device.sessions.find(managed_id, now)
    if session is None or session.seal is not None:
        return _refuse(tag, Status.INVALID_SESSION_ID, 0)
    status = _identify(device, session, payload)
    if status is not Status.OK:
        device.sessions.drop(session)
        return _refuse(tag, status, session.console_id)
    session.used_at = now
    ids = session.console_id.to_bytes(4, "little") + managed_id.to_bytes(4, "little")
    proof = session.suite.hmac(
        device.password_of(session.username),
        ids + session.console_nonce + session.nonce + device.guid + _role_and_name(session),
    )
    return b"%c\x00\x00\x00" % tag + ids[:4] + session.nonce + device.guid + proof


def rakp_3(device: Device, payload: bytes, _source: tuple[str, int], now: float) -> bytes | None:
    """Answer RAKP 3 with RAKP 4: check the console's proof, and let the session carry commands."""
    if len(payload) < _HEAD.size:
        return None
    tag, status, managed_id = _read_head(payload)
    session = device.sessions.find(managed_id, now)
    if session is None or not session.console_nonce:
        return _refuse(tag, Status.INVALID_SESSION_ID, 0)
    if status != Status.OK or not _is_proved(device, session, payload[_HEAD.size :]):
        if session.seal is None:
            device.sessions.drop(session)
        # A console that gives up says so and is not answered (13.22).
        return _refuse(tag, Status.INVALID_INTEGRITY_CHECK, session.console_id) if status == Status.OK else None
    suite = session.suite
    key = suite.hmac(
        device.settings.k_g or device.password_of(session.username),
        session.console_nonce + session.nonce + _role_and_name(session),
    )
    if session.seal is None:
        session.establish(Seal(suite, key))
        device.login_count += 1
    session.used_at = now
    code = suite.hmac(key, session.console_nonce + managed_id.to_bytes(4, "little") + device.guid)
    return b"%c\x00\x00\x00" % tag + session.console_id.to_bytes(4, "little") + code[: suite.code_bytes]


STEPS: Final[Mapping[int, tuple[Payload, Step]]] = MappingProxyType(
    {
        Payload.OPEN_SESSION_REQUEST: (Payload.OPEN_SESSION_RESPONSE, open_session),
        Payload.RAKP_1: (Payload.RAKP_2, rakp_1),
        Payload.RAKP_3: (Payload.RAKP_4, rakp_3),
    }
)
"""Payload type of a request -> payload type of its answer, and who makes it."""


def _read_head(payload: bytes) -> tuple[int, int, int]:
    """Return message tag, level or status, and session id: how each of the three requests begins."""
    tag, second, session_id = _HEAD.unpack_from(payload)
    return tag, second, session_id


def _refuse(tag: int, status: Status, console_id: int) -> bytes:
    return b"%c%c\x00\x00" % (tag, status) + console_id.to_bytes(4, "little")


def _choose_suite(device: Device, payload: bytes) -> CipherSuite | Status:
    """Return the suite that is asked for. A proposal of length 0 leaves the algorithm to the BMC (13.17)."""
    if len(payload) != _OPEN_BYTES:
        return Status.ILLEGAL_PARAMETER
    wanted: list[int | None] = []
    for expected, (known, refusal) in enumerate(_KNOWN_ALGORITHMS):
        kind, length, number = _ALGORITHM.unpack_from(payload, _HEAD.size + expected * _ALGORITHM.size)
        if kind != expected or length not in {0, _ALGORITHM.size}:
            return Status.ILLEGAL_PARAMETER
        if length and number >= known:
            return refusal
        wanted.append(number if length else None)
    for suite in (SUITES[number] for number in device.settings.cipher_suites):
        if all(want in {None, have} for want, have in zip(wanted, suite.algorithms, strict=True)):
            return suite
    return Status.NO_SUITE_MATCH


def _identify(device: Device, session: Session, payload: bytes) -> Status:
    role, name_bytes, username = payload[24], payload[27], payload[_RAKP_1_BYTES:]
    if name_bytes > MAX_NAME_BYTES:
        return Status.INVALID_NAME_LENGTH
    if len(username) != name_bytes:
        return Status.ILLEGAL_PARAMETER
    user = device.users.find(username)
    if user is None:
        return Status.UNAUTHORIZED_NAME
    level = role & _ROLE_LEVEL
    if not Privilege.NONE < level <= min(user.privilege, device.settings.privilege):
        return Status.UNAUTHORIZED_ROLE
    session.console_nonce = payload[8:24]
    session.role, session.username, session.limit = role, username, Privilege(level)
    return Status.OK


def _is_proved(device: Device, session: Session, proof: bytes) -> bool:
    data = session.nonce + session.console_id.to_bytes(4, "little") + _role_and_name(session)
    return proof == session.suite.hmac(device.password_of(session.username), data)


def _role_and_name(session: Session) -> bytes:
    return b"%c%c" % (session.role, len(session.username)) + session.username
