"""The `castiron` command: its sub-commands, each loaded when it is used, and the one place where commands fail.

A command raises; here it becomes a line on standard error and an exit code.
"""

import contextlib
import errno
import io
import os
import sys
import traceback
from collections.abc import Generator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

import click
from click.exceptions import NoArgsIsHelpError

import castiron
from castiron.cli.options import Group, wants_json
from castiron.cli.output.exits import Exit, exit_of
from castiron.cli.output.faults import Stop, stop_code, tell, tell_error, tell_stop
from castiron.transport.errors import CastironError

_COMMANDS: Final = {
    "allocation": "castiron.cli.provision.allocation",
    "alarms": "castiron.cli.sensors.alarms",
    "completion": "castiron.cli.shell.completion",
    "demo": "castiron.cli.commands.demo",
    "docs": "castiron.cli.commands.docs",
    "doctor": "castiron.cli.health.doctor",
    "drain": "castiron.cli.conductor.drain",
    "events": "castiron.cli.commands.events",
    "farm": "castiron.cli.commands.farm",
    "init": "castiron.cli.health.init",
    "keys": "castiron.cli.conductor.keys",
    "node": "castiron.cli.nodes.node",
    "periodics": "castiron.cli.conductor.periodics",
    "ping": "castiron.cli.conductor.status",
    "request": "castiron.cli.commands.request",
    "runbook": "castiron.cli.provision.runbook",
    "serve": "castiron.cli.conductor.serve",
    "settings": "castiron.cli.conductor.settings",
    "simulate": "castiron.cli.commands.simulate",
    "status": "castiron.cli.conductor.status",
    "store": "castiron.cli.conductor.store",
    "top": "castiron.cli.watch.top",
    "web": "castiron.cli.web.command",
}
"""Sub-command → the module that holds it under its own name."""

_UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What the system says when output does not arrive."""


class _Root(Group):
    """The outermost group."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands that this installation has."""
        return [name for name, module in _COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load a command, and no other."""
        module = _COMMANDS.get(cmd_name)
        if module is None or find_spec(module) is None:
            return None
        return cast("click.Command", getattr(import_module(module), cmd_name))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options; --help is printed here."""
        with _output_watched():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command, and see to it that its output arrives."""
        with _output_watched():
            return super().invoke(ctx)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command line, and exit with its code."""
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), *rest, **extra))

    def _run(self, arguments: list[str], *rest: Any, **extra: Any) -> int:
        as_json = wants_json(arguments)
        _spell_out_what_streams_cannot_hold()
        try:
            ended = super().main(arguments, *rest, **extra | {"prog_name": "castiron", "standalone_mode": False})
        except _ReaderGone:
            return Exit.PIPE
        except Exception as failure:  # noqa: BLE001 - the last place where a failure can get its line and its code
            return _tell(failure, as_json=as_json)
        return ended if isinstance(ended, int) else Exit.OK


def _tell(failure: Exception, *, as_json: bool) -> int:
    """Say why a command failed, and return what to exit with."""
    match failure:
        case NoArgsIsHelpError():
            failure.show()
            code = int(Exit.USAGE)
        case click.Abort():
            tell_stop(Stop("Interrupted.", Exit.INTERRUPTED), as_json=as_json)
            code = Exit.INTERRUPTED
        case click.ClickException():
            tell_stop(failure, as_json=as_json)
            code = stop_code(failure)
        case CastironError():
            tell_error(failure, as_json=as_json)
            code = exit_of(failure)
        case _:
            traceback.print_exception(failure)
            tell("This is a fault of castiron's own. Please report what stands above.")
            code = Exit.INTERNAL
    return code


class _ReaderGone(Exception):
    """Nobody reads standard output any more. Not an OSError: of those click makes an exit code of its own."""


@contextlib.contextmanager
def _output_watched() -> Generator[None]:
    """Write out what was printed, and tell output that cannot be written from other failures."""
    try:
        try:
            yield
        finally:
            _flush()
    except BrokenPipeError:
        _forget_output()
        raise _ReaderGone from None
    except OSError as failure:
        if failure.errno not in _UNWRITABLE:
            raise
        _forget_output()
        raise Stop(f"The output cannot be written: {failure.strerror or failure}.", Exit.MACHINE) from None


def _flush() -> None:
    output = getattr(sys, "stdout", None)
    if output is not None:  # closed before we began: click prints nowhere then, and nobody wants to know
        output.flush()


def _forget_output() -> None:
    """Let what is left in the buffer of standard output go nowhere, so that Python does not complain at exit."""
    with contextlib.suppress(OSError, io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _spell_out_what_streams_cannot_hold() -> None:
    """Show a character that the locale's encoding lacks by its number instead of ending in the middle of a table."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(castiron.__version__, prog_name="castiron")
def main() -> None:
    """Keep a fleet of bare-metal machines in the state you asked for."""
