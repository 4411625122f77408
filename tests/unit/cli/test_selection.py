"""Nodes are chosen by conditions, listed in columns, put into maintenance, waited for."""

import json
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from click.testing import Result
from msgspec import UNSET, structs

from castiron.transport import verbs
from castiron.transport.replies import MASK, LockView
from castiron.transport.vocabulary import EventType, PowerState
from tests.support.deadline import until
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def racked(run: Run, three: MemoryConductor) -> MemoryConductor:
    """n1 and n2 stand in rack 7; n3 in none."""
    for node in list(three.nodes.values()):
        if node.name != "n3":
            three.nodes[node.uuid] = structs.replace(node, properties={"rack": 7, "unit": int(node.name[1:])})
    return three


def sent(conductor: MemoryConductor, verb: type[verbs.Verb]) -> list[str]:
    return [getattr(one, "node", "") for one in conductor.asked if isinstance(one, verb)]


def uuids(conductor: MemoryConductor, *names: str) -> list[str]:
    return [node.uuid for name in names for node in conductor.nodes.values() if node.name == name]


def test_a_list_has_the_nodes_of_which_the_conditions_hold(run: Run, racked: MemoryConductor) -> None:
    result = run("node", "list", "n[1-3]", "--where", "properties.rack=7", "--where", "name!=n1", "--fields", "name")

    assert result.stdout.split() == ["NAME", "n2"]


def test_columns_are_chosen_and_sorted(run: Run, racked: MemoryConductor) -> None:
    words = ("node", "list", "--fields", "name,properties.unit,power_state", "--sort", "properties.unit:desc")

    assert [line.split(maxsplit=2) for line in run(*words).stdout.splitlines()] == [
        ["NAME", "PROPERTIES.UNIT", "POWER_STATE"],
        ["n2", "2", "power off"],
        ["n1", "1", "power off"],
        ["n3", "-", "power off"],
    ]
    assert json.loads(run(*words, "--format", "json").stdout)[0] == {
        "name": "n2",
        "properties.unit": 2,
        "power_state": "power off",
    }


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--where", "power_stat=x"], 65, "A node has no field 'power_stat'. Did you mean power_state?"),
        (["--where", "power_state=on"], 65, "it is never 'on'"),
        (["--where", "rack"], 65, "'rack' is not a condition. Write FIELD=VALUE"),
        (["--fields", "nam"], 65, "Did you mean name?"),
        (["--sort", "nam"], 65, "Did you mean name?"),
        (["--sort", "name:up"], 64, "write name:desc"),
        (["--fields", "name", "--long"], 64, "Use one."),
    ],
)
def test_what_makes_no_sense_in_a_list_is_said(
    run: Run, three: MemoryConductor, words: list[str], code: int, message: str
) -> None:
    result = run("node", "list", *words)

    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_a_list_without_any_such_node_is_no_failure(run: Run, three: MemoryConductor) -> None:
    result = run("node", "list", "--where", "properties.rack=9")

    assert (result.exit_code, result.stderr) == (0, "castiron: There are no such nodes.\n")


def test_nothing_is_sorted_by_a_secret(run: Run, three: MemoryConductor) -> None:
    (node, *_) = three.nodes.values()
    three.nodes[node.uuid] = structs.replace(node, driver_info={"ipmi_password": MASK})

    result = run("node", "list", "--sort", "driver_info.ipmi_password")

    assert result.exit_code == 65
    assert "is a secret" in result.stderr


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["power", "status"], verbs.NodeShow),
        (["maintenance", "set"], verbs.NodeMaintenanceSet),
        (["maintenance", "unset"], verbs.NodeMaintenanceUnset),
        (["lock", "set"], verbs.NodeLockSet),
        (["lock", "unset"], verbs.NodeLockUnset),
        (["set", "--extra", "a=1"], verbs.NodeSet),
        (["delete", "--yes"], verbs.NodeDelete),
    ],
)
def test_nodes_that_conditions_choose_are_asked_by_their_uuids(
    run: Run, racked: MemoryConductor, words: list[str], verb: type[verbs.Verb]
) -> None:
    wanted = uuids(racked, "n1", "n2")

    result = run("node", *words, "--where", "properties.rack=7")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("n[1-2]: ")
    assert sent(racked, verb) == wanted


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["power", "on"], {"verb": "node.power.set", "target": "power on"}),
        (["boot-device", "show"], {"verb": "node.boot_device.get"}),
        (["boot-device", "set", "pxe"], {"verb": "node.boot_device.set", "boot_device": "pxe"}),
    ],
)
def test_what_is_asked_of_machines_goes_out_in_one_message_with_its_conditions(
    run: Run, racked: MemoryConductor, words: list[str], asked: dict[str, str]
) -> None:
    result = run("node", *words, "--where", "properties.rack=7")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("n[1-2]: ")
    (bulk,) = (verb for verb in racked.asked if isinstance(verb, verbs.BulkRun))
    assert (bulk.nodes, [one.field for one in bulk.where]) == (None, ["properties.rack"])
    assert bulk.order.items() >= asked.items()
    assert sorted(one.node for one in racked.requests.values()) == ["n1", "n2"]


@pytest.mark.parametrize(
    "words",
    [["power", "off"], ["boot-device", "show"], ["maintenance", "set"], ["delete", "-y"], ["wait", "--for=fault=null"]],
)
def test_conditions_that_hold_of_no_node_are_an_error(run: Run, three: MemoryConductor, words: list[str]) -> None:
    result = run("node", *words, "n[1-2]", "--where", "name=n3", "--where", "fault=null")

    assert result.exit_code == 66
    assert result.stderr == "castiron: There is no node of n[1-2] of which name=n3 and fault=null holds.\n"
    assert len(three.nodes) == 3


@pytest.mark.parametrize(
    "words", [["power", "off"], ["delete", "-y"], ["boot-device", "set", "pxe"], ["set", "--extra", "a=1"]]
)
def test_no_node_at_all_is_never_all_nodes(run: Run, three: MemoryConductor, words: list[str]) -> None:
    result = run("node", *words)

    assert result.exit_code == 64
    assert "Name nodes with a RANGE, or choose them with --where." in result.stderr


def test_where_to_boot_from_must_be_said(run: Run, three: MemoryConductor) -> None:
    assert run("node", "boot-device", "set", "n1").exit_code == 64


def test_many_nodes_are_changed_but_two_never_get_one_name(run: Run, three: MemoryConductor) -> None:
    changed = run("node", "set", "n[1-3]", "--property", "rack=8")
    renamed = run("node", "set", "n[1-2]", "--name", "x")

    assert (changed.stdout, renamed.exit_code) == ("n[1-3]: changed\n", 64)
    assert {node.properties["rack"] for node in three.nodes.values()} == {8}


def test_maintenance_is_set_with_a_reason_and_ended(run: Run, three: MemoryConductor) -> None:
    begun = run("node", "maintenance", "set", "n[1-2]", "--reason", "fan broken")
    listed = run("node", "list", "--where", "maintenance=yes", "--fields", "name,maintenance_reason")
    ended = run("node", "maintenance", "unset", "n[1-2]")

    assert begun.stdout == "n[1-2]: in maintenance: fan broken\n"
    assert listed.stdout.splitlines()[1:] == ["n1    fan broken", "n2    fan broken"]
    assert ended.stdout == "n[1-2]: not in maintenance\n"


def test_nodes_are_locked_with_a_reason_and_given_back(run: Run, three: MemoryConductor) -> None:
    begun = run("node", "lock", "set", "n[1-2]", "--reason", "new fan")
    listed = run("node", "list", "--where", "lock.reason=new*", "--fields", "name")
    shown = run("node", "show", "n1")
    ended = run("node", "lock", "unset", "n[1-2]")

    assert begun.stdout.startswith("n[1-2]: locked by ipc:uid=")
    assert begun.stdout.endswith(": new fan\n")
    assert listed.stdout.splitlines()[1:] == ["n1", "n2"]
    assert ": new fan" in next(line for line in shown.stdout.splitlines() if line.startswith("lock "))
    assert ended.stdout == "n[1-2]: not locked\n"


def test_somebody_elses_lock_is_a_refusal_and_can_be_forced(run: Run, three: MemoryConductor) -> None:
    lock = LockView(owner="curve:ann", reason="fan", since=1.0)
    node = next(one for one in three.nodes.values() if one.name == "n1")
    three.nodes[node.uuid] = structs.replace(node, lock=lock)

    refused = run("node", "power", "on", "n1")
    forced = run("node", "lock", "unset", "n1", "--force")

    assert refused.exit_code == 75
    assert "locked" in refused.stderr
    assert forced.stdout == "n1: not locked\n"


def test_what_a_node_is_guarded_by_is_set_listed_and_taken_away(run: Run, three: MemoryConductor) -> None:
    run("node", "set", "n[1-2]", "--retired", "--retired-reason", "old", "--disable-power-off")
    run("node", "set", "n1", "--trait", "CUSTOM_RACK_7", "--trait", "HW_NIC_SRIOV", "--resource-class", "baremetal")
    chosen = run("node", "list", "--where", "retired=yes", "--where", "traits=CUSTOM_RACK_7", "--fields", "name")
    run("node", "set", "n1", "--no-retired", "--no-disable-power-off", "--unset", "traits", "--unset", "resource-class")

    asked = [one for one in three.asked if isinstance(one, verbs.NodeSet)]
    assert chosen.stdout.splitlines()[1:] == ["n1"]
    assert (asked[0].retired, asked[0].retired_reason, asked[0].disable_power_off) == (True, "old", True)
    assert (asked[-1].retired, asked[-1].disable_power_off) == (False, False)
    assert (asked[-1].traits, asked[-1].resource_class, asked[-1].protected) == ([], None, UNSET)


def test_a_running_request_is_in_the_way_of_a_deletion_unless_it_is_forced(run: Run, three: MemoryConductor) -> None:
    three.held.add("n1")
    assert run("node", "power", "on", "n1").exit_code == 0

    refused = run("node", "delete", "-y", "n1")
    forced = run("node", "delete", "-y", "n1", "--force")

    assert refused.exit_code == 75
    assert forced.stdout == "n1: deleted\n"


def test_a_wait_ends_when_the_conditions_hold(run: Run, spawn: Spawn, three: MemoryConductor) -> None:
    process = spawn("node", "wait", "n[1-2]", "--for", "power_state=power on", "--timeout", "1m")
    until(lambda: any(isinstance(one, verbs.NodeList) for one in three.asked) or process.poll() is not None)
    run("node", "power", "on", "n[1-2]", "--wait")
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (0, "n[1-2]: power_state=power on\n", "")


def test_a_wait_for_what_holds_already_prints_the_nodes(run: Run, three: MemoryConductor) -> None:
    result = run("node", "wait", "n2", "--for", "power_state=power off", "--format", "json")

    assert [node["name"] for node in json.loads(result.stdout)] == ["n2"]


def test_a_wait_that_is_too_long_has_a_code_of_its_own(run: Run, three: MemoryConductor) -> None:
    result = run("node", "wait", "n[1-3]", "--for", "power_state=power on", "--timeout", "0.1s")

    assert (result.exit_code, result.stdout) == (75, "")
    assert "After 0.1 s it held of 0 of 3 nodes" in result.stderr


def test_an_interrupted_wait_says_how_far_it_came(spawn: Spawn, three: MemoryConductor) -> None:
    (node, *_) = three.nodes.values()
    process = spawn("node", "wait", "n[1-3]", "--for", "power_state=power on")
    until(lambda: any(isinstance(one, verbs.NodeList) for one in three.asked) or process.poll() is not None)
    with three.lock:
        three.nodes[node.uuid] = structs.replace(node, power_state=PowerState.ON, power_state_at=time.time())
        three.events.happen(EventType.POWER_STATE_CORRECTED, node)
    until(lambda: any(isinstance(one, verbs.NodeShow) for one in three.asked))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err.startswith("castiron: Interrupted. It held of ")
    assert err.endswith(" of 3 nodes.\n")


@pytest.mark.parametrize(
    ("text", "code"),
    [("90", 0), ("1.5m", 0), ("2h", 0), ("1d", 0), ("0", 64), ("5w", 64), ("m", 64), ("nan", 64)],
)
def test_a_time_is_seconds_or_has_a_unit(run: Run, three: MemoryConductor, text: str, code: int) -> None:
    assert run("ping", "--timeout", text).exit_code == code
