"""`castiron farm`: simulated BMCs over UDP for any IPMI client, until it is told to end.

What a BMC does is decided in castiron.testing, which is loaded only when this command runs.
"""

import errno
import json
import os
import signal
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from types import FrameType

    from castiron.testing import BMCFarm, SimulatedBMC

DEFAULT_PORT: Final = 6230
"""Where VirtualBMC puts its first BMC: free on most machines, and needs no root as 623 does."""
COLUMNS: Final = ("name", "address", "port", "username", "password")
"""What is told about each BMC: all that an IPMI client needs."""

_LOOK_AGAIN_S: Final = 1.0


class _Delay(click.ParamType[float | tuple[float, float]]):
    """Seconds, or least and most seconds."""

    name = "SECONDS|MIN,MAX"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | tuple[float, float]:
        least, comma, most = str(value).partition(",")
        try:
            return (float(least), float(most)) if comma else float(least)
        except ValueError:
            self.fail(f"{value!r} is neither seconds nor MIN,MAX seconds; for example 0.5 or 0.1,2", param, ctx)


class _PortTaken(click.ClickException):
    exit_code = os.EX_UNAVAILABLE


class _PortForbidden(click.ClickException):
    exit_code = os.EX_NOPERM


@click.command()
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
@click.option("--slow", type=_Delay(), default=0.0, help="Every BMC answers so much later, for example 0.5 or 0.1,2.")
@click.option(
    "--loss", type=click.FloatRange(0, 100), default=0.0, metavar="P", help="Lose P % of datagrams, each way."
)
@click.option("--seed", type=int, default=0, show_default=True, help="What losses and delays are drawn from.")
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True)
def farm(
    *,
    bmcs: int,
    port: int,
    username: str,
    password: str,
    silent: int,
    slow: float | tuple[float, float],
    loss: float,
    seed: int,
    shape: str,
) -> None:
    """Run simulated BMCs until Ctrl-C.

    Each BMC has its own address in 127.0.0.0/8 and speaks IPMI 2.0 (cipher suites 3 and 17) to this machine only. For
    example: ipmitool -I lanplus -C 17 -H 127.100.0.1 -p 6230 -U admin -P password power status
    """
    from castiron.testing import BMCFarm, Faults  # noqa: PLC0415 (other commands must not pay for simulated BMCs)

    try:
        faults = Faults(slow_s=slow, loss_percent=loss)
        simulated = BMCFarm(bmcs, port=port, username=username, password=password, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with _until_told() as told, _started(simulated):
        for number, bmc in enumerate(simulated):
            bmc.set_faults(Faults(silent=True) if number >= bmcs - silent else faults)
        click.echo(_as_json(list(simulated)) if shape == "json" else _as_table(list(simulated)))
        click.echo(f"{bmcs} BMCs on UDP port {simulated.port}. Ctrl-C ends them.", err=True)
        while simulated.is_alive():
            if told.wait(_LOOK_AGAIN_S):
                return
        raise click.ClickException("the farm's thread has died; see the traceback above")


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


@contextmanager
def _until_told() -> Generator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; put their old handlers back at the end."""
    told = threading.Event()
    wanted = (signal.SIGINT, signal.SIGTERM)

    def tell(_number: int, _frame: "FrameType | None") -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in wanted}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
