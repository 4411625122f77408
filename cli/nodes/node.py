"""`castiron node`: make nodes known, list, show, change and forget them.

Power, boot device and moving have files of their own, and so has what is read from JSON.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import click

from castiron.cli.bulk import Outcome, conclude, dry_run_option, folded, leave, send, tell_outcomes
from castiron.cli.nodes.enrolment import STDIN, batches
from castiron.cli.nodes.nodetable import node_lines
from castiron.cli.nodes.selection import choose, selection
from castiron.cli.options import Command, Group, Shared, is_terminal, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import show_json, show_record
from castiron.cli.pairs import json_pairs, text_pairs
from castiron.cli.reach import connect
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeCreate, NodeDelete, NodeSet, NodeShow

_MAPS: Final = ("driver_info", "properties", "extra")
_OWN: Final = {
    "power-timeout": "power_state_change_timeout_s",
    "soft-timeout": "soft_power_off_timeout_s",
    "check-interval": "power_check_interval_s",
    "sensor-interval": "sensor_data_interval_s",
    "resource-class": "resource_class",
    "protected-reason": "protected_reason",
    "retired-reason": "retired_reason",
}

_SWITCHES: Final = ("protected", "retired", "disable_power_off")
"""Options that say yes or no, or nothing at all."""

_driver_info = click.option(
    "--driver-info",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the driver needs, in Ironic's names: ipmi_address, ipmi_username, ipmi_password… KEY=@FILE takes the "
    "value from a file, KEY=- asks for it without an echo. Repeatable.",
)
_property = click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="KEY=VALUE",
    help="About the machine; JSON where it reads as JSON, text otherwise. Repeatable.",
)
_extra = click.option("--extra", multiple=True, metavar="KEY=VALUE", help="About anything, as --property. Repeatable.")
_power_timeout = click.option(
    "--power-timeout",
    "power_state_change_timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long the machine may take to reach a power state. [default: the conductor's]",
)
_soft_timeout = click.option(
    "--soft-timeout",
    "soft_power_off_timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long its operating system may take to shut down. [default: the conductor's]",
)
_check_interval = click.option(
    "--check-interval",
    "power_check_interval_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="From one look at its power state to the next; 0: never look. [default: the conductor's]",
)
_sensor_interval = click.option(
    "--sensor-interval",
    "sensor_data_interval_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="From one reading of its sensors to the next; 0: never read them. [default: the conductor's]",
)
_resource_class = click.option("--resource-class", metavar="TEXT", help="What kind of machine it is, to be chosen by.")
_trait = click.option(
    "--trait",
    "traits",
    multiple=True,
    metavar="WORD",
    help="What it has or can: a standard word, as HW_CPU_X86_VMX, or CUSTOM_… Repeatable; they replace those it has.",
)
_disable_power_off = click.option(
    "--disable-power-off/--no-disable-power-off",
    default=None,
    help="It must not be powered off, not even for a reboot.",
)
_retired = click.option("--retired/--no-retired", default=None, help="It is not to be offered to anybody any more.")
_retired_reason = click.option("--retired-reason", metavar="TEXT", help="Why it is retired.")
_force = click.option("--force", is_flag=True, help="Accept a BMC address that another node has.")


_ELSEWHERE: Final = {
    "boot-device": "castiron.cli.nodes.boot:boot_device",
    "discover": "castiron.cli.inventory.commands:discover",
    "explain": "castiron.cli.nodes.explain:explain",
    "history": "castiron.cli.nodes.history:history",
    "import": "castiron.cli.inventory.commands:import_",
    "list": "castiron.cli.nodes.listing:node_list",
    "lock": "castiron.cli.nodes.maintenance:lock",
    "maintenance": "castiron.cli.nodes.maintenance:maintenance",
    "power": "castiron.cli.nodes.power:power",
    "record": "castiron.cli.nodes.explain:record",
    "sensors": "castiron.cli.sensors.readings:sensors",
    "step": "castiron.cli.provision.step:step",
    "wait": "castiron.cli.nodes.wait:wait",
    **dict.fromkeys(
        (
            *("adopt", "clean", "deploy", "inspect", "manage", "provide"),
            *("rebuild", "rescue", "service", "undeploy", "unrescue"),
        ),
        "castiron.cli.provision.move:MOVES",
    ),
    **dict.fromkeys(("abort", "hold", "unhold"), "castiron.cli.provision.steering:STEERING"),
}
"""Sub-command → where it is; loaded when it is used, for together they take longer than a list of nodes."""


@click.group(cls=Group, elsewhere=_ELSEWHERE)
def node() -> None:
    """Make nodes known, look at them, change, power and move them. RANGE is a name, a uuid, or a range: n[1-20]."""


@node.command("create", cls=Command, verbs=(NodeCreate,))
@click.argument("name", required=False)
@click.option(
    "-f",
    "--file",
    "path",
    metavar="FILE",
    help="Make the nodes of a file of JSON, one object with the fields of node.create a line; - for standard input. "
    "What `castiron farm --format json` prints will do.",
)
@click.option("--driver", help="How the BMC is spoken to. [default: ipmi]")
@_driver_info
@_property
@_extra
@_power_timeout
@_soft_timeout
@_check_interval
@_sensor_interval
@_resource_class
@_trait
@_disable_power_off
@_retired
@_retired_reason
@_force
@dry_run_option
def _create(name: str | None, path: str | None, **given: Any) -> None:
    """Make a node known, or many. The BMC is not asked: a wrong password shows at the first use."""
    fields = _fields(given)
    if (name is None) == (path is None):
        raise click.UsageError("Name a node, or a file of nodes with -f.")
    if name is not None:
        return _show_created(name, NodeCreate(name=name, **fields), shared())
    if set(fields) - {"force", "dry_run"}:
        raise click.UsageError(
            "With -f, everything about a node stands in the file; only --force and --dry-run may be added."
        )
    return _create_all(path or STDIN, force=bool(given["force"]), dry_run=bool(given["dry_run"]), given=shared())


def _show_created(name: str, verb: NodeCreate, given: Shared) -> None:
    with connect(given) as client:
        (outcome,) = send(client, [(name, verb)])
    if verb.dry_run or outcome.error is not None:
        conclude([outcome], _created, given)
    if given.is_json:
        show_json(outcome.result)
    else:
        click.echo(f"{outcome.result.name}: created, uuid {outcome.result.uuid}")


def _create_all(path: str, *, force: bool, dry_run: bool, given: Shared) -> None:
    """Make the nodes of a file. What comes from standard input is told at once: its writer may stay open for hours."""
    is_told_at_once = path == STDIN and not given.is_json
    outcomes: list[Outcome] = []
    with connect(given) as client:
        for batch in batches(path, force=force, dry_run=dry_run):
            some = send(client, batch)
            outcomes += some
            if is_told_at_once:
                tell_outcomes(some, _created)
    if is_told_at_once:
        leave(outcomes)
    conclude(outcomes, _created, given)


def _created(_: NodeView) -> str:
    return "created"


@node.command("show", cls=Command, verbs=(NodeShow,))
@click.argument("name", metavar="NODE")
def _show(name: str) -> None:
    given = shared()
    with connect(given) as client:
        _print_node(client.nodes.show(name), given)


def _print_node(view: NodeView, given: Shared) -> None:
    if given.is_json:
        show_json(view)
    else:
        show_record(node_lines(view, time.time()))


@node.command("set", cls=Command, verbs=(NodeSet,))
@selection
@click.option("--name", "new_name", metavar="NAME", help="Its new name; for one node.")
@click.option("--driver", help="How the BMC is spoken to.")
@_driver_info
@_property
@_extra
@click.option(
    "--unset",
    multiple=True,
    metavar="FIELD",
    help="driver_info.KEY, properties.KEY or extra.KEY is removed; power-timeout, soft-timeout, check-interval or "
    "sensor-interval goes back to the conductor's; resource-class, protected-reason, retired-reason and traits are "
    "forgotten. Repeatable.",
)
@_power_timeout
@_soft_timeout
@_check_interval
@_sensor_interval
@_resource_class
@_trait
@_disable_power_off
@click.option(
    "--protected/--no-protected",
    default=None,
    help="It is not given back, rebuilt or forgotten; only while it is active or in rescue.",
)
@click.option("--protected-reason", metavar="TEXT", help="Why it is protected.")
@_retired
@_retired_reason
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="Only if the node still has this revision.")
@_force
@dry_run_option
def _set(
    range_: str | None, where: tuple[str, ...], new_name: str | None, unset: tuple[str, ...], **options: Any
) -> None:
    """Change attributes of nodes; what is not named stays as it is.

    A request under way hinders only a change of the driver or its information: the BMC must stay within its reach.
    """
    fields = _fields(options)
    for field, value in _unset(unset).items():
        fields[field] = value | fields.get(field, {}) if isinstance(value, dict) else value
    if new_name is not None:
        fields["name"] = new_name
    if not set(fields) - {"force", "revision", "dry_run"}:
        raise click.UsageError("Say what to change.")
    given = shared()
    nodes = choose(range_, where, given)
    if new_name is not None and len(nodes) > 1:
        raise click.UsageError("--name is for one node: two cannot have the same name.")
    with connect(given) as client:
        outcomes = send(client, [(one.name, NodeSet(node=one.ref, **fields)) for one in nodes])
    if len(outcomes) != 1 or outcomes[0].error is not None or "dry_run" in fields:
        conclude(outcomes, lambda _: "changed", given)
    _print_node(outcomes[0].result, given)


@node.command("delete", cls=Command, verbs=(NodeDelete,))
@selection
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="Only if the node still has this revision.")
@click.option("--force", is_flag=True, help="Also while a request is running, which then ends as failed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
@dry_run_option
def _delete(
    range_: str | None, where: tuple[str, ...], revision: int | None, *, force: bool, yes: bool, dry_run: bool
) -> None:
    """Forget nodes. The machines are not touched; requests stay readable for as long as they are kept.

    A request that waits ends as cancelled. One that is running is in the way, unless --force ends it as failed: what
    has been sent to the BMC is not taken back.
    """
    given = shared()
    nodes = choose(range_, where, given)
    names = [one.name for one in nodes]
    if not (yes or dry_run):
        _ask(f"Forget {len(names)} nodes ({folded(names)})?" if len(names) > 1 else f"Forget node {names[0]}?")
    with connect(given) as client:
        verbs = [(one.name, NodeDelete(node=one.ref, revision=revision, force=force, dry_run=dry_run)) for one in nodes]
        outcomes = send(client, verbs)
    conclude(outcomes, lambda _: "deleted", given)


def _ask(question: str) -> None:
    if not is_terminal("stdin"):
        raise click.UsageError(f"{question} There is nobody to ask: add --yes.")
    if not click.confirm(question, err=True):
        raise Stop("Nothing was deleted.", Exit.OK)


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a verb from the options that were given; an interval of 0.0 was, and so was a --no-…."""
    switches = {key: given.pop(key) for key in _SWITCHES if key in given}
    read = {
        "driver_info": text_pairs("--driver-info", given.pop("driver_info")),
        "properties": json_pairs("--property", given.pop("properties")),
        "extra": json_pairs("--extra", given.pop("extra")),
    }
    if given.get("traits"):
        given["traits"] = list(given["traits"])
    said = {key: value for key, value in switches.items() if value is not None}
    return said | {key: value for key, value in (given | read).items() if value or isinstance(value, float)}


def _unset(names: Sequence[str]) -> dict[str, Any]:
    """Return what --unset puts into fields: nil under the key, or nil for the whole."""
    fields: dict[str, Any] = {}
    for name in names:
        group, _, key = name.partition(".")
        if group in _MAPS and key:
            fields[group] = {**fields.get(group, {}), key: None}
        elif name in _OWN:
            fields[_OWN[name]] = None
        elif name == "traits":
            fields[name] = []
        else:
            possible = [*(f"{one}.KEY" for one in _MAPS), *_OWN, "traits"]
            raise click.UsageError(f"--unset takes one of {', '.join(possible)}.")
    return fields
