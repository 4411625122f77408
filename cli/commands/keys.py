"""`castiron keys`: the keys that the secrets in a store are encrypted with."""

import os
from pathlib import Path
from uuid import uuid4

import click

from castiron.cli.configuration import key_file_of, store_of
from castiron.cli.options import Command, Group, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, sentence
from castiron.cli.output.render import show_json


@click.group(cls=Group)
def keys() -> None:
    """Look after the keys that the secrets in a store are encrypted with."""


@keys.command("rotate", cls=Command)
@click.option(
    "--store", type=click.Path(path_type=Path), metavar="PATH", help="The SQLite file. [default: as `castiron serve`]"
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The key of the stored secrets. [default: beside the store, .key]",
)
def _rotate(store: Path | None, key_file: Path | None) -> None:
    """Give a store a new key, and encrypt every secret in it anew. The conductor must not be running.

    May be killed at any point: the store stays readable, and the next rotation finishes the work.
    """
    from castiron.store.errors import SecretsUnreadable, StoreError  # noqa: PLC0415 - peewee and cryptography: 100 ms
    from castiron.store.rotation import rotate  # noqa: PLC0415 - as above

    path, key_path = store_of(store, os.environ), key_file_of(key_file, os.environ)
    try:
        count = rotate(path, key_path, new_id=lambda: str(uuid4()))
    except SecretsUnreadable as error:
        raise Stop(f"{sentence(error)} Nothing was changed.", Exit.DENIED) from None
    except StoreError as error:
        raise Stop(sentence(error), Exit.CANNOT_CREATE) from None
    if shared().is_json:
        show_json({"store": str(path), "encrypted_anew": count})
    else:
        click.echo(f"{path}: a new key; {count} rows encrypted anew")
