"""A new key for a store: every secret is decrypted with the old one and encrypted with the new.

Safe to kill at any point: the new key joins the old one in the key file, then one transaction re-encrypts everything
and names the new key, then the old one leaves the file. A file with two keys is a rotation that was cut short; the
store says which of them it needs, and the next rotation tidies up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from castiron.store import opening
from castiron.store.files import must_be_there
from castiron.store.opening import Opened
from castiron.store.secrets import Key, KeyFile, Sealer
from castiron.store.sql import queries
from castiron.store.sql.database import Database
from castiron.store.sql.migrations import STEPS
from castiron.store.sql.queries import Query
from castiron.store.sql.rows import node_identity, request_identity
from castiron.store.sql.runbooks import runbook_identity

_PAGE: Final = 1_000
"""Rows in memory at a time."""


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Where a table keeps its secrets, and for whom they are sealed."""

    page: Callable[[str, int], Query]
    identity: Callable[[str], str]
    update: str


_SECRETS: Final = (
    _Secrets(queries.node_secrets, node_identity, "UPDATE nodes SET driver_secrets = ? WHERE uuid = ?"),
    _Secrets(queries.node_passwords, node_identity, "UPDATE nodes SET other_passwords = ? WHERE uuid = ?"),
    _Secrets(queries.request_secrets, request_identity, "UPDATE requests SET argument_secrets = ? WHERE id = ?"),
    _Secrets(queries.runbook_secrets, runbook_identity, "UPDATE runbooks SET step_secrets = ? WHERE uuid = ?"),
)


def rotate(store_path: Path, key_path: Path | None, *, new_id: Callable[[], str]) -> int:
    """Give the store a new key and return how many secrets were encrypted anew. Blocks until it is on disk.

    Args:
        store_path: the store.
        key_path: its key file; None: `<store_path>.key`.
        new_id: makes the key's id.

    Raises:
        StoreUnusable: there is no such store, a conductor has it, or it is damaged.
        SecretsUnreadable: the key file is not the store's, or a secret does not open with it. Nothing has changed.
        StoreUnwritable: the disk does not let us. The store is as it was; the key file may hold a second key.
    """
    path = store_path.resolve()
    key_file = KeyFile(key_path or path.with_name(f"{path.name}.key"))
    must_be_there(path)
    opened = opening.open_file(path, key_file, new_id, STEPS)
    try:
        new = Key.make(new_id())
        key_file.replace((new, opened.key))
        count = _reencrypt(opened, new)
        key_file.replace((new,))
    finally:
        opened.close()  # which empties the write-ahead log too, so that nothing is left that the old key opens
    return count


def _reencrypt(opened: Opened, new: Key) -> int:
    database = opened.database
    old_sealer, new_sealer = Sealer(opened.key), Sealer(new)
    with database.transaction():
        count = sum(_reencrypt_table(database, secrets, old_sealer, new_sealer) for secrets in _SECRETS)
        check = opening.check_text(opened.identity.conductor, new)
        database.execute("UPDATE store SET key_id = ?, key_check = ?", (new.id, check))
    return count


def _reencrypt_table(database: Database, secrets: _Secrets, old: Sealer, new: Sealer) -> int:
    count, after = 0, ""
    while page := database.rows(secrets.page(after, _PAGE)):
        named = [(secrets.identity(row_id), row_id, sealed) for row_id, sealed in page]
        count += database.execute_many(
            secrets.update, [(new.seal(row, old.open(row, sealed)), row_id) for row, row_id, sealed in named]
        )
        after = page[-1][0]
    return count
