"""Could a conductor open this store with this key, and what is its latest event? A look that changes and locks nothing.

Quick, whatever the size: what takes reading all of it is checkup's.
"""

from dataclasses import dataclass
from pathlib import Path

from castiron.store import files, opening
from castiron.store.secrets import KeyFile
from castiron.store.sql import migrations
from castiron.store.sql.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was seen of a store."""

    conductor: str
    schema_version: int
    newest_version: int
    """The schema that this castiron writes; a start brings an older store up to it."""
    latest_event_at: float | None
    """None: nothing has happened yet."""


def examine(store: Path, key_path: Path | None) -> Examined | None:
    """Look at a store that a conductor may be using; None: there is none, and one could be made.

    Args:
        store: the file.
        key_path: its key file; None: beside it.

    Raises:
        StoreUnusable: what is there is no store, is newer than this program, or cannot be read.
        SecretsUnreadable: the key file is missing, open to others, or not the store's.
    """
    if not files.is_store(store):
        return None
    path = store.resolve()
    database = Database(path, read_only=True)
    try:
        with database.snapshot():
            identity = migrations.found(database)
            latest = database.found("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
    finally:
        database.close()
    opening.key_of(identity, KeyFile(key_path or path.with_name(f"{path.name}.key")), path)
    return Examined(
        conductor=identity.conductor,
        schema_version=identity.schema_version,
        newest_version=migrations.STEPS[-1].version,
        latest_event_at=float(latest[0][0]) if latest else None,
    )
