"""One connection to a store: peewee inside, types and the store's own errors outside.

The only place that knows which errors SQLite and peewee raise, and how the connection is set up. What is asked and
written is said elsewhere (store, statements). A connection may be used from any thread, one at a time: each use holds
its lock.
"""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final, cast

import peewee

from castiron.store.errors import (
    DuplicateAllocation,
    DuplicateNode,
    StaleAllocation,
    StaleRevision,
    StoreClosed,
    StoreError,
    StoreUnusable,
    StoreUnwritable,
    UnstorableValue,
)
from castiron.store.sql.rows import Row

BUSY_TIMEOUT_S: Final = 5
"""How long a commit waits for somebody who has the file open by hand (a backup, a sqlite3 shell)."""

MAX_WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
"""What the write-ahead log is cut back to after a burst."""

_PRAGMAS: Final = (
    ("journal_mode", "wal"),  # readers do not wait for the writer, nor the writer for them
    ("synchronous", "full"),  # a commit that was reported survives a power cut
    ("secure_delete", "on"),  # what was sealed with a retired key does not linger in freed pages
    ("journal_size_limit", MAX_WAL_KEPT_BYTES),
)

_READER_PRAGMAS: Final = (("query_only", "on"),)

_UNREADABLE: Final = (peewee.DatabaseError, sqlite3.DatabaseError)
"""What reading raises: peewee's error where a statement begins, SQLite's own where its rows are fetched."""

_UNSTORABLE: Final = (sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError, UnicodeEncodeError)
"""What a value raises that SQLite cannot bind: an object, an integer beyond 64 bits, half a surrogate pair."""


class _SQLite(peewee.SqliteDatabase):
    """peewee's, but it does not undo a transaction that SQLite has undone already, as it does when the disk is full.

    Without this the error that is reported is "no transaction is active", not the one that matters.
    """

    def rollback(self) -> None:
        connection: sqlite3.Connection = cast("Any", self).connection()
        if connection.in_transaction:
            super().rollback()


class Database:
    """An open connection.

    Args:
        path: the file; it must exist. None: a new one in memory.
        read_only: refuse every change, and take the file as it is.

    Raises:
        StoreUnusable: SQLite cannot open it, or cannot set it up.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path: Final = path
        self.lock: Final = RLock()
        pragmas = _READER_PRAGMAS if read_only else _PRAGMAS
        self._peewee: Final[Any] = _SQLite(
            ":memory:" if path is None else str(path),
            pragmas=pragmas,
            timeout=BUSY_TIMEOUT_S,
            thread_safe=False,  # one connection, not one a thread; the lock above keeps its users apart
            check_same_thread=False,
            autoconnect=False,
        )
        try:
            self._peewee.connect()
        except peewee.DatabaseError as error:
            raise self._unusable(error) from None
        self._file: Final = _file_at(path)

    def rows(self, query: peewee.BaseQuery) -> list[Row]:
        """Return what the query finds, as tuples.

        Raises:
            StoreClosed: the connection is closed.
            StoreUnusable: the file is damaged or cannot be read.
        """
        with self.lock:
            self._check_open()
            try:
                found: list[Row] = self._peewee.execute(query).fetchall()
            except _UNREADABLE as error:
                raise self._unusable(error) from None
        return found

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Do all of the block or nothing; holds the lock. An exception undoes it.

        Raises:
            StoreClosed: the connection is closed.
            StoreUnwritable: it cannot begin, or cannot be committed. Nothing was written.
        """
        with self.lock:
            self._check_open()
            self._check_there()
            try:
                with self._peewee.atomic("IMMEDIATE"):
                    yield
            except peewee.DatabaseError as error:
                raise self._unwritable(error) from None

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """See the database as it is now until the block has ended, whatever others commit meanwhile; holds the lock.

        Nobody waits for it; but the write-ahead log cannot be cut back meanwhile, and grows.

        Raises:
            StoreClosed: the connection is closed.
            StoreUnusable: the file is damaged or cannot be read.
        """
        with self.lock:
            self._check_open()
            try:
                self._peewee.execute_sql("BEGIN")
                self._peewee.execute_sql("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # a look makes the snapshot
            except _UNREADABLE as error:
                raise self._unusable(error) from None
            try:
                yield
            finally:
                self._peewee.execute_sql("ROLLBACK")

    def found(self, sql: str, row: Row = ()) -> list[Row]:
        """Return what a statement finds. Raises as `rows`."""
        with self.lock:
            self._check_open()
            try:
                found: list[Row] = self._peewee.execute_sql(sql, row).fetchall()
            except _UNREADABLE as error:
                raise self._unusable(error) from None
        return found

    def copy_to(self, path: Path, *, pages: int, told: Callable[[int, int], None]) -> None:
        """Copy the database as it is now into an empty file, so many pages at a time.

        Inside a `snapshot`: otherwise each commit of somebody else would make the copy begin anew. The copy is one
        file, complete in itself, and has been read once and found sound.

        Args:
            told: how many pages are left, and how many there are, after each step.

        Raises:
            StoreUnwritable: the copy cannot be written.
            StoreUnusable: the database cannot be read, or the copy is not sound.
        """
        connection: sqlite3.Connection = self._peewee.connection()
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode = off")  # what is left of a copy that was cut short is thrown away
                connection.backup(copy, pages=pages, progress=lambda _, left, total: told(left, total))
                copy.execute("PRAGMA journal_mode = delete")  # or a second file would belong to it
                (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            raise StoreUnwritable(f"{path} cannot be written: {error_text(error)}") from None
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None
        if verdict != "ok":
            raise StoreUnusable(f"{self._name()} is damaged ({verdict}). Restore it from an earlier backup")

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Within a transaction: do all of the block or nothing of it, and let the transaction live."""
        self.execute("SAVEPOINT one_change")
        try:
            yield
        except BaseException:
            if self._peewee.connection().in_transaction:  # a full disk may have ended it
                self.execute("ROLLBACK TO one_change")
                self.execute("RELEASE one_change")
            raise
        self.execute("RELEASE one_change")

    def execute(self, sql: str, row: Row = ()) -> int:
        """Run one statement and return how many rows it changed. Raises as `execute_many`."""
        return self._changed("execute", sql, row)

    def execute_many(self, sql: str, rows: Sequence[Row]) -> int:
        """Run a statement for each row, in order, and return how many rows it changed in all.

        Raises:
            DuplicateNode: a node's uuid or name is taken.
            StaleRevision: a runbook's is.
            DuplicateAllocation: an allocation's uuid or name is taken, or another has its node.
            UnstorableValue: a value is not of a type that the database takes.
            StoreUnwritable: the disk or the file does not let us.
            StoreClosed: the connection is closed.
        """
        return self._changed("executemany", sql, rows)

    def size_bytes(self) -> int:
        """Return what the database takes: file and write-ahead log, or memory; 0: the file is not there any more."""
        if self.path is None:
            return int(self.pragma("page_count") * self.pragma("page_size"))
        return _bytes_at(self.path) + self.wal_bytes()

    def wal_bytes(self) -> int:
        """Return what the write-ahead log takes; 0 in memory, where there is none."""
        if self.path is None:
            return 0
        return _bytes_at(self.path.with_name(f"{self.path.name}-wal"))

    def fold_log(self) -> None:
        """Copy the write-ahead log back into the file, as far as nobody reads it; nobody waits for that. Idempotent.

        Otherwise the commit that finds 1,000 pages in the log does so while it holds the connection: 55 ms at worst
        where a thousand rows are being removed, on a machine with nothing else to do. Nothing to do in memory.

        Raises:
            StoreClosed: the connection is closed.
            StoreUnwritable: the disk does not let us. Nothing is lost: a later commit does it.
        """
        if self.path is None:
            return
        with self.lock:
            self._check_open()
            try:
                self._peewee.execute_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except _UNREADABLE as error:
                raise self._unwritable(error) from None

    def pragma(self, name: str, value: int | str | None = None) -> Any:
        """Return a setting of SQLite's, after changing it to `value` if there is one.

        Raises:
            StoreClosed: the connection is closed.
            StoreUnusable: the file is damaged.
        """
        with self.lock:
            self._check_open()
            try:
                return self._peewee.pragma(name) if value is None else self._peewee.pragma(name, value)
            except peewee.DatabaseError as error:
                raise self._unusable(error) from None

    def close(self) -> None:
        """Close the connection, after what is under way. Idempotent."""
        with self.lock:
            self._peewee.close()

    def _changed(self, method: str, sql: str, rows: Sequence[Any]) -> int:
        with self.lock:
            self._check_open()
            try:
                count: int = getattr(self._peewee.cursor(), method)(sql, rows).rowcount
            except (sqlite3.Error, *_UNSTORABLE) as error:
                raise self._refused(error) from None
        return count

    def _check_open(self) -> None:
        if self._peewee.is_closed():
            raise StoreClosed("the store is closed")

    def _check_there(self) -> None:
        """Refuse to write into a file that nobody can find any more: SQLite would, and it would be gone at the end."""
        if self._file is not None and _file_at(self.path) != self._file:
            raise StoreUnwritable(
                f"{self._name()} is not there any more: it was removed, moved or replaced. Put it back as it was, or "
                "restore it from a backup and restart the conductor"
            )

    def _refused(self, error: Exception) -> StoreError:
        if "UNIQUE constraint failed: nodes.allocation_uuid" in str(error):
            return StaleAllocation("the allocation has another node")
        if "UNIQUE constraint failed: nodes." in str(error):
            return DuplicateNode("a node with that uuid or name exists")
        if "UNIQUE constraint failed: runbooks." in str(error):
            return StaleRevision("a runbook with that uuid or name exists")
        if "UNIQUE constraint failed: allocations." in str(error):
            return DuplicateAllocation("an allocation with that uuid, name or node exists")
        if isinstance(error, _UNSTORABLE) or "NOT NULL constraint" in str(error):
            return UnstorableValue(f"a value cannot be stored: {error}")
        return self._unwritable(error)

    def _unwritable(self, error: Exception) -> StoreUnwritable:
        return StoreUnwritable(f"{self._name()} cannot be written: {error_text(error)}")

    def _unusable(self, error: Exception) -> StoreUnusable:
        # An operational error is the world's (locked, no rights, no space); any other means that the content is wrong.
        remedy = (
            "See that the conductor may read and write it, and that nothing else holds it"
            if isinstance(error, (peewee.OperationalError, sqlite3.OperationalError))
            else "Restore it from a backup, or choose another path"
        )
        return StoreUnusable(f"{self._name()} cannot be used: {error_text(error)}. {remedy}")

    def _name(self) -> str:
        return "the store in memory" if self.path is None else str(self.path)


def _bytes_at(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _file_at(path: Path | None) -> tuple[int, int] | None:
    """Return which file is there, whatever it is called; (0, 0): none. None: in memory, or the system does not say."""
    if path is None:
        return None
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, 0
    except OSError:
        return None
    return found.st_dev, found.st_ino


def error_text(error: Exception) -> str:
    """Return what SQLite says, without what peewee puts around it."""
    return str(error.args[-1]) if error.args else type(error).__name__
