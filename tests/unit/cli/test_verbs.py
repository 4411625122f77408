"""Every verb can be typed, and the manual is in step."""

from collections.abc import Iterator
from pathlib import Path

import click

from castiron.cli.main import main
from castiron.cli.manual import manual
from castiron.cli.options import Command
from castiron.transport.verbs import VERBS, tag_of

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "guides" / "commands.md"

BULK = {"bulk.run", "bulk.cancel"}

MOVES = (
    *("adopt", "clean", "deploy", "inspect", "manage", "provide"),
    *("rebuild", "rescue", "service", "undeploy", "unrescue"),
)

VERBS_OF = {
    **{f"node {word}": {"node.provision.set", *BULK} for word in MOVES},
    "node abort": {"node.provision.abort"},
    "node hold": {"node.provision.hold"},
    "node unhold": {"node.provision.unhold"},
    "node step done": {"node.step.done"},
    "node step list": {"node.step.list"},
    "node step progress": {"node.step.progress"},
    "allocation create": {"allocation.create", "allocation.wait", "allocation.show"},
    "allocation delete": {"allocation.delete"},
    "allocation list": {"allocation.list"},
    "allocation set": {"allocation.set"},
    "allocation show": {"allocation.show"},
    "allocation unset": {"allocation.set"},
    "allocation wait": {"allocation.wait", "allocation.show", "node.show"},
    "doctor": {"status", "node.show", "node.boot_device.get"},
    "events": {"event.list", "hello", "node.list"},
    "node boot-device set": {"node.boot_device.set", *BULK},
    "node boot-device show": {"node.boot_device.get", *BULK},
    "drain": {"conductor.drain", "status"},
    "node create": {"node.create"},
    "node delete": {"node.delete"},
    "node explain": {"node.explain"},
    "node import": {"node.show", "node.create", "node.set"},
    "node history": {"node.history"},
    "node sensors": {"node.sensor.list"},
    "alarms": {"node.list"},
    "node list": {"node.list"},
    "node maintenance set": {"node.maintenance.set"},
    "node maintenance unset": {"node.maintenance.unset"},
    "node lock set": {"node.lock.set"},
    "node lock unset": {"node.lock.unset"},
    "node wait": {"node.list", "node.show", "event.list", "hello"},
    "node power off": {"node.power.set", *BULK},
    "node power on": {"node.power.set", *BULK},
    "node power reboot": {"node.power.set", *BULK},
    "node power soft-off": {"node.power.set", *BULK},
    "node power soft-reboot": {"node.power.set", *BULK},
    "node power status": {"node.show"},
    "node record": {"node.record"},
    "node set": {"node.set"},
    "node show": {"node.show"},
    "periodics list": {"periodic.list"},
    "periodics start": {"periodic.start"},
    "periodics stop": {"periodic.stop"},
    "ping": {"ping", "hello"},
    "request abort": {"request.abort"},
    "request cancel": {"request.cancel"},
    "request list": {"request.list"},
    "request show": {"request.show"},
    "request trace": {"request.trace"},
    "request wait": {"request.wait", "request.show"},
    "runbook check": {"runbook.create", "runbook.set", "runbook.list"},
    "runbook create": {"runbook.create"},
    "runbook delete": {"runbook.delete"},
    "runbook list": {"runbook.list"},
    "runbook set": {"runbook.set"},
    "runbook show": {"runbook.show"},
    "settings": {"status"},
    "status": {"status"},
    "top": {"status"},
    "web": {
        *("event.list", "hello", "node.explain", "node.history", "node.list", "node.show", "request.list"),
        *("request.trace", "status"),
    },
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


def test_the_commands_send_the_verbs_that_this_table_says() -> None:
    found = {
        path: {tag_of(verb) for verb in command.verbs}
        for path, command in commands(main)
        if isinstance(command, Command) and command.verbs
    }

    assert found == VERBS_OF


def test_every_verb_can_be_typed() -> None:
    assert set().union(*VERBS_OF.values()) == set(VERBS)


def test_every_command_says_what_it_does() -> None:
    assert all(command.help for _, command in commands(main))


def test_no_option_is_kept_where_another_one_is() -> None:
    for path, command in commands(main):
        ctx = click.Context(command, help_option_names=["-h", "--help"])  # as everywhere: click keeps what it has made
        names = [param.name for param in command.get_params(ctx)]
        assert len(names) == len(set(names)), f"{path}: a value of one option would be taken for the other's"


def test_the_manual_is_in_step() -> None:
    assert MANUAL.read_text() == manual(), "run: python -m castiron.cli.manual > docs/guides/commands.md"
