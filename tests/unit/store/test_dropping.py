"""All open requests of a store that nobody uses are ended, honestly, and nothing else is changed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from castiron.cli.main import main
from castiron.store.checkup import check
from castiron.store.dropping import Dropped, drop_requests
from castiron.store.errors import StoreUnusable
from castiron.store.records import Change, Commit, EventDraft, NodeInsert, RequestRecord
from castiron.store.store import Store
from castiron.testing import running_conductor
from castiron.transport.errors import RequestCancelled, RequestInterrupted, from_wire
from castiron.transport.verbs import VERBS
from castiron.transport.vocabulary import ANNOUNCED, Applied, EventType, Instant, NodeSeq, PowerState, RequestState
from tests.support.conductor_process import Audit, opened
from tests.support.store_records import counting_ids, plain_node, plain_request

NOW = Instant(9_000.0)
BEGUN: dict[str, Any] = {"state": RequestState.RUNNING, "started_at": Instant(5_000.0), "progress": {"leg": 0}}
ENDED: dict[str, Any] = {"state": RequestState.SUCCEEDED, "started_at": Instant(1.0), "ended_at": Instant(2.0)}
BOOT: dict[str, Any] = {"verb": "node.boot_device.set", "arguments": {"boot_device": "pxe"}}


def stored(number: int, request: RequestRecord, *, target: PowerState | None = None) -> Change:
    """A node with a request; whose start was told, if it changes anything."""
    node = plain_node(number, driver="fake", target_power_state=target)
    starts = {"node.power.set": EventType.POWER_SET_START, "node.boot_device.set": EventType.BOOT_DEVICE_SET_START}
    created = EventDraft(type=EventType.NODE_CREATE_END, at=NOW, node_uuid=node.uuid, node_name=node.name)
    told = [created]
    if request.started_at is not None and request.ended_at is None and request.verb in starts:
        told.append(
            EventDraft(
                type=starts[request.verb], at=NOW, node_uuid=node.uuid, node_name=node.name, request_id=request.id
            )
        )
    numbered = plain_node(number, driver="fake", target_power_state=target, node_seq=NodeSeq(len(told)))
    return Change(node=NodeInsert(record=numbered), requests=(request,), events=tuple(told))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with each kind of request, and no conductor."""
    path = tmp_path / "c.db"
    store = Store.open(path, key_path=None, new_id=counting_ids())
    changes = [
        stored(1, plain_request(1, node_uuid=plain_node(1).uuid, **BEGUN), target=PowerState.ON),
        stored(2, plain_request(2, node_uuid=plain_node(2).uuid, **BEGUN, **BOOT)),
        stored(3, plain_request(3, node_uuid=plain_node(3).uuid, **BEGUN, verb="node.boot_device.get", arguments={})),
        stored(4, plain_request(4, node_uuid=plain_node(4).uuid, state=RequestState.QUEUED)),
        stored(5, plain_request(5, node_uuid=plain_node(5).uuid, verb="node.boot_device.get", arguments={}, **ENDED)),
    ]
    assert all(isinstance(outcome, Commit) for outcome in store.committer.commit(changes))
    store.close()
    return path


def why(request: RequestRecord, applied: Applied) -> dict[str, Any]:
    return {"code": "dropped", "applied": applied.value, "request": request.id}


def drop(path: Path) -> Dropped:
    return drop_requests(path, None, now=NOW, why=why, new_id=counting_ids())


def test_what_waits_is_cancelled_and_what_had_begun_has_failed(path: Path) -> None:
    assert drop(path) == Dropped(cancelled=1, failed=3)

    with opened(path) as store:
        ended = sorted(store.requests(limit=99), key=lambda one: one.id)
        assert [(one.state, one.applied) for one in ended] == [
            (RequestState.FAILED, Applied.UNKNOWN),
            (RequestState.FAILED, Applied.UNKNOWN),
            (RequestState.FAILED, Applied.NO),
            (RequestState.CANCELLED, Applied.NO),
            (RequestState.SUCCEEDED, None),
        ]
        assert [one.error and one.error["request"] for one in ended] == [*(one.id for one in ended[:4]), None]
        assert {one.ended_at for one in ended[:4]} == {NOW}
        assert [node.target_power_state for node in store.nodes()] == [None] * 5


def test_each_start_that_was_told_gets_its_error_and_the_store_is_sound(path: Path) -> None:
    drop(path)

    with opened(path) as store:
        audit = Audit(store)
    audit.check()
    power, boot = [event.draft for event in audit.events if event.draft.type.endswith(".error")]
    assert power.payload["to_power"] == "power on"
    assert boot.payload["boot_device"] == "pxe"
    assert check(path, None).findings == []


def test_once_more_changes_nothing(path: Path) -> None:
    drop(path)
    before = check(path, None), path.read_bytes()

    assert drop(path) == Dropped(cancelled=0, failed=0)

    with opened(path) as store:
        assert [node.revision for node in store.nodes()] == [2, 2, 2, 2, 1]
    assert before[0] == check(path, None)


def test_a_conductor_carries_out_nothing_of_it(path: Path) -> None:
    drop(path)

    with running_conductor(store=path) as conductor, conductor.client() as client:
        assert client.status().requests.running == 0
        assert {node.power_state for node in client.nodes.list()} <= {None, "power off"}
        assert client.nodes.power("n4", "power on").wait(timeout_s=5).state == "succeeded"


def test_a_store_in_use_is_left_alone(path: Path) -> None:
    store = Store.open(path, key_path=None, new_id=counting_ids())
    try:
        with pytest.raises(StoreUnusable, match="in use by process"):
            drop(path)
        assert len(store.open_requests()) == 4
    finally:
        store.close()


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="there is no store"):
        drop(tmp_path / "none.db")

    assert list(tmp_path.iterdir()) == []


def test_the_verbs_that_are_announced_are_verbs_that_become_requests() -> None:
    assert all(VERBS[verb].becomes_request for verb in ANNOUNCED)


def test_the_command_says_what_it_ended_and_why(path: Path) -> None:
    def run() -> dict[str, Any]:
        result = CliRunner().invoke(main, ["--format", "json", "store", "drop-requests", "--store", str(path)])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    assert run() == {"store": str(path), "cancelled": 1, "failed": 3}
    assert run() == {"store": str(path), "cancelled": 0, "failed": 0}

    with running_conductor(store=path) as conductor, conductor.client() as client:
        views = [client.requests.show(plain_request(number).id).view for number in range(1, 5)]
    errors = [from_wire(view.error or {}) for view in views]
    assert [(type(error), error.applied) for error in errors] == [
        (RequestInterrupted, Applied.UNKNOWN),
        (RequestInterrupted, Applied.UNKNOWN),
        (RequestInterrupted, Applied.NO),
        (RequestCancelled, Applied.NO),
    ]
    assert "Look at the machine" in errors[0].message


def test_the_command_refuses_a_store_in_use(path: Path) -> None:
    with opened(path):
        result = CliRunner().invoke(main, ["store", "drop-requests", "--store", str(path)])

    assert (result.exit_code, "in use by process" in result.output) == (os.EX_CANTCREAT, True), result.output
