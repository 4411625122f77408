"""Is a store sound, and what is in it? Reads one state of it, changes nothing, and asks nobody to stop for that.

Beside SQLite's own check: the rules that hold at any moment, whatever was under way and whoever was killed. What is
found wrong is said in sentences; nothing is mended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from castiron.store import opening
from castiron.store.errors import SecretsUnreadable, StoreUnusable
from castiron.store.files import must_be_there
from castiron.store.secrets import KeyFile, Sealer
from castiron.store.sql import migrations, queries
from castiron.store.sql.database import Database
from castiron.store.sql.migrations import Identity
from castiron.store.sql.rows import Row, node_record, request_record
from castiron.store.sql.runbooks import runbook_record
from castiron.transport.vocabulary import ANNOUNCED, FINAL_REQUEST_STATES, RequestState

_LOCKS: Final = Path("/proc/locks")

MAX_TOLD: Final = 10
"""Findings of one rule that are told, and of SQLite's check: more only say the same again."""


def _values(words: Iterable[str]) -> str:
    """Return our own words as SQL has them."""
    return "VALUES " + ", ".join(f"('{word}')" for word in sorted(words))


OPEN: Final = frozenset(RequestState) - FINAL_REQUEST_STATES
"""States before the end."""

_WITH: Final = f"""
    WITH
    waiting(state) AS ({_values(OPEN)}),
    announced(verb) AS ({_values(ANNOUNCED)}),
    kept AS (SELECT request_id, type FROM events UNION ALL SELECT request_id, type FROM node_history),
    told AS (
        SELECT request_id, SUM(type LIKE '%.start') AS starts, SUM(type LIKE '%.end' OR type LIKE '%.error') AS ends
        FROM kept WHERE request_id IS NOT NULL AND type NOT LIKE 'node.step.%' GROUP BY request_id)
    """  # noqa: S608 - the words of two enumerations of ours
"""Words that the rules use: states before the end, verbs whose requests tell start and end in events, and of each
request how often that was told, its steps aside. What has left the ring may be in a node's history, or nowhere."""

RULES: Final[Mapping[str, str]] = {
    "the numbers of events have a hole between {0} and {1}": """
        SELECT MIN(seq), MAX(seq) FROM events HAVING COUNT(*) != MAX(seq) - MIN(seq) + 1
        """,
    "node {0} counts {1} events, and its latest has number {2}": """
        SELECT name, nodes.node_seq, MAX(events.node_seq) FROM nodes JOIN events ON events.node_uuid = nodes.uuid
        GROUP BY nodes.uuid HAVING MAX(events.node_seq) != nodes.node_seq
        """,
    "request {0} has not ended, and its node {1} is not known": """
        SELECT id, node_name FROM requests WHERE state IN waiting AND node_uuid NOT IN (SELECT uuid FROM nodes)
        """,
    "node {0} has {1} requests that run": """
        SELECT node_name, COUNT(*) FROM requests WHERE state = 'running' GROUP BY node_uuid HAVING COUNT(*) > 1
        """,
    "node {0} is on its way to {1}, and no request runs": """
        SELECT name, target_power_state FROM nodes WHERE target_power_state IS NOT NULL
        AND uuid NOT IN (SELECT node_uuid FROM requests WHERE state = 'running')
        """,
    "request {0} was told to start {1} times, and to end {2} times": """
        SELECT request_id, starts, ends FROM told WHERE starts > 1 OR ends > 1
        """,
    "request {0} has ended, and its end was not told": """
        SELECT id FROM requests JOIN told ON request_id = id WHERE starts = 1 AND ends = 0 AND state NOT IN waiting
        """,
    "request {0} has not ended, and its end was told": """
        SELECT id FROM requests JOIN told ON request_id = id WHERE ends > 0 AND state IN waiting
        """,
    "request {0} runs, and its start was not told": """
        SELECT id FROM requests WHERE state = 'running' AND verb IN announced
        AND started_at > (SELECT at FROM events ORDER BY seq LIMIT 1)
        AND id NOT IN (SELECT request_id FROM told WHERE starts > 0)
        """,
}
"""What is wrong, in words → what finds it, with the words of `_WITH`."""

HELD_RULES: Final[Mapping[str, str]] = {
    "node {0} names allocation {1}, which does not name it": """
        SELECT nodes.name, allocation_uuid FROM nodes LEFT JOIN allocations ON allocations.node_uuid = nodes.uuid
        WHERE allocation_uuid IS NOT NULL AND (allocations.uuid IS NULL OR allocations.uuid != allocation_uuid)
        """,
    "allocation {0} names node {1}, which does not name it": """
        SELECT allocations.uuid, node_uuid FROM allocations LEFT JOIN nodes ON nodes.uuid = node_uuid
        WHERE node_uuid IS NOT NULL AND (allocation_uuid IS NULL OR allocation_uuid != allocations.uuid)
        """,
    "allocation {0} is {1}, and its node is {2}": """
        SELECT uuid, state, COALESCE(node_uuid, 'none') FROM allocations WHERE (state = 'active') = (node_uuid IS NULL)
        """,
}
"""The same, of allocations and the nodes that they hold."""

_COUNTS: Final[Mapping[str, str]] = {
    "nodes": "SELECT COUNT(*) FROM nodes",
    "requests": "SELECT COUNT(*) FROM requests",
    "open_requests": f"SELECT COUNT(*) FROM requests WHERE state IN ({_values(OPEN)})",  # noqa: S608 - as above
    "runbooks": "SELECT COUNT(*) FROM runbooks",
    "allocations": "SELECT COUNT(*) FROM allocations",
    "events": "SELECT COUNT(*) FROM events",
    "history_events": "SELECT COUNT(*) FROM node_history",
    "oldest_seq": "SELECT COALESCE(MIN(seq), 0) FROM events",
    "latest_seq": "SELECT COALESCE(MAX(seq), 0) FROM events",
}

_LATER: Final[Mapping[str, int]] = {"history_events": 2, "runbooks": 4, "allocations": 4}
"""Of what is counted, what older stores do not have → the schema version that brought it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What a check has found."""

    findings: list[str]
    """What is wrong; empty: nothing."""
    secrets_read: int | None
    """Rows whose secrets were decrypted; None: no key file was there to try, or `older_version`."""
    older_version: int | None = None
    """The schema version of a store that an older castiron wrote: only its file was checked."""


def check(store: Path, key_path: Path | None) -> Checkup:
    """Check a store, or a backup of one; a conductor may be using it. Reads all of it.

    What a store says is checked by the rules of this castiron: one that an older castiron wrote has to be brought up to
    date first, which a conductor does when it starts.

    Args:
        store: the file.
        key_path: its key file; None: `<store>.key`, if that is there.

    Raises:
        StoreUnusable: it is not a store, or is newer than this program.
        SecretsUnreadable: a key file that was named cannot be read.
    """
    path = _store_at(store)
    key_file = KeyFile(key_path or path.with_name(f"{path.name}.key"))
    database = Database(path, read_only=True)
    try:
        with database.snapshot():
            findings = _damage(database)
            if findings:
                return Checkup(findings=findings, secrets_read=None)
            identity = migrations.found(database)
            if identity.schema_version < migrations.STEPS[-1].version:
                return Checkup(findings=[], secrets_read=None, older_version=identity.schema_version)
            findings = _broken_rules(database)
            if key_path is None and not key_file.exists():
                return Checkup(findings=findings, secrets_read=None)
            read, unreadable = _secrets(database, identity, key_file)
            return Checkup(findings=findings + unreadable, secrets_read=read)
    finally:
        database.close()


def describe(store: Path) -> dict[str, Any]:
    """Return what a store is and holds: whose, its version, sizes and counts, and who uses it.

    Raises:
        StoreUnusable: it is not a store, or is newer than this program.
    """
    path = _store_at(store)
    database = Database(path, read_only=True)
    try:
        with database.snapshot():
            identity = migrations.found(database)
            known = [name for name in _COUNTS if _LATER.get(name, 0) <= identity.schema_version]
            counts = {name: database.found(_COUNTS[name])[0][0] for name in known}
        return {
            "path": str(path),
            "conductor": identity.conductor,
            "schema_version": identity.schema_version,
            "key_id": identity.key_id,
            "size_bytes": database.size_bytes(),
            "wal_bytes": database.wal_bytes(),
            **counts,
            "in_use": _in_use(path),
        }
    finally:
        database.close()


def _store_at(store: Path) -> Path:
    path = store.resolve()
    must_be_there(path)
    return path


def _damage(database: Database) -> list[str]:
    try:
        told = [str(line) for (line,) in database.found(f"PRAGMA integrity_check({MAX_TOLD})")]
    except StoreUnusable as error:  # too damaged to be checked to the end
        return [str(error)]
    told += [f"a row of {table} points nowhere" for table, *_ in database.found("PRAGMA foreign_key_check")]
    return [] if told == ["ok"] else [line for line in told if line != "ok"]


def _broken_rules(database: Database) -> list[str]:
    findings: list[str] = []
    for words, sql in {**RULES, **HELD_RULES}.items():
        findings += [words.format(*row) for row in _ask(database, sql)[:MAX_TOLD]]
    return findings


def _secrets(database: Database, identity: Identity, key_file: KeyFile) -> tuple[int, list[str]]:
    sealer = Sealer(opening.key_of(identity, key_file, database.path))
    findings: list[str] = []
    read = 0
    for query, record in (
        (queries.nodes(), node_record),
        (queries.open_requests(), request_record),
        (queries.runbooks(), runbook_record),
    ):
        for row in database.rows(query):
            try:
                record(row, sealer)
                read += 1
            except SecretsUnreadable as error:
                findings.append(str(error))
    return read, findings[:MAX_TOLD]


def _ask(database: Database, sql: str) -> list[Row]:
    return database.found(f"{_WITH} {sql}")


def _in_use(path: Path) -> bool | None:
    """Return whether a process holds the store's lock; None: the system does not say.

    Looks at the kernel's list: to try the lock would keep out a conductor that starts at that moment.
    """
    try:
        inode = path.with_name(f"{path.name}.lock").stat().st_ino
        locks = _LOCKS.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return any("FLOCK" in line and f":{inode} " in line for line in locks)
