"""A folder with key pairs and an allow-list, as a site has it: for tests of conductors that take keys."""

from collections.abc import Callable
from pathlib import Path

from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.guard import Guard
from castiron.transport.keys.allowlist import Allowed, AllowList, change_allow_list
from castiron.transport.keys.certificate import Made, make_pair, read_pair
from castiron.transport.keys.follower import Follower
from castiron.transport.keys.protection import ClientKeys
from castiron.transport.vocabulary import Role
from tests.support.deadline import until

LOOK_S = 0.02
"""Between two looks at the list: fifty times as often as in earnest."""


class Keyring:
    """Pairs by name, made when they are first asked for; that of the conductor is "server"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.allow_path = folder / "allow.json"
        self.change(lambda allowed: allowed)

    def made(self, name: str) -> Made:
        secret = self.folder / f"{name}.key_secret"
        if not secret.exists():
            return make_pair(self.folder, name)
        return Made(read_pair(secret).public, self.folder / f"{name}.key", secret)

    def secret(self, name: str) -> Path:
        return self.made(name).secret_path

    def public(self, name: str) -> str:
        return self.made(name).public

    def keys(self, name: str, server: str = "server") -> ClientKeys:
        return ClientKeys(read_pair(self.secret(name)), self.public(server))

    def allow(self, name: str, role: Role = Role.ADMIN, *, key: str | None = None) -> None:
        entry = Allowed(name=name, role=role, public_key=self.public(key or name))
        self.change(lambda allowed: allowed.with_entry(entry))

    def revoke(self, name: str) -> None:
        self.change(lambda allowed: allowed.without(name))

    def guard(self) -> Guard:
        return Guard(read_pair(self.secret("server")), Follower(self.allow_path, look_s=LOOK_S))

    def change(self, how: Callable[[AllowList], AllowList]) -> None:
        change_allow_list(self.allow_path, how)


def follows(door: FrontDoor, count: int) -> None:
    """Wait until a conductor has so many keys in its list."""
    until(lambda: door.counters()["keys_allowed"] == count, timeout_s=20.0)
