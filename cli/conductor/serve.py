"""`castiron serve`: runs a conductor in this process until a signal ends it.

What belongs to a process as a whole and not to an embedded conductor is here: settings from outside, logging, signals.
The interpreter is tuned next door.
"""

import os
import signal
import threading
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from castiron.cli.commands.signals import ENDS, held
from castiron.cli.conductor.notify import Notifier
from castiron.cli.conductor.reloading import Reloading
from castiron.cli.conductor.settings import CONDUCTOR, configured, read_settings, setting_lines
from castiron.cli.conductor.tuning import settle, tune
from castiron.cli.configuration import Configuration, chosen, default_store, expanded
from castiron.cli.descriptors import raise_limit
from castiron.cli.logs import FORMATS, LEVELS, logging_to_stderr
from castiron.cli.options import Command, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, sentence, tell
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.errors import EndpointRefused

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor

LEEWAY_S: Final = 5.0
"""For what has no time of its own in an orderly stop: the store's last checkpoint, and a machine that is full."""

LOOK_S: Final = 1.0
"""Between two looks whether the conductor has failed; a signal ends the wait at once."""

_SOURCES: Final = [
    (
        "FILE",
        (
            "tables [conductor] with store, key_file, listen, server_key_file, allow_file, log_level, log_format, and "
            "[settings] with the settings"
        ),
    ),
    (
        "CASTIRON_...",
        (
            "STORE, KEY_FILE, ENDPOINT, SERVER_KEY_FILE, ALLOW_FILE, LOG, LOG_FORMAT, and each setting, as "
            "CASTIRON_HUNG_TURN_S=10"
        ),
    ),
    (
        "options",
        (
            "--store, --key-file, --listen, --server-key-file, --allow-file, --log-level, --log-format, and each "
            "setting, as --set hung_turn_s=10"
        ),
    ),
]


class _Serve(Command):
    """Lists the settings below its options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what may be set."""
        super().format_epilog(ctx, formatter)
        with formatter.section("What it is told, in rising order"):
            formatter.write_dl(_SOURCES)
        with formatter.section("Settings"):
            formatter.write_dl(setting_lines())


@click.command(cls=_Serve)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="castiron.toml, as described below.")
@click.option(
    "--store",
    metavar="PATH",
    help="The SQLite file; made if it is missing. [default: castiron/castiron.db in $XDG_STATE_HOME, else in "
    "~/.local/state]",
)
@click.option("--key-file", metavar="PATH", help="The key of the stored secrets. [default: beside the store, .key]")
@click.option(
    "--listen",
    metavar="ENDPOINT",
    help="ipc:///path or tcp://ADDRESS:PORT. [default: CASTIRON_ENDPOINT, else castiron/conductor.ipc in "
    "$XDG_RUNTIME_DIR, else ~/.castiron/conductor.ipc]",
)
@click.option(
    "--server-key-file",
    metavar="PATH",
    help="The conductor's secret key file, with which tcp:// takes keys only. An address off this machine needs one. "
    "[default: off loopback, beside the store, .server.key_secret]",
)
@click.option("--allow-file", metavar="PATH", help="Whose keys are let in. [default: beside the store, .allow.json]")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error. [default: info; with -v debug]")
@click.option("--log-format", metavar="FORMAT", help="text, or json: an object a line. [default: text]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the list below. Repeatable.")
def serve(config: Path | None, settings: tuple[str, ...], **places: str | None) -> None:
    """Run the conductor until SIGINT or SIGTERM; SIGHUP has it read its settings again.

    Prints one line when it listens. The first signal stops it in order, for which graceful_shutdown_timeout_s is the
    time, and log-outs of BMCs have a quarter of it in any case; a second signal stops it at once. What is under way is
    on disk, and is taken up again at the next start.

    Which settings a SIGHUP can change is in docs/guides/settings.md; the end of its terminal stops it. Where systemd
    waits to be told (Type=notify), it is told.
    """
    given = shared()
    places["listen"] = places["listen"] or given.endpoint
    places["log_level"] = places["log_level"] or ("debug" if given.verbosity else None)
    read = partial(configured, config, places, settings)
    configuration = read()
    level = chosen(configuration, "log_level", LEVELS, CONDUCTOR["log_level"][0])
    form = chosen(configuration, "log_format", FORMATS, CONDUCTOR["log_format"][0])
    # A hang-up has the settings read again, or ends it if its terminal was closed.
    signals = _awaited()
    # The log's thread must hold the signals back, as all others do.
    with held(signals), logging_to_stderr(level, form):
        raise_limit()
        _run(_conductor(configuration), signals, Reloading(configuration, read))


def _conductor(configuration: Configuration) -> "Conductor":
    """Make a conductor, and the folder of its store where nobody named one."""
    from castiron.actors.conductor import Conductor  # noqa: PLC0415 - the store, the drivers and the actors: 300 ms

    places = configuration.places
    settings = read_settings(configuration.settings)
    listen = str(parse_endpoint(places["listen"])) if "listen" in places else None
    return Conductor(
        store=_store(places),
        key_path=_path(places, "key_file"),
        endpoint=listen,
        server_key_path=_path(places, "server_key_file"),
        allow_path=_path(places, "allow_file"),
        settings=settings,
    )


def _path(places: Mapping[str, str], name: str) -> Path | None:
    return expanded(Path(places[name])) if name in places else None


def _store(places: Mapping[str, str]) -> Path:
    if "store" in places:
        return expanded(Path(places["store"]))
    path = default_store(os.environ)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        message = f"Cannot make {path.parent}: {failure.strerror}. Name another place with --store."
        raise Stop(message, Exit.CANNOT_CREATE) from None
    return path


def _run(conductor: "Conductor", signals: Collection[signal.Signals], reloading: Reloading) -> None:
    tune()
    manager = Notifier.found(os.environ)
    _start(conductor)
    try:
        click.echo(f"castiron: conductor {conductor.conductor_id} listens on {conductor.endpoint}")
        settle()
        _tend(conductor, signals, reloading, manager)
    finally:
        manager.stopping(conductor.stop_most_s + LEEWAY_S)
        _stop(conductor)
    if conductor.failure is not None:
        raise Stop(f"The conductor failed: {conductor.failure}. Nothing that was accepted is lost.", Exit.INTERNAL)


def _tend(conductor: "Conductor", signals: Collection[signal.Signals], reloading: Reloading, manager: Notifier) -> None:
    """Wait for what ends it: a signal, its terminal, or a failure of its own; meanwhile reload, and tell of itself."""
    had_terminal = _has_terminal()
    manager.ready(f"Listens on {conductor.endpoint}")
    while not conductor.wait(0):
        told = signal.sigtimedwait(signals, manager.pace_s(LOOK_S))
        if told is not None and (told.si_signo in ENDS or (had_terminal and not _has_terminal())):
            return
        if told is not None and told.si_signo == signal.SIGHUP:  # a debugger's own stop it, too
            manager.reloading()
            reloading.reload(conductor)
            manager.ready(f"Listens on {conductor.endpoint}")
        manager.alive(is_well=conductor.is_well())


def _has_terminal() -> bool:
    """Return whether the process belongs to a terminal: one that is closed lets it go before it hangs up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _start(conductor: "Conductor") -> None:
    from castiron.actors.settings import SettingInvalid  # noqa: PLC0415 - see _conductor
    from castiron.store.errors import SecretsUnreadable, StoreError  # noqa: PLC0415 - see _conductor

    try:
        conductor.start()
    except SettingInvalid as error:
        raise Stop(str(error), Exit.CONFIGURATION) from None
    except SecretsUnreadable as error:
        raise Stop(sentence(error), Exit.DENIED) from None
    except StoreError as error:
        raise Stop(sentence(error), Exit.CANNOT_CREATE) from None
    except EndpointRefused as error:
        raise Stop(error.message, Exit.CANNOT_CREATE) from None


def _stop(conductor: "Conductor") -> None:
    """Stop in order; another signal, or too long a stop, ends the process at once. The store stands both."""
    done, most_s = threading.Event(), conductor.stop_most_s + LEEWAY_S

    def leave() -> None:
        told = signal.sigtimedwait(ENDS, most_s)
        if not done.is_set():
            tell("Ended at once." if told else f"The stop took longer than {most_s:g} s, and was cut short.")
            os._exit(Exit.INTERRUPTED if told else Exit.INTERNAL)

    threading.Thread(target=leave, name="castiron-last-resort", daemon=True).start()
    conductor.stop()
    done.set()


def _awaited() -> list[signal.Signals]:
    """Return the signals that are waited for.

    A hang-up that is ignored already (nohup) is left alone: held back, it would arrive all the same.
    """
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [*ENDS] if is_ignored else [*ENDS, signal.SIGHUP]
