"""The manual of the commands, made from the commands themselves: docs/guides/commands.md.

    python -m castiron.cli.manual > docs/guides/commands.md

A test keeps the file in step.
"""

import re
from collections.abc import Iterator
from typing import Final

import click

from castiron.cli.main import main
from castiron.cli.output.exits import MEANINGS

WIDTH: Final = 100
"""Of the help texts, whatever terminal this runs in."""

_COMMON: Final = re.compile(r"\n\nCommon options:(?:\n .*)+")
"""The section of the common options: its indented lines."""

_HEAD: Final = """\
# Commands

Made from the commands by `python -m castiron.cli.manual`; `castiron COMMAND --help` shows the same.

A RANGE is a node's name or uuid, or a host range: `n[1-20]`, `n[01-20,33]`, `n1,n2`, `n[1-20],-n3`. Into a
pipe, tables are plain columns without colour; for programs there is `--format json`. A command for many nodes prints a
line for each kind of outcome; with `--format json` a list of `{"node", "result", "error"}`. An error is
one line on standard error that says what happened and what to do; with `--format json` it is
`{"error": {"code", "message", ...}}` with PROTOCOL.md's codes.

The common options are listed once, below `castiron`; every command takes them, before or after its name.
"""


def manual() -> str:
    """Return the manual as Markdown."""
    exits = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    parts = [_HEAD, f"## Exit codes\n\n| code | meaning |\n|---|---|\n{exits}\n"]
    with main.make_context("castiron", ["ping"], terminal_width=WIDTH, max_content_width=WIDTH) as root:
        parts += [f"## {ctx.command_path}\n\n```\n{_help(ctx)}\n```\n" for ctx in contexts(root)]
    return "\n".join(parts)


def _help(ctx: click.Context) -> str:
    text = ctx.get_help()
    return text if ctx.parent is None else _COMMON.sub("", text)


def contexts(ctx: click.Context) -> Iterator[click.Context]:
    """Yield a command and all below it, each before its sub-commands."""
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            below = ctx.command.get_command(ctx, name)
            if below is not None:
                yield from contexts(click.Context(below, parent=ctx, info_name=name))


if __name__ == "__main__":
    click.echo(manual(), nl=False)
