"""The users of a BMC: ids, names, passwords that can be changed, privileges.

Source: IPMI v2.0, 22.26 to 22.30.
"""

from dataclasses import dataclass, field
from typing import Final

from castiron.testing.bmc import codes
from castiron.testing.bmc.codes import Privilege

MAX_USERS: Final = 10
"""User ids, as many real BMCs have; the first is the user without a name, who may not log in here."""
FIRST_ID: Final = 2
_LONG: Final = 20
_SHORT: Final = 16
_DISABLE, _ENABLE, _SET, _TEST = range(4)


@dataclass(slots=True)
class User:
    """One user."""

    name: bytes
    password: bytes = field(default=b"", repr=False)
    """Without the zeros that fill it up."""
    privilege: Privilege = Privilege.ADMINISTRATOR
    is_enabled: bool = True
    is_long: bool = False
    """The password is kept in the 20-byte form."""


class Users:
    """All users of one BMC, by id."""

    __slots__ = ("_by_id",)

    def __init__(self, first: User) -> None:
        self._by_id = {FIRST_ID: first}

    def get(self, number: int) -> User | None:
        """Return the user with this id; None for one that is not in use."""
        return self._by_id.get(number)

    def find(self, name: bytes) -> User | None:
        """Return the first user of this name who may log in."""
        return next((user for user in self._by_id.values() if user.name == name and user.is_enabled), None)

    def id_of(self, name: bytes) -> int:
        """Return the first id with this name; 0 for none."""
        return next((number for number, user in self._by_id.items() if user.name == name), 0)

    def count(self) -> int:
        """Return how many are enabled."""
        return sum(user.is_enabled for user in self._by_id.values())

    def add(self, user: User) -> int:
        """Give a user the first free id, and return it.

        Raises:
            ValueError: none is free.
        """
        free = [number for number in range(FIRST_ID, MAX_USERS + 1) if number not in self._by_id]
        if not free:
            raise ValueError(f"a BMC has {MAX_USERS} users at most")
        self._by_id[free[0]] = user
        return free[0]

    def set_name(self, number: int, name: bytes) -> bytes:
        """Name a user, and return the completion code."""
        if not FIRST_ID <= number <= MAX_USERS:
            return codes.INVALID_FIELD
        self._by_id.setdefault(number, User(b"", is_enabled=False)).name = name
        return codes.OK

    def change(self, data: bytes) -> bytes:
        """Answer Set User Password: set or test a password, enable or disable a user."""
        number, action, is_long = data[0] & 0x3F, data[1] & 0x03, bool(data[0] & 0x80)
        user = self.get(number)
        if user is None:
            return codes.INVALID_FIELD
        if action in {_DISABLE, _ENABLE}:
            user.is_enabled = action == _ENABLE
            return codes.OK
        if len(data) - 2 != (_LONG if is_long else _SHORT):
            return codes.LENGTH_INVALID
        password = data[2:].rstrip(b"\0")
        if action == _SET:
            user.password, user.is_long = password, is_long
            return codes.OK
        if is_long is not user.is_long:
            return codes.PASSWORD_SIZE
        return codes.OK if password == user.password else codes.PASSWORD_DIFFERS
