"""`castiron node import`: what a file says, what would change, and that twice is once."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.drivers.ipmi.settings import FIELDS as IPMI
from castiron.actors.drivers.redfish.settings import FIELDS as REDFISH
from castiron.cli.inventory.entries import FIELDS, Entry, Mistaken, judged
from castiron.cli.inventory.ironic import INFO_KEYS, OBSERVED, SET_ELSEWHERE, from_json
from castiron.cli.inventory.tables import from_csv, from_toml
from castiron.transport.clients.blocking.client import Client
from tests.unit.cli.conftest import Run

CSV = """\
name,driver,ipmi_address,driver_info.ipmi_password,resource_class,traits,properties.cpus,retired,power_check_interval_s
n1,ipmi,127.0.0.1,correct horse,big,CUSTOM_A HW_CPU_X86_VMX,32,no,0

n2,ipmi,127.0.0.2,,,,"{""a"": 1}",,
"""
TOML = """\
[defaults]
driver = "ipmi"
driver_info.ipmi_username = "admin"
driver_info.ipmi_password = "correct horse"
[nodes.n1]
driver_info.ipmi_address = "127.0.0.1"
[nodes.n2]
driver_info = {ipmi_address = "127.0.0.2", ipmi_username = "root"}
extra.rack = 3
"""
LONG: dict[str, Any] = {
    "UUID": "6c2f2a0c-2d3a-4c62-9a56-8d1f4f3f5a11",
    "Name": "n1",
    "Driver": "ipmi",
    "Power State": "power on",
    "Provisioning State": "active",
    "Maintenance": True,
    "Driver Info": {
        "ipmi_address": "127.0.0.1",
        "ipmi_username": "admin",
        "ipmi_password": "******",
        "ipmi_hex_kg_key": "00" * 20,
        "deploy_kernel": "http://images/kernel",
    },
    "Properties": '{"cpus": 32}',
    "Extra": {},
    "Traits": [],
    "Resource Class": "big",
    "Network Interface": "neutron",
    "Owner": None,
    "Protected": False,
}


def entries(found: Any) -> list[Entry]:
    return judged(found)


def mistakes(found: Any) -> list[str]:
    with pytest.raises(Mistaken) as wrong:
        judged(found)
    return [str(one) for one in wrong.value.mistakes]


# What files say.


def test_a_table_says_what_its_cells_say_and_no_more() -> None:
    first, second = entries(from_csv(CSV))

    assert (first.name, first.where, second.where) == ("n1", "line 2", "line 4")
    assert first.fields == {
        "driver": "ipmi",
        "driver_info": {"ipmi_address": "127.0.0.1", "ipmi_password": "correct horse"},
        "resource_class": "big",
        "traits": ["CUSTOM_A", "HW_CPU_X86_VMX"],
        "properties": {"cpus": 32},
        "retired": False,
        "power_check_interval_s": 0.0,
    }
    assert second.fields == {
        "driver": "ipmi",
        "driver_info": {"ipmi_address": "127.0.0.2"},
        "properties": {"cpus": {"a": 1}},
    }


def test_defaults_hold_for_nodes_that_do_not_say_otherwise() -> None:
    first, second = entries(from_toml(TOML))

    secret = {"ipmi_password": "correct horse"}
    assert first.fields["driver_info"] == secret | {"ipmi_address": "127.0.0.1", "ipmi_username": "admin"}
    assert second.fields["driver_info"] == secret | {"ipmi_address": "127.0.0.2", "ipmi_username": "root"}
    assert second.fields["extra"] == {"rack": 3}


def test_ironics_columns_are_understood_and_what_is_left_out_is_told() -> None:
    (one,) = entries(from_json(json.dumps([LONG])))

    assert one.fields == {
        "driver": "ipmi",
        "driver_info": {"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_k_g": "00" * 20},
        "properties": {"cpus": 32},
        "resource_class": "big",
    }
    assert one.left_out == ("driver_info.deploy_kernel", "maintenance", "network_interface")
    assert one.masked == ("ipmi_password",)


def test_one_node_as_show_prints_it_is_a_node() -> None:
    shown: dict[str, Any] = {
        "name": "n1",
        "driver": "fake-hardware",
        "driver_info": {},
        "provision_state": "enroll",
        "links": [1],
    }

    (one,) = entries(from_json(json.dumps(shown)))

    assert one.fields == {"driver": "fake"}


def test_the_tables_of_what_is_left_out_name_nothing_that_castiron_has() -> None:
    assert not (OBSERVED | SET_ELSEWHERE) & set(FIELDS)
    assert not OBSERVED & SET_ELSEWHERE
    assert not INFO_KEYS & (set(IPMI) | set(REDFISH))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (from_csv("name,drivr\nn1,ipmi\n"), ["line 2: drivr: a node has no such field. Did you mean driver?"]),
        (from_csv("name,retired\nn1,maybe\nn2,no,3\n"), [
            "line 2: retired: it must be true or false.", "line 3: it has 3 cells, and the first line 2."]),
        (from_csv("name,driver\nn1,fake\n,fake\nn1,fake\n"), [
            "line 3: name: the node has none.", "line 4: name: n1 stands at line 2 already."]),
        (from_csv("name,power_check_interval_s\nn1,soon\n"), [
            "line 2: power_check_interval_s: it must be a number of seconds."]),
        (from_toml("[nodes.n1]\ndriver_info = 3\n"), ["nodes.n1: driver_info: it must be a map of keys and values."]),
        (from_toml("[[nodes]]\nname = 'a b'\n"), [
            "entry 1: name: it must be of letters, digits, and . - _ between them."]),
        (from_json('[{"name": "n1", "traits": "X"}, 3]'), [
            "entry 1: traits: it must be a list of words.", "entry 2: a node is an object."]),
    ],
)  # fmt: skip
def test_all_mistakes_are_told_with_line_or_entry_and_field(found: Any, told: list[str]) -> None:
    assert mistakes(found) == told


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("n.csv", "driver\nfake\n", "no column is called name"),
        ("n.csv", "name,name\nn1,n2\n", "two columns are called name"),
        ("n.csv", 'name\n"n1\n', "not CSV of nodes: line 2: "),
        ("n.toml", "nodes = [", "not TOML of nodes: "),
        ("n.toml", "[node.n1]\n", "there is no table node"),
        ("n.json", "3", "it is neither a list of nodes nor a node"),
        ("n.json", "[" * 100_000, "nested too deeply"),
        ("n.json", "[]", "has no nodes"),
        ("n.yaml", "", "say what it is with --from: csv, toml, json"),
        (
            "n.csv",
            "name,driver_info.ipmi_password,drivr\nn1,correct horse,correct horse\n",
            "1 mistakes. Nothing was done",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_before_anybody_is_asked(
    run: Run, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)

    refused = run("node", "import", str(tmp_path / name))

    assert refused.exit_code in {64, 65}
    assert told in refused.stderr
    assert "correct horse" not in refused.output


# What becomes of them.


@pytest.fixture
def client(endpoint: str, tmp_path: Path) -> Generator[Client]:
    with Conductor(store=tmp_path / "store.db", endpoint=endpoint) as conductor, conductor.client() as made:
        yield made


def imported(run: Run, path: Path, *words: str) -> tuple[int, dict[str, str], Any]:
    result = run("node", "import", str(path), "--format", "json", *words)
    assert "correct horse" not in result.output
    told = json.loads(result.stdout)
    return result.exit_code, {one["node"]: one["action"] for one in told["nodes"]}, told


def shown(told: Any, node: str) -> dict[str, tuple[str | None, str | None]]:
    (one,) = [one for one in told["nodes"] if one["node"] == node]
    return {item["field"]: (item["before"], item["after"]) for item in one["fields"]}


def test_a_dry_run_says_what_would_be_and_does_nothing(run: Run, tmp_path: Path, client: Client) -> None:
    (tmp_path / "n.csv").write_text(CSV)

    code, actions, told = imported(run, tmp_path / "n.csv", "--dry-run")

    assert (code, actions) == (0, {"n1": "create", "n2": "create"})
    assert "driver_info.ipmi_password" in shown(told, "n1")
    assert client.nodes.list() == []


def test_twice_is_once(run: Run, tmp_path: Path, client: Client) -> None:
    (tmp_path / "n.csv").write_text(CSV)

    first, second, forced = (imported(run, tmp_path / "n.csv", *words) for words in ((), (), ("--update",)))

    assert first[1] == {"n1": "create", "n2": "create"}
    assert second[1] == forced[1] == {"n1": "nothing", "n2": "nothing"}
    assert [node.revision for node in client.nodes.list()] == [1, 1]


def test_what_differs_is_told_by_field_and_changed_only_if_told_so(run: Run, tmp_path: Path, client: Client) -> None:
    path = tmp_path / "n.csv"
    path.write_text(CSV)
    imported(run, path)
    path.write_text(CSV.replace("127.0.0.1", "127.0.0.9").replace("big", "small"))

    left = imported(run, path)
    kept = client.nodes.show("n1").resource_class
    done = imported(run, path, "--update")

    assert left[:2] == (0, {"n1": "differs", "n2": "nothing"})
    assert done[:2] == (0, {"n1": "change", "n2": "nothing"})
    assert shown(done[2], "n1") == {
        "driver_info.ipmi_address": ("127.0.0.1", "127.0.0.9"),
        "resource_class": ("big", "small"),
    }
    assert kept == "big"
    assert client.nodes.show("n1").resource_class == "small"


def test_another_password_is_told_as_a_secret(run: Run, tmp_path: Path, client: Client) -> None:
    path = tmp_path / "n.csv"
    path.write_text(CSV)
    imported(run, path)
    path.write_text(CSV.replace("correct horse", "battery staple"))

    code, actions, told = imported(run, path, "--update", "--dry-run")

    assert (code, actions["n1"], shown(told, "n1")) == (0, "change", {"driver_info (a secret)": (None, None)})
    assert "battery" not in str(told)


def test_a_node_that_is_refused_does_not_hinder_the_others(run: Run, tmp_path: Path, client: Client) -> None:
    (tmp_path / "n.csv").write_text("name,driver,ipmi_address,ipmi_port\nn1,ipmi,127.0.0.1,99999\nn2,ipmi,127.0.0.2,\n")

    result = run("node", "import", str(tmp_path / "n.csv"))

    assert result.exit_code == 65
    assert "line 2, n1: argument.invalid: " in result.stderr
    assert "ipmi_port" in result.stderr
    assert [node.name for node in client.nodes.list()] == ["n2"]


def test_masked_passwords_are_not_taken_and_can_be_added(run: Run, tmp_path: Path, client: Client) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps([LONG]))

    told = run("node", "import", str(path), "--dry-run")
    given = run("node", "import", str(path), "--driver-info", "ipmi_password=correct horse")

    assert "ipmi_password is masked in the file" in told.stderr
    assert "network_interface was not taken over: n1." in told.stderr
    assert (given.exit_code, "masked" in given.stderr) == (0, False)
    (node,) = client.nodes.list()
    assert node.driver_info["ipmi_password"] == "******"


def test_what_castiron_lists_can_be_imported_elsewhere(run: Run, tmp_path: Path, client: Client) -> None:
    (tmp_path / "n.csv").write_text(CSV)
    imported(run, tmp_path / "n.csv")
    (tmp_path / "again.json").write_text(run("node", "list", "--format", "json").stdout)

    code, actions, _ = imported(run, tmp_path / "again.json", "--update")

    assert (code, actions) == (0, {"n1": "nothing", "n2": "nothing"})


def test_people_see_a_table_and_a_count(run: Run, tmp_path: Path, client: Client) -> None:
    (tmp_path / "n.toml").write_text(TOML)

    result = run("node", "import", str(tmp_path / "n.toml"), "--dry-run")

    assert result.stdout.splitlines()[0].split() == ["NODE", "ACTION", "FIELDS"]
    assert result.stderr == "castiron: would be done: 2 create.\n"
    assert "correct horse" not in result.output
