"""`castiron node boot-device`: read and set where machines boot from."""

from typing import Final, cast, get_args

import click

from castiron.cli.bulk import dry_run_option
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, Group, shared
from castiron.cli.orders import carry_out
from castiron.cli.terms import terms_options
from castiron.transport.clients.delivery import Terms
from castiron.transport.clients.nodes import SettableBootDevice
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodeBootDeviceGet, NodeBootDeviceSet

_DEVICES: Final = get_args(SettableBootDevice)


@click.group(cls=Group)
def boot_device() -> None:
    """Read or set where machines boot from. RANGE is a node's name or uuid, or a host range: n[1-20], n1,n2."""


@boot_device.command("show", cls=Command, verbs=(NodeBootDeviceGet,))
@selection
@terms_options
def _show(range_: str | None, where: tuple[str, ...], *, terms: Terms) -> None:
    """Read from the BMCs where machines will boot from. Waits for the BMCs' answers."""
    given = shared()
    verbs = [(one.name, NodeBootDeviceGet(node=one.ref)) for one in choose(range_, where, given)]
    carry_out(verbs, _device, terms=terms, wait=True, given=given)


@boot_device.command("set", cls=Command, verbs=(NodeBootDeviceSet,))
@selection
@click.argument("device", type=click.Choice(_DEVICES), required=False)
@click.option("--persistent", is_flag=True, help="From now on, not only the next time.")
@click.option("--uefi", is_flag=True, help="Boot it in UEFI mode.")
@dry_run_option
@click.option("--wait", is_flag=True, help="Wait until it is done, or has failed.")
@terms_options
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
) -> None:
    if device is None and range_ in _DEVICES:  # the only word there is
        range_, device = None, cast("SettableBootDevice", range_)
    if device is None:
        raise click.UsageError(f"Say where to boot from: {', '.join(_DEVICES)}.")
    given = shared()
    verbs = [
        (
            one.name,
            NodeBootDeviceSet(node=one.ref, boot_device=device, persistent=persistent, uefi=uefi, dry_run=dry_run),
        )
        for one in choose(range_, where, given)
    ]
    carry_out(verbs, _device, terms=terms, wait=wait, given=given)


def _device(view: RequestView) -> str:
    result = view.result or {}
    how = [word for word in ("persistent", "uefi") if result.get(word)]
    return ", ".join([str(result.get("boot_device") or "unknown"), *how])
