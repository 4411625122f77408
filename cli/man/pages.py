"""castiron(1) and castiron.toml(5), made from the commands and the settings themselves.

    python -m castiron.cli.man.pages deploy/man

A test keeps the files in step. May come in: another page. Must not: what roff looks like.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

import castiron
from castiron.cli.conductor.settings import CONDUCTOR, setting_lines
from castiron.cli.configuration import PLACES, PREFIX
from castiron.cli.main import main
from castiron.cli.man import roff
from castiron.cli.manual import contexts
from castiron.cli.options import is_shared
from castiron.cli.output.exits import MEANINGS

_SOURCE: Final = f"castiron {castiron.__version__}"

_RANGES: Final = """\
A RANGE is a node's name or uuid, or a host range: `n[1-20]`, `n[01-20,33]`, `n1,n2`, `n[1-20],-n3`. Into a
pipe, tables are plain columns without colour; for programs there is `--format json`. An error is one line on standard
error that says what happened and what to do; with `--format json` it is an object with the code of the protocol.
"""

_FILE: Final = """\
`castiron serve --config FILE` reads this file. Two tables may be in it. What the environment says goes before it, and
what the command line says before that. A name that means nothing, or a value out of bounds, stops the start with the
nearest right name, or the bounds.

At a SIGHUP it is read again; which settings can change so is in docs/guides/settings.md.

`castiron settings --as-toml` writes a file with every setting.
"""


def commands() -> str:
    """Return castiron(1)."""
    return "".join(f"{line}\n" for line in _commands())


def configuration() -> str:
    """Return castiron.toml(5)."""
    return "".join(f"{line}\n" for line in _configuration())


PAGES: Final[Mapping[str, Callable[[], str]]] = {"castiron.1": commands, "castiron.toml.5": configuration}
"""File name → what makes it."""


def _commands() -> Iterator[str]:
    with main.make_context("castiron", ["ping"]) as root:
        every = list(contexts(root))
        yield from roff.head("castiron", 1, _SOURCE, "User Commands")
        yield from roff.section("Name")
        yield rf"castiron \- {roff.prose(_first_words(main).lower())}"
        yield from roff.section("Synopsis")
        yield f"{roff.bold('castiron')} {roff.escaped('[OPTIONS] COMMAND [ARGS]...')}"
        yield from roff.section("Description")
        yield from roff.paragraphs(_help(main))
        yield from roff.paragraphs(_RANGES)
        yield from roff.section("Common options")
        yield from roff.terms(_options(root, shared=True))
        yield from roff.section("Commands")
        for ctx in every[1:]:
            yield from _command(ctx)
        yield from roff.section("Environment")
        yield from roff.terms((name, f"`{place}` of castiron.toml(5)") for place, name in PLACES.items())
        yield from roff.section("Exit status")
        yield from roff.terms((str(code.value), meaning) for code, meaning in MEANINGS.items())
        yield from roff.section("See also")
        yield rf"{roff.bold('castiron.toml')}(5), {roff.bold('systemd.service')}(5)"


def _command(ctx: click.Context) -> Iterator[str]:
    pieces = " ".join(ctx.command.collect_usage_pieces(ctx))
    yield from roff.subsection(ctx.command_path)
    yield f"{roff.bold(ctx.command_path)} {roff.escaped(pieces)}"
    yield from roff.paragraphs(_help(ctx.command))
    yield from roff.terms(_options(ctx, shared=False))


def _options(ctx: click.Context, *, shared: bool) -> Iterator[tuple[str, str]]:
    for param in ctx.command.get_params(ctx):
        row = param.get_help_record(ctx)
        if row is not None and is_shared(param) is shared:
            yield row


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\f")[0]


def _first_words(command: click.Command) -> str:
    return _help(command).splitlines()[0].rstrip(".")


def _configuration() -> Iterator[str]:
    yield from roff.head("castiron.toml", 5, _SOURCE, "File Formats")
    yield from roff.section("Name")
    yield r"castiron.toml \- what a castiron conductor is told"
    yield from roff.section("Description")
    yield from roff.paragraphs(_FILE)
    yield from roff.section("[conductor]")
    for name, (default, meaning) in CONDUCTOR.items():
        ends = f" [default: {default}]" if default else ""
        yield from roff.terms([(name, f"{meaning}{ends}; in the environment `{PLACES[name]}`")])
    yield from roff.section("[settings]")
    yield from roff.paragraphs(f"In the environment each is `{PREFIX}` and its name in capitals.")
    yield from roff.terms(setting_lines())
    yield from roff.section("Example")
    yield from roff.example('[conductor]\nlog_format = "json"\n\n[settings]\ncommand_timeout_s = 10')
    yield from roff.section("See also")
    yield rf"{roff.bold('castiron')}(1)"


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
