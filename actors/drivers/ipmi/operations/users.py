"""The BMC's users: whose id a name is, and their passwords. Pure; a password stands in one request and nowhere else.

    what            request (network function 0x06)                      answer, after the completion code
    how many        0x44, channel 0x0E (this one), user id 1             most ids in 6 bits, …
    name            0x46, user id                                        16 bytes, filled up with zeros
    set a password  0x47, user id (| 0x80: 20 bytes), 2, password        -
    check it        0x47, user id (| 0x80: 20 bytes), 3, password        0x80 differs; 0x81 kept in the other size

Source: IPMI v2.0, 22.27 Get User Access, 22.29 Get User Name, 22.30 Set User Password.
"""

from collections.abc import Generator
from typing import Final

from castiron.actors.drivers.findings import PasswordCheck
from castiron.actors.drivers.ipmi.sessions.codes import APP
from castiron.actors.drivers.ipmi.sessions.exchange import Answer, Request, Steps, Unable, needed

_THIS_CHANNEL: Final = 0x0E
_NOBODY: Final = 1
"""The id of the user without a name, on every BMC."""
_NAME_BYTES: Final = 16
_SHORT, _LONG = 16, 20
_IS_LONG: Final = 0x80
_SET, _CHECK = 2, 3
_DIFFERS, _OTHER_SIZE = 0x80, 0x81


def set_password(user: str, password: str) -> Steps:
    """Change the password of the user with this name."""
    number = yield from _find(user)
    request = _password(number, _SET, password, _size(password))
    needed(request, (yield request))
    return None


def check_password(user: str, password: str) -> Steps:
    """Ask whether it is the password of the user with this name."""
    number = yield from _find(user)
    size = _size(password)
    request = _password(number, _CHECK, password, size)
    answer = yield request
    if answer.code == _OTHER_SIZE and size == _SHORT:
        request = _password(number, _CHECK, password, _LONG)
        answer = yield request
    if answer.code in {_DIFFERS, _OTHER_SIZE}:
        return PasswordCheck.DIFFERS
    needed(request, answer)
    return PasswordCheck.MATCHES


def _find(user: str) -> Generator[Request, Answer, int]:
    """Return the id of the one user with this name. At most 64 exchanges."""
    request = Request(APP, 0x44, bytes([_THIS_CHANNEL, _NOBODY]))
    id_count = needed(request, (yield request), length=1)[0] & 0x3F
    if not user:
        return _NOBODY
    found: list[int] = []
    for number in range(_NOBODY + 1, id_count + 1):
        request = Request(APP, 0x46, bytes([number]))
        answer = yield request
        # Some BMCs refuse to name an id that nobody has.
        if answer.code == 0 and answer.data[:_NAME_BYTES].rstrip(b"\0") == user.encode():
            found.append(number)
    if len(found) != 1:
        raise Unable(f"has {len(found) or 'no'} users named {user!r}; one is needed")
    return found[0]


def _password(number: int, action: int, password: str, size: int) -> Request:
    kept = number | (_IS_LONG if size == _LONG else 0)
    data = bytes([kept, action]) + password.encode().ljust(size, b"\0")
    return Request(APP, 0x47, data, acts=action == _SET)


def _size(password: str) -> int:
    return _SHORT if len(password.encode()) <= _SHORT else _LONG
