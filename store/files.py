"""Files before they are databases: is this path a store, may we have it, and how a new one appears.

Nothing here opens a database, so that a file which is not ours is refused without a byte of it, or beside it, changed.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from castiron.store.errors import StoreUnusable

APPLICATION_ID: Final = 0x63617374
"""Stands in the header of each store (SQLite's PRAGMA application_id): "cast" in ASCII."""

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_APPLICATION_ID_AT: Final = slice(68, 72)
_ELSEWHERE: Final = "Choose another path for the store, or move this out of the way"


def is_store(path: Path) -> bool:
    """Return whether there is a store at the path; False if nothing is there and one could be made.

    Raises:
        StoreUnusable: what is there is not a store, cannot be read, or the directory does not exist.
    """
    if not path.exists():
        if not path.parent.is_dir():
            raise StoreUnusable(f"{path} cannot be made: there is no directory {path.parent}. Make it first")
        return False
    if not path.is_file():
        raise StoreUnusable(f"{path} is not a file. {_ELSEWHERE}")
    header = _header(path)
    if not header:
        raise StoreUnusable(f"{path} is empty, so it is not a castiron store, or what was left of one. {_ELSEWHERE}")
    if not header.startswith(_SQLITE_MAGIC):
        raise StoreUnusable(f"{path} is not a castiron store. {_ELSEWHERE}")
    if header[_APPLICATION_ID_AT] != APPLICATION_ID.to_bytes(4, "big"):
        raise StoreUnusable(f"{path} is an SQLite database, but not a castiron store. {_ELSEWHERE}")
    return True


def must_be_there(path: Path) -> None:
    """Refuse a path at which there is no store.

    Raises:
        StoreUnusable: nothing is there, or something that is not a store.
    """
    if not path.exists() or not is_store(path):
        raise StoreUnusable(f"there is no store at {path}. Name the one that the conductor uses with --store")


def _header(path: Path) -> bytes:
    try:
        with path.open("r+b") as file:  # for writing too: SQLite itself would open it read-only and tell much later
            return file.read(_HEADER_BYTES)
    except OSError as error:
        raise StoreUnusable(
            f"{path} cannot be read and written: {error.strerror}. The conductor needs a store that it may write"
        ) from None


@contextmanager
def appearing(path: Path) -> Generator[Path]:
    """Give the block an empty file to fill, readable by its owner alone; it becomes `path` when the block has ended.

    So a store is there whole or not at all. A file left by a process that was killed in the block is replaced.

    Raises:
        StoreUnusable: the directory cannot be written, or the path has been taken meanwhile.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield draft
            _sync(draft, os.O_RDWR)
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreUnusable(
            f"{path} cannot be made: {error.strerror}. Choose a directory that can be written"
        ) from None


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class StoreLock:
    """Says that a store is in use: an flock on `<store>.lock`, which also tells by whom.

    The kernel lets go of it when the process ends, however it ends. The file itself stays: to remove it would let two
    processes hold locks on two files of the same name.

    Raises:
        StoreUnusable: another has it, or the file cannot be made.
    """

    def __init__(self, store: Path) -> None:
        path = store.with_name(f"{store.name}.lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"{store} cannot be used: {path} cannot be written ({error.strerror}). "
                "The conductor needs a directory that it may write"
            ) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreUnusable(
                f"{store} is in use by process {holder}. Stop it, or choose another path for this store"
            ) from None
        except OSError as error:
            os.close(self._fd)
            raise StoreUnusable(f"{store} cannot be locked: {error.strerror}") from None

    def release(self) -> None:
        """Let others have the store. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
