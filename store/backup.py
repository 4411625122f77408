"""A copy of a store, made while a conductor works on it: consistent, in one file, there whole or not at all.

Reads the store through a connection of its own, as one state of it: all that was committed before it began, nothing
that came later. Locks nobody out, so a conductor may start, stop or be killed meanwhile. The key file is no part of it:
whoever holds both can read the BMCs' passwords, so they belong in different places.
"""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from castiron.store.errors import StoreUnusable, StoreUnwritable
from castiron.store.files import StoreLock, is_store, must_be_there
from castiron.store.sql import migrations, queries
from castiron.store.sql.database import Database
from castiron.transport.vocabulary import EventSeq

PAGES: Final = 256
"""Copied at a time, 1 MiB: Ctrl-C is heard, and a progress line drawn, between two steps."""

SIDE_FILES: Final = ("-wal", "-journal", "-shm")
"""What SQLite keeps beside a database, and would take for a part of any file that has its name."""

Told = Callable[[int, int], None]
"""Told how many pages are left, and how many there are."""


def _nobody(left: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A backup."""

    path: Path
    size_bytes: int
    seq: EventSeq
    """The latest event that is in it."""
    conductor: str
    key_id: str
    """Of the key that its secrets are encrypted with; it is in the key file, not in the backup."""


def back_up(store: Path, target: Path, *, replace: bool = False, told: Told = _nobody) -> Copied:
    """Copy the store to a file that is readable by its owner alone. Blocks until it is on disk.

    A process that is killed here leaves nothing at `target` that was not there before; `<target>.partial` may stay, and
    the next backup to the same place replaces it.

    Args:
        store: the store; a conductor may be using it.
        target: the file to be made.
        replace: take the place of an earlier backup, which must be a castiron store.
        told: progress, after each step.

    Raises:
        StoreUnusable: there is no such store, it is damaged, or there must be no backup at `target`; see the message.
        StoreUnwritable: the disk does not let us.
    """
    source = store.resolve()
    must_be_there(source)
    _judge(source, target, replace=replace)
    database = Database(source, read_only=True)
    try:
        with _draft(target) as draft, database.snapshot():
            identity = migrations.found(database)
            seq = EventSeq(database.rows(queries.latest_seq())[0][0] or 0)
            database.copy_to(draft, pages=PAGES, told=told)
            _publish(draft, target, replace=replace)
    finally:
        database.close()
    size_bytes = target.stat().st_size
    return Copied(path=target, size_bytes=size_bytes, seq=seq, conductor=identity.conductor, key_id=identity.key_id)


def _judge(source: Path, target: Path, *, replace: bool) -> None:
    """Refuse a place where a backup would do harm.

    Raises:
        StoreUnusable: why.
    """
    if not target.parent.is_dir():
        raise StoreUnusable(f"{target} cannot be made: there is no folder {target.parent}. Make it first")
    if target.is_dir():
        raise StoreUnusable(f"{target} is a folder. Name a file in it")
    if target.exists() and target.samefile(source):
        raise StoreUnusable(f"{target} is the store itself. Name another file")
    for beside in SIDE_FILES:
        if target.with_name(f"{target.name}{beside}").exists():
            raise StoreUnusable(
                f"{target}{beside} exists, and SQLite would take it for a part of the backup. Name another file, or "
                "move it away if no program uses it"
            )
    if not os.path.lexists(target):
        return
    if not replace:
        raise _taken(target)
    is_store(target)  # nothing else is ever replaced
    if target.with_name(f"{target.name}.lock").exists():
        StoreLock(target).release()  # raises if a conductor uses it


@contextmanager
def _draft(target: Path) -> Generator[Path]:
    """Give the block an empty file beside the target, ours alone; whatever is still there afterwards is removed.

    Raises:
        StoreUnusable: another backup to this place is going on.
        StoreUnwritable: it cannot be made.
    """
    draft = target.with_name(f"{target.name}.partial")
    try:
        # One that was left by a process that was killed is taken over: its lock went with the process.
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreUnwritable(f"{draft} cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = draft.exists() and os.path.samestat(os.fstat(fd), draft.stat())
    except BlockingIOError:
        is_ours = False
    if not is_ours:
        os.close(fd)
        raise StoreUnusable(f"another backup to {target} is going on. Wait for it, or name another file")
    try:
        _remove_beside(draft)
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
        yield draft
    finally:
        _remove_beside(draft)
        draft.unlink(missing_ok=True)
        os.close(fd)


def _remove_beside(draft: Path) -> None:
    for beside in SIDE_FILES:
        draft.with_name(f"{draft.name}{beside}").unlink(missing_ok=True)


def _publish(draft: Path, target: Path, *, replace: bool) -> None:
    """Give the copy its name, once it is on disk."""
    try:
        _sync(draft, os.O_RDWR)
        if replace:
            draft.replace(target)
        else:
            os.link(draft, target)  # fails if somebody has made one meanwhile
        _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        if not replace:
            with suppress(OSError):  # whatever was linked is not known to be on disk
                if target.samefile(draft):
                    target.unlink()
        raise StoreUnwritable(f"{target} cannot be made: {error.strerror}") from None


def _taken(target: Path) -> StoreUnusable:
    return StoreUnusable(f"{target} exists. Name another file, or replace it with --force")


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
