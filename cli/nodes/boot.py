"""`castiron node boot-device`: read and set where machines boot from."""

from typing import Final, cast, get_args

import click

from castiron.cli.bulk import dry_run_option
from castiron.cli.nodes.pacing import Pace, paced
from castiron.cli.nodes.selection import bulk_selection
from castiron.cli.options import Command, Group, shared
from castiron.cli.orders import Selected, carry_out
from castiron.cli.terms import terms_options
from castiron.transport.clients.delivery import Terms, on_terms
from castiron.transport.clients.nodes import SettableBootDevice
from castiron.transport.replies import RequestView
from castiron.transport.verbs import BulkCancel, BulkRun, NodeBootDeviceGet, NodeBootDeviceSet

_DEVICES: Final = get_args(SettableBootDevice)


@click.group(cls=Group)
def boot_device() -> None:
    """Read or set where machines boot from. RANGE is a node's name or uuid, or a host range: n[1-20], n1,n2."""


@boot_device.command("show", cls=Command, verbs=(NodeBootDeviceGet, BulkRun, BulkCancel))
@bulk_selection
@terms_options
@paced(changes=False)
def _show(range_: str | None, where: tuple[str, ...], *, terms: Terms, pace: Pace) -> None:
    """Read from the BMCs where machines will boot from. Waits for the BMCs' answers."""
    request = on_terms(NodeBootDeviceGet(node=""), **terms)
    carry_out(request, Selected(range_, where), _device, wait=True, pace=pace, given=shared())


@boot_device.command("set", cls=Command, verbs=(NodeBootDeviceSet, BulkRun, BulkCancel))
@bulk_selection
@click.argument("device", type=click.Choice(_DEVICES), required=False)
@click.option("--persistent", is_flag=True, help="From now on, not only the next time.")
@click.option("--uefi", is_flag=True, help="Boot it in UEFI mode.")
@dry_run_option
@click.option("--wait", is_flag=True, help="Wait until it is done, or has failed.")
@terms_options
@paced(changes=True)
def _set(
    range_: str | None,
    where: tuple[str, ...],
    device: SettableBootDevice | None,
    *,
    persistent: bool,
    uefi: bool,
    wait: bool,
    dry_run: bool,
    terms: Terms,
    pace: Pace,
) -> None:
    if device is None and range_ in _DEVICES:  # the only word there is
        range_, device = None, cast("SettableBootDevice", range_)
    if device is None:
        raise click.UsageError(f"Say where to boot from: {', '.join(_DEVICES)}.")
    request = NodeBootDeviceSet(node="", boot_device=device, persistent=persistent, uefi=uefi, dry_run=dry_run)
    selected = Selected(range_, where)
    carry_out(on_terms(request, **terms), selected, _device, wait=wait, pace=pace, given=shared())


def _device(view: RequestView) -> str:
    result = view.result or {}
    how = [word for word in ("persistent", "uefi") if result.get(word)]
    return ", ".join([str(result.get("boot_device") or "unknown"), *how])
