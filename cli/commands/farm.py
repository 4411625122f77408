"""`castiron farm`: simulated BMCs over UDP for any IPMI client, until it is told to end; and what it can be told.

What a BMC does is decided in castiron.testing, which is loaded only when a farm starts.
"""

import errno
import json
import os
import signal
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from castiron.cli.commands.farmhand import DEFAULT_PORT, ORDERS, Whereabouts, control_path
from castiron.cli.commands.signals import ENDS, held
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop

if TYPE_CHECKING:
    from castiron.testing import BMCFarm, SimulatedBMC

COLUMNS: Final = ("name", "address", "port", "username", "password")
"""What is told about each BMC: all that an IPMI client needs."""

_LOOK_AGAIN_S: Final = 1.0


class _PortTaken(click.ClickException):
    exit_code = os.EX_UNAVAILABLE


class _PortForbidden(click.ClickException):
    exit_code = os.EX_NOPERM


@click.group(invoke_without_command=True, subcommand_metavar="[ORDER [ARGS]...]")
@click.option("--bmcs", type=click.IntRange(1, 65_534), default=20, show_default=True, help="How many BMCs.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="UDP port of all of them; 0 for any that is free.",
)
@click.option("--username", default="admin", show_default=True, help="Their only user.")
@click.option("--password", default="password", show_default=True, help="The user's password.")
@click.option("--silent", type=click.IntRange(0), default=0, metavar="K", help="The last K BMCs never answer.")
@click.option(
    "--slow",
    default="0",
    metavar="SECONDS",
    help="Every BMC answers so much later: 0.5, or between 0.1,2, or tail:MEDIAN,P99.",
)
@click.option(
    "--loss", type=click.FloatRange(0, 100), default=0.0, metavar="P", help="Lose P % of datagrams, each way."
)
@click.option("--seed", type=int, default=0, show_default=True, help="What losses and delays are drawn from.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--control",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Socket for orders. [default: castiron/farm-PORT.sock in $XDG_RUNTIME_DIR, else in ~/.castiron]",
)
@click.pass_context
def farm(
    ctx: click.Context,
    *,
    bmcs: int,
    port: int,
    username: str,
    password: str,
    silent: int,
    slow: str,
    loss: float,
    seed: int,
    shape: str,
    control: Path | None,
) -> None:
    """Run simulated BMCs until Ctrl-C, or give an order to those that run.

    Each BMC has its own address in 127.0.0.0/8 and speaks IPMI 2.0 (cipher suites 3 and 17) to this machine only. For
    example: ipmitool -I lanplus -C 17 -H 127.100.0.1 -p 6230 -U admin -P password power status

    While it runs, BMCs can be made to fail: castiron farm set 'bmc[3-5]' silent=true
    """
    if ctx.invoked_subcommand is not None:
        ctx.obj = _whereabouts(ctx, port, control)
        return
    from castiron.testing import BMCFarm, Faults, read_faults  # noqa: PLC0415 - orders must not pay for simulated BMCs

    try:
        faults = Faults(**read_faults({"slow": slow, "loss": str(loss)}))
        simulated = BMCFarm(bmcs, port=port, username=username, password=password, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with held(), _started(simulated), _controlled(simulated, control) as orders:
        for number, bmc in enumerate(simulated):
            bmc.set_faults(Faults(silent=True) if number >= bmcs - silent else faults)
        click.echo(_as_json(list(simulated)) if shape == "json" else _as_table(list(simulated)))
        click.echo(f"{bmcs} BMCs on UDP port {simulated.port}. Ctrl-C ends them.\n{orders}", err=True)
        while simulated.is_alive():
            if signal.sigtimedwait(ENDS, _LOOK_AGAIN_S):
                return
        raise click.ClickException("the farm's thread has died; see the traceback above")


for _order in ORDERS:
    farm.add_command(_order)


def _whereabouts(ctx: click.Context, port: int, control: Path | None) -> Whereabouts:
    """Return which farm an order is for, and refuse options that only start one."""
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if useless := [name for name in given if name not in {"port", "control"}]:
        name = "format" if useless[0] == "shape" else useless[0]
        raise click.UsageError(f"--{name} before an order is for a farm that starts, not for one that runs.")
    return Whereabouts(port, control)


@contextmanager
def _controlled(simulated: "BMCFarm", named: Path | None) -> Generator[str]:
    """Let a farm take orders, and say how to give one. Without a socket of its own it runs all the same."""
    from castiron.testing import FarmControl  # noqa: PLC0415 - as above

    path = named or control_path(simulated.port, os.environ)
    try:
        control = FarmControl(simulated, path).start()
    except OSError as error:
        reason = f"The farm cannot take orders at {path}: {error.strerror or error}."
        if named is not None:
            raise Stop(reason, Exit.CANNOT_CREATE) from None
        yield reason
        return
    option = f"--control {path} " if named else f"--port {simulated.port} " if simulated.port != DEFAULT_PORT else ""
    with closing(control):
        yield f"It takes orders at {path}: castiron farm set {option}bmc1 silent=true"


@contextmanager
def _started(simulated: "BMCFarm") -> Generator[None]:
    try:
        simulated.start()
    except OSError as error:
        if error.errno == errno.EACCES:
            needs_root = f"UDP port {simulated.port} needs root; choose one above 1023 with --port"
            raise _PortForbidden(needs_root) from error
        raise _PortTaken(str(error.strerror)) from error
    try:
        yield
    finally:
        simulated.close()


def _rows(bmcs: "Sequence[SimulatedBMC]") -> list[dict[str, str | int]]:
    return [{column: getattr(bmc, column) for column in COLUMNS} for bmc in bmcs]


def _as_json(bmcs: "Sequence[SimulatedBMC]") -> str:
    return json.dumps(_rows(bmcs))


def _as_table(bmcs: "Sequence[SimulatedBMC]") -> str:
    """Return one line per BMC, nothing else: it is read by eyes and by `read name address port username password`."""
    rows = [[str(value) for value in row.values()] for row in _rows(bmcs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
