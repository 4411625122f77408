"""`castiron farm show`, `set`, `heal`, `reset` and `power`: orders to a farm that runs, over its Unix socket.

What an order means is the farm's to say; here it is written down, sent, and the answer shown. Nothing of
castiron.testing is loaded, but for the help about faults.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from castiron.cli.options import shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import show_json, show_table
from castiron.transport.endpoint import Endpoint, probe

DEFAULT_PORT: Final = 6230
"""Where VirtualBMC puts its first BMC: free on most machines, and needs no root as 623 does."""

ANSWER_S: Final = 10.0
"""For a farm to answer: it looks at 65,534 BMCs in three seconds."""

_EXITS: Final = {"argument.invalid": Exit.BAD_DATA, "bmc.not_found": Exit.NOT_FOUND}
_GLOB: Final = "farm-*.sock"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a farm takes orders, as given."""

    port: int | None = None
    """UDP port of its BMCs."""
    control: Path | None = None
    """Its socket; decides where both are given."""

    def path(self, environment: Mapping[str, str]) -> Path:
        """Return the path of its socket."""
        return self.control or control_path(DEFAULT_PORT if self.port is None else self.port, environment)


def control_path(port: int, environment: Mapping[str, str]) -> Path:
    """Return where a farm on a UDP port takes orders: in $XDG_RUNTIME_DIR/castiron, else in ~/.castiron."""
    return _folder(environment) / f"farm-{port}.sock"


def _folder(environment: Mapping[str, str]) -> Path:
    runtime = environment.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "castiron" if runtime else Path(environment.get("HOME") or "~").expanduser() / ".castiron"


class _Order(click.Command):
    """A command with the options that say which farm, and for whom the answer is."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += [
            click.Option(
                ["--port"], type=click.IntRange(1, 65_535), help="UDP port of the farm's BMCs. [default: 6230]"
            ),
            click.Option(
                ["--control"],
                type=click.Path(path_type=Path),
                metavar="PATH",
                help="The farm's socket, if it is not the port's.",
            ),
            click.Option(["--format", "shape"], type=click.Choice(["table", "json"]), help="[default: table]"),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Put what was given before the command's name where it was not given after it."""
        above = ctx.obj if isinstance(ctx.obj, Whereabouts) else Whereabouts()
        port, control = ctx.params.pop("port"), ctx.params.pop("control")
        ctx.obj = above if port is control is None else Whereabouts(port, control)
        if shape := ctx.params.pop("shape"):
            ctx.meta["castiron.shape"] = shape  # where `shared` finds it
        return super().invoke(ctx)


class _Set(_Order):
    """Lists the faults below its options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what can be wrong."""
        super().format_epilog(ctx, formatter)
        from castiron.testing import FAULT_WORDS  # noqa: PLC0415 - so that orders stay quick

        with formatter.section("Faults"):
            formatter.write_dl([(f"{name}=", f"{word.form}: {word.meaning}") for name, word in FAULT_WORDS.items()])


@click.command("show", cls=_Order)
@click.argument("range_", metavar="[RANGE]", required=False)
def show(range_: str | None) -> None:
    """Show BMCs of a running farm: power, sessions, what they were asked, what is wrong with them."""
    bmcs = _order({"order": "show"} | ({"bmcs": range_} if range_ else {}))
    if shared().is_json:
        show_json(bmcs)
        return
    head = ("name", "address", "power", "sessions", "logins", "commands", "controls", "faults")
    show_table(head, [[str(bmc[name]) for name in head[:-1]] + [_faults(bmc) or "-"] for bmc in bmcs])


@click.command("set", cls=_Set)
@click.argument("range_", metavar="RANGE")
@click.argument("faults", metavar="FAULT=VALUE...", nargs=-1, required=True)
def set_(range_: str, faults: Sequence[str]) -> None:
    """Change what is wrong with BMCs of a running farm; the other faults stay.

    For example: castiron farm set 'bmc[3-5]' silent=true slow=0.1,0.5
    """
    pairs: dict[str, str] = {}
    for text in faults:
        name, equals, value = text.partition("=")
        if not equals or name in pairs:
            raise click.UsageError(f"{text!r} is not FAULT=VALUE." if not equals else f"{name} is given twice.")
        pairs[name] = value
    _tell(_order({"order": "set", "bmcs": range_, "faults": pairs}), _faults)


@click.command("heal", cls=_Order)
@click.argument("range_", metavar="RANGE")
def heal(range_: str) -> None:
    """Take all faults from BMCs of a running farm."""
    _tell(_order({"order": "heal", "bmcs": range_}), _faults)


@click.command("reset", cls=_Order)
@click.argument("range_", metavar="RANGE")
@click.option("--silent", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="How long the restart takes.")
def reset(range_: str, *, silent: float) -> None:
    """Restart BMCs of a running farm, not their machines: they forget their sessions."""
    _tell(_order({"order": "reset", "bmcs": range_, "silent_s": silent}), _faults)


@click.command("power", cls=_Order)
@click.argument("state", type=click.Choice(["on", "off"]))
@click.argument("range_", metavar="RANGE")
def power(range_: str, state: str) -> None:
    """Switch machines of a running farm by hand: nobody is told, and their BMCs report it when they are asked.

    For example: castiron farm power off 'bmc[3-5]'
    """
    _tell(_order({"order": "power", "bmcs": range_, "state": f"power {state}"}), lambda bmc: str(bmc["power"]))


ORDERS: Final = (show, set_, heal, reset, power)
"""The commands, for the group that they belong to."""


def _faults(bmc: Mapping[str, Any]) -> str:
    words = [f"{name}={text}" for name, text in bmc["faults"].items()]
    return " ".join([*(["restarting"] if bmc["restarting"] else []), *words])


def _tell(bmcs: list[dict[str, Any]], say: Callable[[Mapping[str, Any]], str]) -> None:
    """Say how BMCs are now, one line for all that are the same."""
    if shared().is_json:
        show_json(bmcs)
        return
    from castiron.transport.ranges import fold  # noqa: PLC0415 - 15 ms that JSON does without

    names: dict[str, list[str]] = {}
    for bmc in bmcs:
        names.setdefault(say(bmc), []).append(bmc["name"])
    for words, some in names.items():
        click.echo(f"{fold(some)}: {words or 'nothing is wrong'}")


def _order(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Send an order to the farm, and return the BMCs that it was about.

    Raises:
        Stop: no farm answers, or it refuses the order.
    """
    where: Whereabouts = click.get_current_context().obj
    answer = _ask(where.path(os.environ), json.dumps(order).encode() + b"\n")
    error = answer.get("error")
    if error is not None:
        raise Stop(error["message"], _EXITS.get(error["code"], Exit.INTERNAL))
    return list(answer["bmcs"])


def _ask(path: Path, line: bytes) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(ANSWER_S)
            stream.connect(str(path))
            stream.sendall(line)
            answer = b"".join(iter(partial(stream.recv, 1 << 16), b""))
        return dict(json.loads(answer))
    except TimeoutError:
        raise Stop(f"The farm at {path} does not answer. Try again later.", Exit.TRY_AGAIN) from None
    except PermissionError:
        raise Stop(f"This user may not give orders at {path}: run as the farm's user.", Exit.DENIED) from None
    except OSError as failure:
        raise Stop(f"No farm takes orders at {path}: {failure.strerror}. {_hint(path)}", Exit.UNAVAILABLE) from None
    except ValueError:
        raise Stop(f"What answers at {path} is no farm.", Exit.PROTOCOL) from None


def _hint(path: Path) -> str:
    sockets = sorted(_folder(os.environ).glob(_GLOB))
    others = [str(other) for other in sockets if other != path and probe(Endpoint(path=str(other))) is None]
    if not others:
        return "Start one with `castiron farm`, or name its socket with --control."
    return f"Name another with --port or --control: {', '.join(others)}."
