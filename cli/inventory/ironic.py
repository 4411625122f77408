"""Inventories in JSON: nodes as Ironic prints them, and as castiron does.

    baremetal node list --long -f json        columns under their headings: "Driver Info", "Provisioning State"
    openstack baremetal node show n1 -f json  one node, fields under their names
    castiron node list --format json          likewise

What a node is (state, uuid, times) is not taken over: castiron looks for itself, and gives uuids of its own. What it is
set to, and castiron has no place for, is told.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from castiron.cli.inventory.entries import FIELDS, Entry, Mistake, entry, read_json
from castiron.transport.replies import NodeView

DRIVERS: Final[Mapping[str, str]] = {"fake-hardware": "fake"}
"""Ironic's name of a driver → castiron's, where they differ."""

_HEADINGS: Final[Mapping[str, str]] = {"provisioning_state": "provision_state"}

OBSERVED: Final = frozenset(
    {
        *(
            "uuid",
            "links",
            "ports",
            "portgroups",
            "volume",
            "states",
            "bios",
            "created_at",
            "updated_at",
            "reservation",
        ),
        *("power_state", "target_power_state", "provision_state", "target_provision_state", "provision_updated_at"),
        *("inspection_started_at", "inspection_finished_at", "last_error", "fault", "console_enabled", "conductor"),
        *("driver_internal_info", "allocation_uuid", "allocation_id", "chassis_uuid", "boot_mode", "secure_boot"),
        *("clean_step", "deploy_step", "service_step", "raid_config", "health", "current_clean_step"),
    }
)
"""What others say of what a node is, not of what it is to be."""

SET_ELSEWHERE: Final = frozenset(
    {
        *("maintenance", "maintenance_reason", "protected", "protected_reason", "instance_info", "instance_name"),
        *("target_raid_config", "automated_clean", "conductor_group", "owner", "lessee", "description", "shard"),
        *("network_data", "parent_node", "firmware_components", "disable_power_off_reason"),
        *(
            f"{kind}_interface"
            for kind in (
                *("bios", "boot", "console", "deploy", "firmware", "inspect", "management", "network", "power"),
                *("raid", "rescue", "storage", "vendor"),
            )
        ),
    }
)
"""What Ironic's nodes are set to, and import does not set."""

IGNORED: Final = (OBSERVED | frozenset(NodeView.__struct_fields__)) - SET_ELSEWHERE - frozenset(FIELDS)
"""The same, and what castiron says of its own nodes."""

INFO_KEYS: Final = frozenset(
    {
        *("deploy_kernel", "deploy_ramdisk", "deploy_iso", "rescue_kernel", "rescue_ramdisk", "rescue_iso"),
        *("bootloader", "config_via_removable", "deploy_forces_oob_reboot", "force_persistent_boot_device"),
        *("kernel_append_params", "http_url", "external_http_url", "agent_verify_ca", "clean_kernel", "clean_ramdisk"),
        *("ipmi_terminal_port", "ipmi_protocol_version", "ipmi_force_boot_device", "ipmi_disable_boot_timeout"),
        *("ipmi_bridging", "ipmi_local_address", "ipmi_target_channel", "ipmi_target_address"),
        *("ipmi_transit_channel", "ipmi_transit_address"),
    }
)
"""Keys of Ironic's driver_info that mean nothing to castiron's drivers."""

_KEYS: Final[Mapping[str, str]] = {"ipmi_hex_kg_key": "ipmi_k_g"}
"""Keys that castiron has another name for."""


def from_json(text: str) -> Iterator[Entry | list[Mistake]]:
    """Yield the entries of a document: a list of nodes, an object with `nodes`, or one node.

    Raises:
        ValueError: it is none of these.
    """
    document = read_json(text)
    nodes = cast("dict[str, Any]", document).get("nodes", [document]) if isinstance(document, dict) else document
    if not isinstance(nodes, list):
        raise ValueError("it is neither a list of nodes nor a node")  # noqa: TRY004 - one kind of error from all readers
    for number, one in enumerate(cast("list[object]", nodes), start=1):
        where = f"entry {number}"
        if isinstance(one, dict):
            yield _node(where, cast("dict[str, Any]", one))
        else:
            yield [Mistake(where, "", "a node is an object.")]


def _node(where: str, given: Mapping[str, Any]) -> Entry | list[Mistake]:
    named = {_field(key): value for key, value in given.items()}
    left_out = [name for name in SET_ELSEWHERE if _says_something(named.get(name))]
    fields = {name: value for name, value in named.items() if name not in SET_ELSEWHERE | IGNORED}
    for name in ("driver_info", "properties", "extra", "traits"):
        fields[name] = _unfolded(fields.get(name))
    if isinstance(fields["driver_info"], dict):
        info = cast("dict[str, Any]", fields["driver_info"])
        left_out += [f"driver_info.{key}" for key in info if key in INFO_KEYS]
        fields["driver_info"] = {_KEYS.get(key, key): value for key, value in info.items() if key not in INFO_KEYS}
    if "driver" in fields:
        fields["driver"] = DRIVERS.get(str(fields["driver"]), fields["driver"])
    said = {name: value for name, value in fields.items() if name not in FIELDS or _says_something(value)}
    return entry(where, said, left_out=sorted(left_out))


def _field(heading: str) -> str:
    """Return the name of a field from the heading of its column, or from itself."""
    name = heading.strip().lower().replace(" ", "_")
    return _HEADINGS.get(name, name)


def _unfolded(value: Any) -> Any:
    """Return a map or list that the client has printed as the JSON in a text."""
    if isinstance(value, str) and value.strip()[:1] in {"{", "["}:
        try:
            return read_json(value)
        except ValueError:
            return value
    return value


def _says_something(value: Any) -> bool:
    """Return whether a field is more than there; an interval of 0 is."""
    return not (value is None or value is False or value in ("", [], {}))
