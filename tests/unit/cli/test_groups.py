"""Groups in a RANGE: those that nodes are in by what they are, and those of the user's ClusterShell configuration."""

import json
from pathlib import Path

import pytest

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.groups import Groups, expand_with
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run, Spawn

HERE = Groups(
    {"class": lambda: {"big": ["n1", "n2", "n10"], "odd": ["n[1-9/2]"], "huge": ["n[1-999999]"]}},
    lambda: ["n1", "n2", "n10", "m1"],
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@class:big", ["n1", "n2", "n10"]),
        ("@class:big!n2", ["n1", "n10"]),
        ("n[1-3]!@class:big", ["n3"]),
        ("n[1-3],-@class:big", ["n3"]),
        ("@class:big&@class:odd", ["n1"]),
        ("@class:big^@class:odd", ["n2", "n3", "n5", "n7", "n9", "n10"]),
        ("@*!n1", ["m1", "n2", "n10"]),
        ("n*", ["n1", "n2", "n10"]),
        ("n?,m1", ["m1", "n1", "n2"]),
        ("@class:*", ["n1", "n2", "n10"]),
    ],
)
def test_groups_and_wildcards_stand_for_names(text: str, names: list[str]) -> None:
    sources = {"class": lambda: {"big": ["n1", "n2", "n10"]}} if text == "@class:*" else HERE._sources
    groups = Groups(sources, lambda: ["n1", "n2", "n10", "m1"])

    assert expand_with(groups, text) == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@class:none", "There is no node in @class:none"),
        ("@class:huge", "spells out more than"),
        ("@nowhere:x", "is not known to ClusterShell"),
        ("@class:big!", "is not a host range"),
    ],
)
def test_a_group_that_cannot_be_resolved_is_told(text: str, told: str) -> None:
    with pytest.raises(ArgumentInvalid, match=told):
        expand_with(HERE, text)


def test_nodes_are_in_groups_by_what_they_are(run: Run, three: MemoryConductor) -> None:
    assert run("node", "set", "n1", "--resource-class", "big", "--trait", "CUSTOM_GPU").exit_code == 0
    assert run("node", "set", "n3", "--resource-class", "big").exit_code == 0

    listed = run("node", "list", "@class:big", "--format", "json")
    done = run("node", "power", "on", "@class:big!@trait:CUSTOM_GPU,n2", "--wait")
    kept = run("node", "maintenance", "set", "n*&@driver:ipmi")

    assert [node["name"] for node in json.loads(listed.stdout)] == ["n1", "n3"]
    assert (done.exit_code, done.stdout) == (0, "n[2-3]: power on\n")
    assert (kept.exit_code, kept.stdout) == (0, "n[1-3]: in maintenance\n")


def test_groups_of_the_users_own_configuration_are_those_of_clush(
    three: MemoryConductor, spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "groups.conf").write_text(
        "[Main]\ndefault: racks\n[racks]\nmap: [ $GROUP = left ] && echo n[1-2]\nall: echo n[1-9]\n"
    )
    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", str(tmp_path))

    known = spawn("node", "list", "@left!n1", "--fields", "name").communicate(timeout=20)
    unknown = spawn("node", "list", "@right").communicate(timeout=20)

    assert known == ("NAME\nn2\n", "")
    assert unknown[0] == ""
    assert unknown[1].startswith("castiron: @right is not known to ClusterShell")
