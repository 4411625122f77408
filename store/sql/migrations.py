"""How the tables came to be: numbered steps, each one a transaction.

A new store is an empty one that is taken through all steps, so each start of a new store tests them. A step is frozen
once it has been released: it says in SQL what it did then, whatever the models say today. The SQL is that of SQLite and
PostgreSQL alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from castiron.store.errors import StoreUnusable, StoreUnwritable
from castiron.store.sql import queries
from castiron.store.sql.database import Database

FORMAT: Final = "castiron store"


@dataclass(frozen=True, slots=True)
class Step:
    """What takes a store from version - 1 to version."""

    version: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose a store is, as its one row of `tables.StoreInfo` says."""

    schema_version: int
    conductor: str
    key_id: str
    key_check: str


BASE: Final = """
    CREATE TABLE store (
        format TEXT NOT NULL PRIMARY KEY,
        schema_version BIGINT NOT NULL,
        conductor TEXT NOT NULL,
        key_id TEXT NOT NULL,
        key_check TEXT NOT NULL)
    """
"""Version 0: a store that knows who it is, and nothing else."""

STEPS: Final = (
    Step(
        1,
        (
            """
            CREATE TABLE nodes (
                uuid TEXT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                driver TEXT NOT NULL,
                driver_info TEXT NOT NULL,
                driver_secrets TEXT,
                secret_keys TEXT NOT NULL,
                bmc_address TEXT,
                properties TEXT NOT NULL,
                extra TEXT NOT NULL,
                power_state TEXT,
                power_state_at DOUBLE PRECISION,
                target_power_state TEXT,
                provision_state TEXT NOT NULL,
                target_provision_state TEXT,
                maintenance BOOLEAN NOT NULL,
                maintenance_reason TEXT,
                fault TEXT,
                last_error TEXT,
                power_state_change_timeout_s DOUBLE PRECISION,
                soft_power_off_timeout_s DOUBLE PRECISION,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION NOT NULL,
                owner TEXT NOT NULL,
                epoch BIGINT NOT NULL,
                revision BIGINT NOT NULL,
                node_seq BIGINT NOT NULL)
            """,
            """
            CREATE TABLE requests (
                id TEXT NOT NULL PRIMARY KEY,
                key TEXT,
                node_uuid TEXT NOT NULL,
                node_name TEXT NOT NULL,
                verb TEXT NOT NULL,
                arguments TEXT NOT NULL,
                argument_secrets TEXT,
                secret_keys TEXT NOT NULL,
                requester TEXT NOT NULL,
                state TEXT NOT NULL,
                accepted_at DOUBLE PRECISION NOT NULL,
                started_at DOUBLE PRECISION,
                ended_at DOUBLE PRECISION,
                deadline_at DOUBLE PRECISION,
                attempts BIGINT NOT NULL,
                progress TEXT NOT NULL,
                result TEXT,
                error TEXT,
                applied TEXT)
            """,
            "CREATE INDEX requests_by_age ON requests (accepted_at, id)",
            "CREATE INDEX requests_of_node ON requests (node_uuid, accepted_at, id)",
            "CREATE INDEX requests_by_state ON requests (state, ended_at)",
            """
            CREATE TABLE events (
                seq BIGINT NOT NULL PRIMARY KEY,
                node_seq BIGINT,
                type TEXT NOT NULL,
                at DOUBLE PRECISION NOT NULL,
                node_uuid TEXT,
                node_name TEXT,
                request_id TEXT,
                payload TEXT NOT NULL)
            """,
            "CREATE INDEX events_of_node ON events (node_uuid, seq)",
        ),
    ),
    Step(
        2,
        (
            """
            CREATE TABLE node_history (
                seq BIGINT NOT NULL PRIMARY KEY,
                node_seq BIGINT,
                type TEXT NOT NULL,
                at DOUBLE PRECISION NOT NULL,
                node_uuid TEXT,
                node_name TEXT,
                request_id TEXT,
                payload TEXT NOT NULL)
            """,
            "CREATE INDEX history_of_node ON node_history (node_uuid, node_seq)",
        ),
    ),
    Step(3, ("ALTER TABLE nodes ADD COLUMN power_check_interval_s DOUBLE PRECISION",)),
    Step(
        4,
        (
            "ALTER TABLE requests RENAME COLUMN deadline_at TO overdue_at",
            "ALTER TABLE requests ADD COLUMN policy TEXT NOT NULL DEFAULT 'strict'",
            "ALTER TABLE requests ADD COLUMN hold BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE requests ADD COLUMN on_restart TEXT NOT NULL DEFAULT 'resume'",
            "ALTER TABLE requests ADD COLUMN deadline_at DOUBLE PRECISION",
            "ALTER TABLE requests ADD COLUMN depends_on TEXT",
            "ALTER TABLE requests ADD COLUMN requesters TEXT NOT NULL DEFAULT '{}'",
            "ALTER TABLE requests ADD COLUMN merged BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE requests ADD COLUMN abort_by TEXT",
            """
            CREATE TABLE request_keys (
                key TEXT NOT NULL PRIMARY KEY,
                request_id TEXT NOT NULL)
            """,
            "CREATE INDEX keys_of_request ON request_keys (request_id)",
            "ALTER TABLE requests ADD COLUMN callbacks TEXT NOT NULL DEFAULT '{}'",
            """
            CREATE TABLE outbox (
                id TEXT NOT NULL PRIMARY KEY,
                request_id TEXT NOT NULL,
                url TEXT NOT NULL,
                owed_since DOUBLE PRECISION NOT NULL,
                body TEXT NOT NULL,
                attempts BIGINT NOT NULL,
                seq BIGINT NOT NULL)
            """,
            "CREATE INDEX outbox_of_request ON outbox (request_id)",
            "ALTER TABLE requests ADD COLUMN trace TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE requests ADD COLUMN error_code TEXT",
            "CREATE INDEX requests_by_error ON requests (error_code, accepted_at, id) WHERE error_code IS NOT NULL",
            # Lists are in the order of acceptance; what else they ask for stands in the index, so that rows which are
            # not wanted are not read: a trace makes a row some 1.5 KB.
            "DROP INDEX requests_by_age",
            "CREATE INDEX requests_by_age ON requests (accepted_at, id, ended_at, verb)",
            "DROP INDEX requests_by_state",
            "CREATE INDEX requests_by_state ON requests (state, accepted_at, id, ended_at)",
            "ALTER TABLE requests ADD COLUMN identity TEXT NOT NULL DEFAULT ''",
            # Without the claim in parentheses behind it: all that is left of the last one, and then that itself.
            """
            UPDATE requests SET identity = CASE WHEN requester LIKE '% (%)'
                THEN rtrim(rtrim(requester, replace(requester, '(', '')), ' (') ELSE requester END
            """,
            "CREATE INDEX requests_of_identity ON requests (identity, accepted_at, id, ended_at)",
            "ALTER TABLE outbox ADD COLUMN trace TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE outbox ADD COLUMN ended_at DOUBLE PRECISION",
            "CREATE INDEX outbox_owed ON outbox (owed_since, seq, id) WHERE ended_at IS NULL",
            "CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL",
            "ALTER TABLE nodes ADD COLUMN protected BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE nodes ADD COLUMN protected_reason TEXT",
            "ALTER TABLE nodes ADD COLUMN retired BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE nodes ADD COLUMN retired_reason TEXT",
            "ALTER TABLE nodes ADD COLUMN disable_power_off BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE nodes ADD COLUMN resource_class TEXT",
            "ALTER TABLE nodes ADD COLUMN traits TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE nodes ADD COLUMN lock TEXT",
            """
            CREATE TABLE runbooks (
                uuid TEXT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                description TEXT,
                traits TEXT NOT NULL,
                steps TEXT NOT NULL,
                step_secrets TEXT,
                extra TEXT NOT NULL,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION NOT NULL,
                revision BIGINT NOT NULL)
            """,
            "ALTER TABLE requests ADD COLUMN runbook TEXT",
            "ALTER TABLE nodes ADD COLUMN other_passwords TEXT",
            "ALTER TABLE nodes ADD COLUMN allocation_uuid TEXT",
            # Each names the other, in one commit: two nodes cannot have one allocation, nor two allocations one node.
            "CREATE UNIQUE INDEX nodes_allocated ON nodes (allocation_uuid) WHERE allocation_uuid IS NOT NULL",
            """
            CREATE TABLE allocations (
                uuid TEXT NOT NULL PRIMARY KEY,
                name TEXT UNIQUE,
                state TEXT NOT NULL,
                resource_class TEXT NOT NULL,
                traits TEXT NOT NULL,
                candidate_nodes TEXT NOT NULL,
                owner TEXT NOT NULL,
                requester TEXT NOT NULL,
                extra TEXT NOT NULL,
                node_uuid TEXT UNIQUE,
                error TEXT,
                deadline_at DOUBLE PRECISION,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION NOT NULL,
                revision BIGINT NOT NULL)
            """,
            "ALTER TABLE nodes ADD COLUMN sensor_data_interval_s DOUBLE PRECISION",
            "ALTER TABLE nodes ADD COLUMN alarms TEXT NOT NULL DEFAULT '{}'",
        ),
    ),
)


def found(database: Database, *, newest: int = STEPS[-1].version) -> Identity:
    """Return whose store this is.

    Raises:
        StoreUnusable: the file is damaged, is not a store, or was written by a newer castiron than this.
    """
    rows = database.rows(queries.info(FORMAT))
    if len(rows) != 1:
        raise StoreUnusable(f"{database.path} is not a castiron store. Choose another path for the store")
    _, version, conductor, key_id, key_check = rows[0]
    if version > newest:
        raise StoreUnusable(
            f"{database.path} has schema version {version}, and this castiron knows versions up to {newest}. "
            "Run the newer castiron that wrote it"
        )
    return Identity(schema_version=version, conductor=conductor, key_id=key_id, key_check=key_check)


def make(database: Database, identity: Identity, steps: Sequence[Step] = STEPS) -> None:
    """Turn an empty database into a store.

    Raises:
        StoreUnwritable: the disk does not let us.
    """
    with database.transaction():
        database.execute(BASE)
        database.execute(
            "INSERT INTO store (format, schema_version, conductor, key_id, key_check) VALUES (?, ?, ?, ?, ?)",
            (FORMAT, identity.schema_version, identity.conductor, identity.key_id, identity.key_check),
        )
    migrate(database, identity.schema_version, steps)


def migrate(database: Database, version: int, steps: Sequence[Step] = STEPS) -> None:
    """Take a store of `version` through the steps that it has not seen. What a step had begun is undone if it fails.

    Raises:
        StoreUnusable: a step failed; the store is as the step before left it.
    """
    for step in steps:
        if step.version <= version:
            continue
        try:
            with database.transaction():
                for statement in step.statements:
                    database.execute(statement)
                database.execute("UPDATE store SET schema_version = ?", (step.version,))
        except StoreUnwritable as error:
            raise StoreUnusable(
                f"the step to schema version {step.version} failed, and nothing of it was kept: {error}"
            ) from None
