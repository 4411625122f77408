"""The allow-list: whose public keys a conductor lets in, and in which role. A small JSON file beside the store.

    {"version": 1, "keys": [{"name": "alice", "role": "operator", "public_key": "…", "allowed_at": 1760000000.0}]}

A list is read whole or not at all, and written whole: a draft, fsync, rename, under a lock on its folder. Who is in it
is decided by people, with `castiron keys`; what follows from it is the front door's business.
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from castiron.transport.errors import KeyUnusable
from castiron.transport.keys.certificate import FOLDER_MODE, SECRET_MODE, is_public_key
from castiron.transport.verbs.arguments import NAME_PATTERN
from castiron.transport.vocabulary import Role

MAX_KEYS: Final = 1_000
"""Entries of a list: people and programs of a site; 150 KB that are compared every second."""

MAX_NAME: Final = 64
"""Characters of a key's name: it stands in each request and event."""

MAX_FILE_BYTES: Final = 1_048_576
"""Of the file: five times a full list."""

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

_RANK: Final = {role: rank for rank, role in enumerate(Role)}


def is_name(text: str) -> bool:
    """Return whether a key may be called so."""
    return len(text) <= MAX_NAME and re.match(NAME_PATTERN, text) is not None


def includes(role: Role, needed: Role) -> bool:
    """Return whether a role includes another, as each includes those before it."""
    return _RANK[role] >= _RANK[needed]


class Allowed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that is let in."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN, max_length=MAX_NAME)]
    """Whose it is: what requests, events and the log say. Unique in the list."""
    role: Role
    public_key: str
    """Z85 text. Unique in the list."""
    allowed_at: float = 0.0
    """Seconds since 1970-01-01 UTC."""


def changed(entry: Allowed, *, role: Role) -> Allowed:
    """Return an entry in another role."""
    return replace(entry, role=role)


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: Annotated[list[Allowed], Meta(max_length=MAX_KEYS)]


class AllowList:
    """Keys that are let in. Never changes; iterates in the order of their names."""

    def __init__(self, entries: Iterable[Allowed] = ()) -> None:
        """Take the entries.

        Raises:
            ValueError: two have the same name or key, one is not a key, or there are too many.
        """
        ordered = sorted(entries, key=lambda entry: entry.name)
        self._by_key: Final = {entry.public_key: entry for entry in ordered}
        self._by_name: Final = {entry.name: entry for entry in ordered}
        if len(ordered) > MAX_KEYS:
            raise ValueError(f"it has {len(ordered)} keys, and the limit is {MAX_KEYS}")
        if wrong := next((entry.name for entry in ordered if not is_public_key(entry.public_key)), None):
            raise ValueError(f"the public key of {wrong} is not 40 characters of Z85")
        if not len(ordered) == len(self._by_name) == len(self._by_key):
            raise ValueError("two of its entries have the same name, or the same key")

    def __iter__(self) -> Iterator[Allowed]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def owner(self, public_key: str) -> Allowed | None:
        """Return whose key it is; None: nobody's who is let in."""
        return self._by_key.get(public_key)

    def named(self, name: str) -> Allowed | None:
        """Return the entry of that name."""
        return self._by_name.get(name)

    def keys(self) -> frozenset[str]:
        """Return all public keys."""
        return frozenset(self._by_key)

    def with_entry(self, entry: Allowed) -> "AllowList":
        """Return the list with an entry, in place of one of the same name. Raises as __init__."""
        return AllowList([*(other for other in self if other.name != entry.name), entry])

    def without(self, name: str) -> "AllowList":
        """Return the list without the entry of that name."""
        return AllowList(other for other in self if other.name != name)


def allow_list_beside(store: Path) -> Path:
    """Return where the allow-list of a conductor is that was told nothing else."""
    return store.with_name(f"{store.name}.allow.json")


def load_bytes(path: Path) -> bytes:
    """Return what is in the file.

    Raises:
        KeyUnusable: it is missing or cannot be read, is too large, or others may write it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as failure:
        advice = "`castiron keys allow` makes it."
        raise _unusable(path, f"cannot be read: {failure.strerror}. {advice}") from None
    if mode & _OTHERS_WRITE:
        raise _unusable(path, f"may be changed by others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}")
    if len(content) > MAX_FILE_BYTES:
        raise _unusable(path, f"is larger than {MAX_FILE_BYTES} bytes.")
    return content


def parse(content: bytes, path: Path) -> AllowList:
    """Read a list.

    Raises:
        KeyUnusable: it is not one; the message says what is wrong with it, and where.
    """
    try:
        return AllowList(msgspec.json.decode(content, type=_File).keys)
    except ValueError as wrong:  # msgspec's errors are ValueErrors, too
        raise _unusable(path, f"is not an allow-list: {wrong}. Nothing of it was taken.") from None


def read_allow_list(path: Path) -> AllowList:
    """Return the list in a file. Raises as `load_bytes` and `parse`."""
    return parse(load_bytes(path), path)


def change_allow_list(path: Path, change: Callable[[AllowList], AllowList]) -> AllowList:
    """Change the list in a file, which is made if it is missing; return it as it is then.

    Two that change it at once take turns, so neither's change is lost. If `change` raises, nothing is changed.

    Raises:
        KeyUnusable: it cannot be read or written; it is as it was.
    """
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with _turn(path.parent):
            before = read_allow_list(path) if path.exists() else AllowList()
            after = change(before)
            _write(path, after)
    except OSError as failure:
        raise _unusable(path, f"cannot be written: {failure.strerror}.") from None
    return after


def _write(path: Path, allowed: AllowList) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # left by a process that was killed here
    content = msgspec.json.format(msgspec.json.encode(_File(version=1, keys=list(allowed))), indent=2)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE), "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _turn(folder: Path) -> Generator[None]:
    """Have the folder's list for oneself; at the end its entries are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, what: str) -> KeyUnusable:
    return KeyUnusable(f"The allow-list {path} {what}", details={"path": str(path)})
