"""`castiron node boot-device`: read and set where machines boot from."""

from typing import Final, TypedDict, Unpack, cast, get_args

import click

from castiron.cli.nodes.pacing import Pace, paced
from castiron.cli.nodes.selection import bulk_selection
from castiron.cli.nodes.terms import callback_url
from castiron.cli.options import Command, Group, shared
from castiron.cli.orders import Selected, carry_out
from castiron.transport.clients.nodes import SettableBootDevice
from castiron.transport.replies import RequestView
from castiron.transport.verbs import BulkCancel, BulkRun, NodeBootDeviceGet, NodeBootDeviceSet

_DEVICES: Final = get_args(SettableBootDevice)


class _Terms(TypedDict):
    """Options that are handed on as they are."""

    persistent: bool
    uefi: bool
    callback_url: str | None


@click.group(cls=Group)
def boot_device() -> None:
    """Read or set where machines boot from. RANGE is a node's name or uuid, or a host range: n[1-20], n1,n2."""


@boot_device.command("show", cls=Command, verbs=(NodeBootDeviceGet, BulkRun, BulkCancel))
@bulk_selection
@callback_url
@paced(changes=False)
def _show(range_: str | None, where: tuple[str, ...], callback_url: str | None, *, pace: Pace) -> None:
    """Read from the BMCs where machines will boot from. Waits for the BMCs' answers."""
    request = NodeBootDeviceGet(node="", callback_url=callback_url)
    carry_out(request, Selected(range_, where), _device, wait=True, pace=pace, given=shared())


@boot_device.command("set", cls=Command, verbs=(NodeBootDeviceSet, BulkRun, BulkCancel))
@bulk_selection
@click.argument("device", type=click.Choice(_DEVICES), required=False)
@click.option("--persistent", is_flag=True, help="From now on, not only the next time.")
@click.option("--uefi", is_flag=True, help="Boot it in UEFI mode.")
@click.option("--wait", is_flag=True, help="Wait until it is done, or has failed.")
@callback_url
@paced(changes=True)
def _set(
    range_: str | None,
    where: tuple[str, ...],
    device: SettableBootDevice | None,
    *,
    wait: bool,
    pace: Pace,
    **terms: Unpack[_Terms],
) -> None:
    if device is None and range_ in _DEVICES:  # the only word there is
        range_, device = None, cast("SettableBootDevice", range_)
    if device is None:
        raise click.UsageError(f"Say where to boot from: {', '.join(_DEVICES)}.")
    request = NodeBootDeviceSet(node="", boot_device=device, **terms)
    carry_out(request, Selected(range_, where), _device, wait=wait, pace=pace, given=shared())


def _device(view: RequestView) -> str:
    result = view.result or {}
    how = [word for word in ("persistent", "uefi") if result.get(word)]
    return ", ".join([str(result.get("boot_device") or "unknown"), *how])
