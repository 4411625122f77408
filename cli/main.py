"""The `castiron` command: its sub-commands, each loaded when it is used, and the one place where commands fail.

A command raises; here it becomes a line on standard error and an exit code.
"""

import contextlib
import io
import os
import sys
from collections.abc import Generator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

import click
from click.exceptions import NoArgsIsHelpError

import castiron
from castiron.cli.exits import Exit, exit_of
from castiron.cli.faults import Stop, stop_code, tell_error, tell_stop
from castiron.cli.options import Group, wants_json
from castiron.transport.errors import CastironError

_COMMANDS: Final = {
    "demo": "castiron.cli.demo",
    "farm": "castiron.cli.farm",
    "keys": "castiron.cli.keys",
    "node": "castiron.cli.node",
    "ping": "castiron.cli.status",
    "request": "castiron.cli.request",
    "serve": "castiron.cli.serve",
    "status": "castiron.cli.status",
}
"""Sub-command → the module that holds it under its own name."""

_UNFINISHED: Final = (
    "Interrupted. What was sent may have been accepted, and goes on: look with `castiron request list`."
)


class _Root(Group):
    """The outermost group."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands that this installation has."""
        return [name for name, module in _COMMANDS.items() if find_spec(module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        return cast("click.Command", getattr(import_module(_COMMANDS[cmd_name]), cmd_name))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command line, and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        with _quiet_pipe():
            code = self._run(arguments, *rest, **extra)
            sys.stdout.flush()
        sys.exit(code)

    def _run(self, arguments: list[str], *rest: Any, **extra: Any) -> int:
        as_json = wants_json(arguments)
        _spell_out_what_streams_cannot_hold()
        try:
            ended = super().main(arguments, *rest, **extra | {"prog_name": "castiron", "standalone_mode": False})
        except click.Abort:
            tell_stop(Stop(_UNFINISHED, Exit.INTERRUPTED), as_json=as_json)
            return Exit.INTERRUPTED
        except NoArgsIsHelpError as error:
            error.show()
            return Exit.USAGE
        except click.ClickException as error:
            tell_stop(error, as_json=as_json)
            return stop_code(error)
        except CastironError as error:
            tell_error(error, as_json=as_json)
            return exit_of(error)
        return ended if isinstance(ended, int) else Exit.OK


@contextlib.contextmanager
def _quiet_pipe() -> Generator[None]:
    """End quietly when whoever read our output has gone, and plainly when it cannot be written for another reason."""
    try:
        yield
    except BrokenPipeError:
        _forget_output()
        sys.exit(Exit.PIPE)
    except OSError as failure:
        _forget_output()
        tell_stop(Stop(f"The output cannot be written: {failure.strerror or failure}.", Exit.MACHINE), as_json=False)
        sys.exit(Exit.MACHINE)


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
