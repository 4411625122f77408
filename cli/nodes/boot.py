"""`castiron node boot-device`: read and set where machines boot from."""

from typing import Final, get_args

import click

from castiron.cli.bulk import names_of
from castiron.cli.options import Command, Group, shared
from castiron.cli.orders import carry_out
from castiron.transport.clients.nodes import SettableBootDevice
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodeBootDeviceGet, NodeBootDeviceSet

_DEVICES: Final = get_args(SettableBootDevice)


@click.group(cls=Group)
def boot_device() -> None:
    """Read or set where machines boot from. RANGE is a node's name or uuid, or a host range: n[1-20], n1,n2."""


@boot_device.command("show", cls=Command, verbs=(NodeBootDeviceGet,))
@click.argument("range_", metavar="RANGE")
def _show(range_: str) -> None:
    """Read from the BMCs where machines will boot from. Waits for the BMCs' answers."""
    verbs = [(name, NodeBootDeviceGet(node=name)) for name in names_of(range_)]
    carry_out(verbs, _device, wait=True, given=shared())


@boot_device.command("set", cls=Command, verbs=(NodeBootDeviceSet,))
@click.argument("range_", metavar="RANGE")
@click.argument("device", type=click.Choice(_DEVICES))
@click.option("--persistent", is_flag=True, help="From now on, not only the next time.")
@click.option("--uefi", is_flag=True, help="Boot it in UEFI mode.")
@click.option("--wait", is_flag=True, help="Wait until it is done, or has failed.")
def _set(range_: str, device: SettableBootDevice, *, persistent: bool, uefi: bool, wait: bool) -> None:
    verbs = [
        (name, NodeBootDeviceSet(node=name, boot_device=device, persistent=persistent, uefi=uefi))
        for name in names_of(range_)
    ]
    carry_out(verbs, _device, wait=wait, given=shared())


def _device(view: RequestView) -> str:
    result = view.result or {}
    how = [word for word in ("persistent", "uefi") if result.get(word)]
    return ", ".join([str(result.get("boot_device") or "unknown"), *how])
