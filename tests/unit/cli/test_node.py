"""Nodes are made, listed, shown, changed and forgotten; answers come from a front door."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from castiron.transport.errors import ConductorOverloaded
from tests.support.memory_conductor import MemoryConductor

Run = Callable[..., Result]


def answered(result: Result) -> object:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def by_name(conductor: MemoryConductor) -> dict[str, object]:
    return {node.name: node for node in conductor.nodes.values()}


def test_a_node_is_made_with_everything_that_was_typed(run: Run, conductor: MemoryConductor, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")

    result = run(
        *("node", "create", "n1", "--driver", "fake", "--driver-info", "ipmi_address=127.0.0.1"),
        *("--driver-info", f"ipmi_password=@{tmp_path}/password", "--driver-info", "ipmi_username=-"),
        *("--property", "cpus=8", "--extra", "owner=me", "--power-timeout", "30", "--soft-timeout", "40"),
        typed="root\n",
    )

    (node,) = conductor.nodes.values()
    assert result.stdout == f"n1: created, uuid {node.uuid}\n"
    assert node.driver == "fake"
    assert node.driver_info == {
        "ipmi_address": "127.0.0.1",
        "ipmi_password": "from a file",
        "ipmi_username": "root",
    }
    assert (node.properties, node.extra) == ({"cpus": 8}, {"owner": "me"})
    assert (node.power_state_change_timeout_s, node.soft_power_off_timeout_s) == (30.0, 40.0)


def test_a_bmc_address_is_taken_twice_only_by_force(run: Run, three: MemoryConductor) -> None:
    words = ("node", "create", "n4", "--driver-info", "ipmi_address=127.0.0.1")

    assert run(*words).exit_code == 73
    assert run(*words, "--force").exit_code == 0
    assert len(three.nodes) == 4


def test_many_nodes_are_made_from_what_the_farm_prints(run: Run, conductor: MemoryConductor) -> None:
    farm = [{"name": f"bmc{n}", "address": f"127.0.0.{n}", "port": 6230, "username": "a"} for n in range(1, 6)]

    result = run("node", "create", "-f", "-", typed=json.dumps(farm) + "\n")

    assert result.stdout == "bmc[1-5]: created\n"
    assert len(conductor.nodes) == 5


def test_each_node_of_a_file_has_its_own_outcome(run: Run, three: MemoryConductor, tmp_path: Path) -> None:
    lines: list[object] = [{"name": "n3"}, {"name": "n4"}, {"name": "n5", "driver_info": {"x": []}}]
    (tmp_path / "nodes").write_text("\n".join(map(json.dumps, lines)))

    result = run("node", "create", "--format", "json", "-f", str(tmp_path / "nodes"))

    outcomes = json.loads(result.stdout)
    assert [(one["node"], one["error"] and one["error"]["code"]) for one in outcomes] == [
        ("n3", "node.exists"),
        ("n4", None),
        ("n5", "argument.invalid"),
    ]
    assert result.exit_code == 1
    assert result.stderr == "castiron: 2 of 3 failed.\n"
    assert "n4" in by_name(three)


def test_names_that_no_node_could_have_are_told_as_they_are(
    run: Run, conductor: MemoryConductor, tmp_path: Path
) -> None:
    path = tmp_path / "nodes"
    names = ["ok1", "rack[1", "ok2", "red\x1b[31m", "a,b", ""]
    path.write_text(json.dumps([{"name": name, "driver": "fake"} for name in names]))

    result = run("node", "create", "-f", str(path))

    assert result.stdout == "ok[1-2]: created\n"
    assert result.stderr.startswith("rack[1, red\\x1b[31m, a,b, : argument.invalid: ")
    assert "4 of 6 failed" in result.stderr
    alone = run("node", "create", "-f", "-", typed=json.dumps({"name": names[3], "driver": "fake"}))
    assert alone.stderr.startswith("red\\x1b[31m: ")


def test_a_list_into_a_pipe_is_plain_columns_in_the_order_that_people_count(run: Run, three: MemoryConductor) -> None:
    assert run("node", "create", "n10").exit_code == 0

    result = run("node", "list")

    rows = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert rows == ["NAME", "n1", "n2", "n3", "n10"]
    assert "\x1b" not in result.stdout


def test_a_long_list_stays_one_line_a_node(run: Run, three: MemoryConductor) -> None:
    result = run("node", "list", "n[2-3]", "--long")

    head, *rows = result.stdout.splitlines()
    assert "LAST ERROR" in head
    assert [row.split()[0] for row in rows] == ["n2", "n3"]


def test_an_empty_list_says_what_to_do_without_disturbing_a_pipe(run: Run, conductor: MemoryConductor) -> None:
    result = run("node", "list")

    assert len(result.stdout.splitlines()) == 1
    assert "castiron node create" in result.stderr
    assert answered(run("node", "list", "--format", "json")) == []


def test_a_node_is_shown_by_name_or_uuid(run: Run, three: MemoryConductor) -> None:
    (uuid,) = [node.uuid for node in three.nodes.values() if node.name == "n2"]

    as_json = answered(run("--format", "json", "node", "show", "n2"))

    assert isinstance(as_json, dict)
    assert as_json["uuid"] == uuid
    assert as_json["power_state"] == "power off"
    text = run("node", "show", uuid).stdout
    assert "driver_info.ipmi_address" in text
    assert " s ago)" in text


def test_attributes_are_set_and_removed_and_the_rest_stays(run: Run, three: MemoryConductor) -> None:
    assert run("node", "set", "n1", "--property", "cpus=8", "--extra", "a=b").exit_code == 0

    changed = answered(
        run(
            *("node", "set", "n1", "--name", "m1", "--unset", "properties.cpus", "--property", "ram=3"),
            *("--unset", "extra.a", "--power-timeout", "9", "--unset", "soft-timeout", "--format", "json"),
        )
    )

    assert isinstance(changed, dict)
    assert changed["name"] == "m1"
    assert changed["properties"] == {"ram": 3}
    assert changed["extra"] == {}
    assert changed["driver_info"] == {"ipmi_address": "127.0.0.1"}
    assert changed["power_state_change_timeout_s"] == 9.0


def test_a_node_that_has_changed_meanwhile_is_not_overwritten(run: Run, three: MemoryConductor) -> None:
    assert run("node", "set", "n1", "--extra", "a=1", "--revision", "1").exit_code == 0
    assert run("node", "set", "n1", "--extra", "a=2", "--revision", "1").exit_code == 65


def test_deleting_asks_first_or_wants_yes(run: Run, three: MemoryConductor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("node", "delete", "n[1-2]").exit_code == 64

    def terminal(_: str) -> bool:
        return True

    monkeypatch.setattr("castiron.cli.nodes.node.is_terminal", terminal)
    assert run("node", "delete", "n[1-2]", typed="n\n").exit_code == 0
    assert len(three.nodes) == 3

    assert run("node", "delete", "n1", typed="y\n").stdout == "n1: deleted\n"
    assert run("node", "delete", "n[2-3]", "--yes").stdout == "n[2-3]: deleted\n"
    assert not three.nodes


def test_a_node_that_hides_control_characters_cannot_move_the_cursor(run: Run, three: MemoryConductor) -> None:
    assert run("node", "set", "n1", "--extra", "note=a\x1b[2Jb").exit_code == 0

    assert "\x1b" not in run("node", "show", "n1").stdout


def test_the_conductor_is_pinged_and_tells_its_status(run: Run, three: MemoryConductor) -> None:
    ping = answered(run("ping", "--format", "json"))
    status = answered(run("status", "--format", "json"))

    assert isinstance(ping, dict)
    assert isinstance(status, dict)
    assert ping["welcome"]["conductor"] == three.conductor == status["conductor"]
    assert three.conductor in run("ping").stdout
    assert "3 total" in run("status").stdout


def test_a_busy_conductor_is_told_apart_from_a_broken_command(run: Run, three: MemoryConductor) -> None:
    three.faults["n1"] = ConductorOverloaded("Full.", retry_after_s=1.0)

    assert run("node", "power", "on", "n1", "--wait").exit_code == 75
