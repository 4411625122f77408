"""Allocations from the command line: what is sent, what is told, and how it exits."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import structs

from castiron.cli.output.exits import Exit
from castiron.transport.vocabulary import ProvisionState
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import Run


def offered(conductor: MemoryConductor, names: Iterable[str] = ("n1", "n2", "n3")) -> None:
    """Have nodes be such that they can be had."""
    for node in list(conductor.nodes.values()):
        if node.name in names:
            traits = ["CUSTOM_A"] if node.name == "n2" else []
            changes: dict[str, Any] = {"provision_state": ProvisionState.AVAILABLE, "traits": traits}
            conductor.nodes[node.uuid] = structs.replace(node, resource_class="bm", **changes)


def test_a_node_is_had_by_class_trait_and_candidate(run: Run, three: MemoryConductor) -> None:
    offered(three)

    told = run("allocation", "create", "--resource-class", "bm", "--trait", "CUSTOM_A", "--candidate-node", "n2",
               "--name", "mine", "--extra", "why=1", "--wait", "--format", "json")  # fmt: skip

    (node,) = [one for one in three.nodes.values() if one.name == "n2"]
    view = json.loads(told.stdout)
    assert (told.exit_code, view["state"], view["node_uuid"], view["extra"]) == (0, "active", node.uuid, {"why": 1})
    assert run("allocation", "wait", "mine").stdout == "mine: active, n2\n"
    assert view["uuid"] in run("node", "show", "n2").stdout


def test_where_none_can_be_had_the_command_fails_and_says_why(run: Run, three: MemoryConductor) -> None:
    told = run("allocation", "create", "--resource-class", "bm", "--wait")

    assert told.exit_code == Exit.TRY_AGAIN
    assert "error" in told.stdout
    assert "No node can be had." in told.stderr


def test_without_wait_it_is_shown_as_it_was_made(run: Run, three: MemoryConductor) -> None:
    told = run("allocation", "create", "--resource-class", "bm", "--patience", "60", "--format", "json")

    view = json.loads(told.stdout)
    assert (told.exit_code, view["state"]) == (0, "allocating")
    assert view["deadline_at"] == pytest.approx(view["created_at"] + 60)


def test_it_is_listed_changed_and_deleted(run: Run, three: MemoryConductor) -> None:
    offered(three, ["n1"])
    for name in ("a", "b"):
        run("allocation", "create", "--resource-class", "bm", "--name", name, "--extra", "x=1")

    listed = run("allocation", "list", "--state", "active").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "a"]
    assert run("allocation", "set", "a", "--name", "c", "--extra", "y=2").exit_code == 0
    assert run("allocation", "unset", "c", "--extra", "x").exit_code == 0
    assert json.loads(run("allocation", "show", "c", "--format", "json").stdout)["extra"] == {"y": 2}
    assert run("allocation", "unset", "c", "--name").exit_code == 0
    deleted = run("allocation", "delete", "b", "nobody")
    assert "b: deleted" in deleted.stdout
    assert "allocation.not_found" in deleted.stderr
    assert deleted.exit_code != 0
    assert len(three.allocations) == 1


def test_nothing_to_change_is_said_before_anything_is_sent(run: Run, three: MemoryConductor) -> None:
    told = run("allocation", "set", "a")

    assert told.exit_code == Exit.USAGE
    assert "--name or --extra" in told.stderr
