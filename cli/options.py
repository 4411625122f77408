"""What every command shares: --endpoint, --key, --format, --timeout …, before or after the sub-command's name.

A value that stands further right wins. The classes here are click's with these options added; a command also names the
verbs that it sends, whose docstring is its help where it has none of its own.
"""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from castiron.cli.output.exits import Exit
from castiron.cli.shell.kinds import teach

if TYPE_CHECKING:
    from castiron.transport.verbs import Verb

UNFINISHED: Final = "What was sent may have been accepted, and goes on: look with `castiron request list`."

Shape = Literal["table", "json"]

LOG_VARIABLE: Final = "CASTIRON_LOG"
"""How much is told where -v is not given: debug, info, warning or error."""

_META: Final = "castiron."
"""Prefix in click's ctx.meta, which a command shares with the groups above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The shared options as given; None or 0 where they were not."""

    endpoint: str | None = None
    shape: Shape = "table"
    timeout_s: float | None = None
    key: str | None = None
    server_key: str | None = None
    verbosity: int = 0

    @property
    def is_json(self) -> bool:
        """Whether answers and errors are for programs."""
        return self.shape == "json"


def shared() -> Shared:
    """Return the shared options of the command that runs now."""
    meta = click.get_current_context().meta
    return Shared(**{key.removeprefix(_META): value for key, value in meta.items() if key.startswith(_META)})


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON, even if it is too wrong to be parsed."""
    pairs = pairwise(arguments)
    return "--format=json" in arguments or ("--format", "json") in pairs


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        ctx.meta[f"{_META}{param.name}"] = value


_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def read_seconds(text: str) -> float:
    """Read a length of time above 0: a number of seconds, or one with a unit, as 90s, 5m, 2h.

    Raises:
        BadParameter: it is none.
    """
    unit_s = _UNITS.get(text[-1:])
    try:
        seconds = float(text if unit_s is None else text[:-1]) * (unit_s or 1.0)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise click.BadParameter(f"{text!r} is not a time above 0. Write seconds, or 90s, 5m, 2h.")
    return seconds


_OPTIONS: Final = (
    click.Option(
        ["--endpoint"],
        metavar="ENDPOINT",
        expose_value=False,
        callback=_keep,
        help="Where the conductor listens: ipc:///path or tcp://HOST:PORT. [default: CASTIRON_ENDPOINT, else the "
        "socket that `castiron serve` opens without --listen]",
    ),
    click.Option(
        ["--key"],
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        help="Your secret key file, for a conductor that takes keys. [default: CASTIRON_CLIENT_KEY]",
    ),
    click.Option(
        ["--server-key"],
        metavar="KEY|FILE",
        expose_value=False,
        callback=_keep,
        help="That conductor's public key, or a file with it. [default: CASTIRON_SERVER_KEY]",
    ),
    click.Option(
        ["--format", "shape"],
        type=click.Choice(["table", "json"]),
        expose_value=False,
        callback=_keep,
        help="table: for people; JSON: for programs, errors too. [default: table]",
    ),
    click.Option(
        ["--timeout", "timeout_s"],
        type=read_seconds,
        metavar="TIME",
        expose_value=False,
        callback=_keep,
        help="How long to wait for an answer [default: 5]; with --wait, for the end [default: however long it takes]. "
        "Seconds, or as 90s, 5m, 2h.",
    ),
    click.Option(
        ["-v", "--verbose", "verbosity"],
        count=True,
        expose_value=False,
        callback=_keep,
        help="Say more on standard error; twice: still more. [default: CASTIRON_LOG]",
    ),
)


class Command(click.Command):
    """A command with the shared options.

    Attributes:
        verbs: what it may send to the conductor.
    """

    def __init__(self, *args: Any, verbs: "tuple[type[Verb], ...]" = (), **attributes: Any) -> None:
        if verbs and attributes.get("help") is None:
            attributes["help"] = verbs[0].__doc__
        super().__init__(*args, **attributes)
        teach(self.params)
        self.verbs = verbs

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters, then the shared options, then --help."""
        return _with_shared(super().get_params(ctx))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; if it is interrupted, and has nothing more to say, tell what may go on without it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from castiron.cli.output.faults import Stop  # noqa: PLC0415 - it needs this module

            told = f"Interrupted. {UNFINISHED}" if any(map(_changes, self.verbs)) else "Interrupted."
            raise Stop(told, Exit.INTERRUPTED) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the shared ones."""
        _write_options(self, ctx, formatter)


class Group(click.Group):
    """A group with the shared options; its sub-commands get them, too.

    Attributes:
        elsewhere: name of a sub-command that is loaded when it is used → "module:name", the name being that of the
            command or of a tuple of commands.
    """

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, elsewhere: Mapping[str, str] | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.elsewhere = elsewhere or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all sub-commands, loaded or not."""
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a sub-command, and load it where it is not."""
        place = self.elsewhere.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        found: Any = getattr(import_module(module), name)
        return found if isinstance(found, click.Command) else next(one for one in found if one.name == cmd_name)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the group's own parameters, then the shared options, then --help."""
        return _with_shared(super().get_params(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command, or say which one may have been meant."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None and args[0][:1] != "-":
            meant = " or ".join(map(repr, self._meant(ctx, args[0])))
            hint = f" Did you mean {meant}?" if meant else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: click.Context, word: str) -> list[str]:
        """Return the sub-commands that may have been meant: those of that name a level below, or one spelt alike."""
        names = self.list_commands(ctx)
        groups = {name: group for name in names if isinstance(group := self.get_command(ctx, name), click.Group)}
        below = [f"{name} {word}" for name, group in groups.items() if word in group.list_commands(ctx)]
        return below or difflib.get_close_matches(word, names, n=1)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sub-commands, then the options."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)


def _with_shared(params: list[click.Parameter]) -> list[click.Parameter]:
    own = [param for param in params if not _is_help(param)]
    return [*own, *_OPTIONS, *(param for param in params if _is_help(param))]


def _changes(verb: "type[Verb]") -> bool:
    from castiron.transport.vocabulary import Role  # noqa: PLC0415 - only where a command is interrupted

    return verb.role is not Role.READER


def is_shared(param: click.Parameter) -> bool:
    """Return whether an option is one that every command takes, or --help."""
    return param in _OPTIONS or _is_help(param)


def _is_help(param: click.Parameter) -> bool:
    return "--help" in param.opts


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    params = command.get_params(ctx)
    common = [param for param in params if is_shared(param)]
    own = [param for param in params if param not in common]
    for title, some in (("Options", own), ("Common options", common)):
        rows = [row for param in some if (row := param.get_help_record(ctx)) is not None]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def is_terminal(name: Literal["stdin", "stdout", "stderr"]) -> bool:
    """Return whether a standard stream is a terminal."""
    stream = getattr(sys, name)
    return stream is not None and not stream.closed and bool(stream.isatty())


def can_draw(name: Literal["stdout", "stderr"]) -> bool:
    """Return whether a standard stream is a terminal whose lines can be drawn anew; rich draws nothing on others."""
    return is_terminal(name) and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
