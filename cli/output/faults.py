"""How a failure is told: one line on standard error for people, or one JSON object for programs.

The line says what happened, then what to do. No traceback reaches a person, unless castiron itself is at fault.
"""

import json
from typing import Any, Final

import click

from castiron.cli.output.exits import Exit
from castiron.cli.output.render import visible
from castiron.transport.errors import (
    CastironError,
    ConductorLost,
    EndpointRefused,
    EventsLost,
    HandshakeFailed,
    KeyUnusable,
    ReplyTimeout,
)
from castiron.transport.vocabulary import Applied

_LOCAL_CODES: Final = (
    (ConductorLost, "conductor.lost"),
    (ReplyTimeout, "reply.timeout"),
    (EndpointRefused, "endpoint.refused"),
    (EventsLost, "events.lost"),
    (HandshakeFailed, "handshake.failed"),
    (KeyUnusable, "key.unusable"),
)
"""Words for what happens on this side of the wire only."""

_BEGINNINGS: Final = frozenset({"another", "overloaded", "row", "the", "there"})
"""First words of the store's sentences; the others begin with a path, which stays as it is."""

_APPLIED: Final = {
    Applied.NO: "",
    Applied.YES: " It was done all the same.",
    Applied.UNKNOWN: " Whether it was done is not known.",
}


class Stop(click.ClickException):
    """Ends a command with a line and an exit code."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code


def stop_code(error: click.ClickException) -> int:
    """Return what a command exits with that was not carried out, or ended."""
    if isinstance(error, Stop):
        return error.code
    return Exit.USAGE if isinstance(error, click.UsageError) else error.exit_code


def code_of(error: CastironError) -> str:
    """Return the stable word for a failure."""
    return next((code for kind, code in _LOCAL_CODES if isinstance(error, kind)), error.code)


def error_map(error: CastironError) -> dict[str, Any]:
    """Return a failure as JSON output carries it: as on the wire."""
    return error.to_wire() | {"code": code_of(error)}


def error_text(error: CastironError) -> str:
    """Return a failure in words: its message, and whether something was done all the same."""
    applied = "" if error.applied is None else _APPLIED[error.applied]
    found = f" (error {error.error_id})" if error.error_id else ""
    said = error.message or code_of(error)
    stop = "." if applied and said[-1] not in ".!?" else ""  # what a step raises, or an agent says, need not have one
    return f"{said}{stop}{applied}{found}"


def sentence(error: Exception) -> str:
    """Return an error of the store's as a sentence: with its end, and a capital unless it begins with a path."""
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text.partition(" ")[0] in _BEGINNINGS else f"{text}."


def tell(message: str) -> None:
    """Say one line on standard error."""
    click.echo(f"castiron: {visible(message)}", err=True)


def tell_error(error: CastironError, *, as_json: bool) -> None:
    """Say on standard error why a command failed."""
    if as_json:
        click.echo(json.dumps({"error": error_map(error)}), err=True)
    else:
        tell(error_text(error))


def tell_stop(error: click.ClickException, *, as_json: bool) -> None:
    """Say on standard error why a command was not carried out, or ended."""
    message = _one_line(error)
    if as_json:
        code = "usage" if isinstance(error, click.UsageError) else "stopped"
        click.echo(json.dumps({"error": {"code": code, "message": message}}), err=True)
    else:
        tell(message)


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    end = "" if message.endswith((".", "?", "!")) else "."
    return f"{message}{end} See `{error.ctx.command_path} --help`."
