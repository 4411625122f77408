"""`castiron store`: the conductor's file: copied while it is in use, checked, described; its open requests dropped."""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import click

from castiron.cli.configuration import key_file_of, store_of
from castiron.cli.options import Command, Group, is_terminal, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, sentence, tell
from castiron.cli.output.render import show_json, show_record, word
from castiron.transport.errors import CastironError, RequestCancelled, RequestInterrupted
from castiron.transport.vocabulary import Applied, Instant

if TYPE_CHECKING:
    from castiron.store.checkup import Checkup
    from castiron.store.records import RequestRecord

_MIB: Final = 1_048_576

_store_option = click.option(
    "--store", type=click.Path(path_type=Path), metavar="PATH", help="The SQLite file. [default: as `castiron serve`]"
)


@click.group("store", cls=Group)
def store() -> None:
    """Back up, check and describe the file that a conductor keeps everything in, which may be running meanwhile."""


@store.command("backup", cls=Command)
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@_store_option
@click.option("--force", is_flag=True, help="Replace FILE if it is an earlier backup.")
def _backup(target: Path, store: Path | None, *, force: bool) -> None:
    """Copy the store to FILE, as it is now; the conductor goes on meanwhile, and waits for nothing.

    FILE appears when it is complete and on disk. The KEY FILE IS NOT IN IT: without it, nobody can read the BMCs'
    passwords. Keep a copy of it in another place. To restore: `castiron serve --store FILE --key-file KEYFILE`, FILE
    being a copy of the backup, and the old conductor stopped for good.
    """
    from castiron.store.backup import back_up  # noqa: PLC0415 - peewee and cryptography: 100 ms

    with _told():
        copied = back_up(store_of(store, os.environ), target, replace=force, told=_progress)
    if shared().is_json:
        return show_json({**asdict(copied), "path": str(copied.path), "has_key": False})
    size = f"{copied.size_bytes / _MIB:,.1f} MiB"
    click.echo(f"{copied.path}: {size}, all up to event {copied.seq}, of conductor {copied.conductor}")
    tell(f"the key file is NOT in the backup. Keep key {copied.key_id} in another place: without it no password opens.")
    return None


@store.command("check", cls=Command)
@_store_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Try whether its key opens the secrets. [default: beside the store, .key, if it is there]",
)
def _check(store: Path | None, key_file: Path | None) -> int:
    """Check a store, or a backup of one: is the file sound, does what it says fit together, does the key open it?

    Changes nothing. Exits with 65 if something is wrong.
    """
    from castiron.store.checkup import check  # noqa: PLC0415 - as above

    path = store_of(store, os.environ)
    key_path = key_file_of(key_file, os.environ if store is None else {})
    with _told():
        result = check(path, key_path)
    if shared().is_json:
        show_json({"store": str(path), **asdict(result)})
    else:
        for finding in result.findings:
            click.echo(f"{path}: {finding}")
        if not result.findings:
            click.echo(f"{path}: sound; {_checked_besides(result)}")
    return Exit.BAD_DATA if result.findings else Exit.OK


def _checked_besides(result: "Checkup") -> str:
    if result.older_version is not None:
        version = result.older_version
        return f"an older castiron wrote it (schema version {version}): the rest is checked after a start of this one"
    return "no key file to try" if result.secrets_read is None else f"secrets of {result.secrets_read} rows readable"


@store.command("drop-requests", cls=Command)
@_store_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The key of the stored secrets. [default: beside the store, .key]",
)
def _drop_requests(store: Path | None, key_file: Path | None) -> None:
    """End all requests of a store that have not ended: what an old backup holds nobody may want any more.

    The conductor must not be running. What waits is cancelled; what had begun has failed, and is said to be applied or
    not: nobody knows. No machine is touched.
    """
    from castiron.store.dropping import drop_requests  # noqa: PLC0415 - peewee and cryptography: 100 ms

    path, key_path = store_of(store, os.environ), key_file_of(key_file, os.environ)
    with _told():
        dropped = drop_requests(path, key_path, now=Instant(time.time()), why=_why_dropped, new_id=lambda: str(uuid4()))
    if shared().is_json:
        return show_json({"store": str(path), **asdict(dropped)})
    click.echo(
        f"{path}: {dropped.cancelled} requests that waited were cancelled, {dropped.failed} that had begun failed"
    )
    return None


def _why_dropped(request: "RequestRecord", applied: Applied) -> Mapping[str, Any]:
    details = {"request": request.id, "node": request.node_name, "requester": "castiron store drop-requests"}
    error: CastironError
    if request.started_at is None:
        error = RequestCancelled("It was dropped from the store before it had begun.", details=details, applied=applied)
    else:
        advice = "Nothing was changed." if applied is Applied.NO else "Look at the machine: it may have been applied."
        message = f"It was dropped from the store after it had begun. {advice}"
        error = RequestInterrupted(message, details=details, applied=applied)
    return error.to_wire()


@store.command("show", cls=Command)
@_store_option
def _show(store: Path | None) -> None:
    """Say what a store, or a backup of one, is and holds: whose it is, its version, sizes and counts."""
    from castiron.store.checkup import describe  # noqa: PLC0415 - as above

    with _told():
        described = describe(store_of(store, os.environ))
    if shared().is_json:
        return show_json(described)
    return show_record({name.replace("_", " "): word(value) for name, value in described.items()})


def _progress(left: int, total: int) -> None:
    if is_terminal("stderr"):
        end = "\r" if left else "\r\x1b[K"
        click.echo(f"{100 * (total - left) // max(1, total)} %{end}" if left else end, nl=False, err=True)


@contextmanager
def _told() -> Generator[None]:
    """Tell the store's failures as a command does."""
    from castiron.store.errors import SecretsUnreadable, StoreError  # noqa: PLC0415 - as above

    try:
        yield
    except SecretsUnreadable as error:
        raise Stop(sentence(error), Exit.DENIED) from None
    except StoreError as error:
        raise Stop(sentence(error), Exit.CANNOT_CREATE) from None
    except KeyboardInterrupt:
        raise Stop("Interrupted. Nothing was left behind.", Exit.INTERRUPTED) from None
