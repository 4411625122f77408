"""`castiron init`: a castiron.toml to begin with, in which every setting is named and explained.

The file is made from the table that `castiron settings` shows, so it cannot lag behind.
"""

import os
from pathlib import Path
from typing import Final

import click

from castiron.cli.conductor.settings import as_file, rows_of
from castiron.cli.configuration import Configuration, expanded
from castiron.cli.options import Command, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import show_json

DEFAULT_FILE: Final = Path("castiron.toml")

_HEAD: Final = """\
# What a conductor goes by: `castiron serve --config {path}`.
#
# Every setting is here, commented out at its default. To change one, take the "# " away from its line and write
# another value. What stays commented out follows the defaults of the castiron that reads it. An environment variable
# (CASTIRON_ and the name in capitals) and an option of `castiron serve` win over this file.
#
# `castiron settings --config {path}` shows what holds, and `castiron doctor --config {path}` looks for mistakes.

"""


@click.command("init", cls=Command)
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--print", "is_printed", is_flag=True, help="Write to standard output instead.")
def init(path: Path, *, force: bool, is_printed: bool) -> None:
    """Write a castiron.toml with every setting of a conductor, each explained and at its default.

    FILE is castiron.toml unless named. Nothing in it is secret.
    """
    text = _HEAD.format(path=path) + as_file(rows_of(Configuration()))
    if is_printed:
        return click.echo(text, nl=False)
    made = expanded(path)
    _write(made, text, force=force)
    if shared().is_json:
        return show_json({"path": str(made)})
    return click.echo(f"{made}: written. Start a conductor by it with `castiron serve --config {made}`.")


def _write(path: Path, text: str, *, force: bool) -> None:
    """Let the file appear whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            draft.write_text(text, encoding="utf-8")
            if force:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # fails where something is, whoever put it there a moment ago
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise Stop(
            f"{path} is there already. Name another file, or replace it with --force.", Exit.CANNOT_CREATE
        ) from None
    except OSError as failure:
        raise Stop(f"Cannot write {path}: {failure.strerror}.", Exit.CANNOT_CREATE) from None
