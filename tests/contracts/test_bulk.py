"""One message for many nodes, with a real conductor: judged by what its machines and its events say."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from castiron.actors.bulk.bulk import CROWDED
from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, running_conductor
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.bulk import Bulk
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.bulk import error_of
from castiron.transport.errors import (
    ArgumentInvalid,
    BulkStopped,
    BulkTooLarge,
    ConductorOverloaded,
    NodeNotFound,
    PowerOffDisabled,
)
from castiron.transport.frames import ACCEPTED, FINAL, PART
from castiron.transport.replies import BulkView
from castiron.transport.verbs import BulkCancel, NodeCreate, NodePowerSet
from castiron.transport.vocabulary import PowerTarget
from tests.support.conductor_process import ConductorProcess, opened
from tests.support.deadline import until
from tests.support.raw_peer import RawPeer, unpacked

ON = NodePowerSet(node="", target=PowerTarget.ON)
QUIET = Settings(sync_power_state_interval_s=0.0)
DELAY = {"fake_power_delay_s": "0.05"}

pytestmark = pytest.mark.castiron(nodes=0, settings=QUIET, timeout_s=20)


def make(client: Client, count: int, info: Callable[[int], dict[str, str]] = lambda _: DELAY) -> None:
    verbs = (
        NodeCreate(name=f"n{number}", driver="fake", driver_info=dict(info(number)), properties={"rack": number % 3})
        for number in range(count)
    )
    assert all(not isinstance(answer, Exception) for _, answer in client.send_many(verbs))


def count(client: Client) -> int:
    return len(client.requests.list(limit=10_000))


def at_once(client: Client, of: Sequence[str]) -> int:
    """Return how many of these nodes were ever under way at the same time, as the events tell."""
    running = most = 0
    for event in client.events(since=0, follow=False, types=["node.power_set.*"]):
        if event.node in of:
            running += 1 if event.type.endswith(".start") else -1
            most = max(most, running)
    return most


def test_never_more_run_at_once_than_the_batch(castiron_client: Client) -> None:
    make(castiron_client, 12)

    bulk = castiron_client.nodes.bulk(ON, "n[0-11]", batch=3)

    assert {outcome.node for outcome in bulk} == {f"n{number}" for number in range(12)}
    assert 1 <= at_once(castiron_client, bulk.names) <= 3
    assert (bulk.summary.total, bulk.summary.succeeded, bulk.summary.stopped) == (12, 12, None)


def test_never_more_run_at_once_in_one_rack_than_its_limit(castiron_client: Client) -> None:
    make(castiron_client, 12)

    bulk = castiron_client.nodes.bulk(ON, where=["name~n*"], per="properties.rack", per_limit=1)

    assert sum(outcome.error is None for outcome in bulk) == 12
    for rack in range(3):
        assert at_once(castiron_client, [f"n{number}" for number in range(12) if number % 3 == rack]) == 1


def test_after_so_many_failures_no_further_machine_is_asked(castiron_client: Client) -> None:
    make(castiron_client, 8, lambda number: {"fake_fault": "broken"} if number in {1, 2} else {})

    brief = NodePowerSet(node="", target=PowerTarget.ON, timeout_s=0.3)
    bulk = castiron_client.nodes.bulk(brief, "n[0-7]", batch=1, stop_after_failures=2)
    outcomes = {outcome.node: error_of(outcome) for outcome in bulk}

    stopped = {node for node, error in outcomes.items() if isinstance(error, BulkStopped)}
    assert stopped == {f"n{number}" for number in range(3, 8)}
    assert {request.view.node for request in castiron_client.requests.list()} == {"n0", "n1", "n2"}
    assert (bulk.summary.succeeded, bulk.summary.failed, bulk.summary.not_sent) == (1, 2, 5)


def test_one_unknown_name_refuses_all_and_each_is_named(castiron_client: Client) -> None:
    make(castiron_client, 3)

    with pytest.raises(NodeNotFound, match=r"'m1,n\[3-5\]'"):
        list(castiron_client.nodes.bulk(ON, "n[0-5],m1"))
    with pytest.raises(NodeNotFound):
        list(castiron_client.nodes.bulk(ON, "n[0-2]", where=["properties.rack=9"]))
    with pytest.raises(BulkTooLarge) as refused:
        list(castiron_client.nodes.bulk(ON, "n[0-2]", at_most=2))
    with pytest.raises(ArgumentInvalid):
        list(castiron_client.nodes.bulk({"verb": "node.power.set", "target": "on"}, "n[0-2]"))
    with pytest.raises(ArgumentInvalid, match=r"an empty list names no node, at \$.nodes. Name some, or leave it out"):
        castiron_client.nodes.bulk(ON, [])

    assert refused.value.details == {"count": 3, "limit": 2, "what": "at_most"}
    assert castiron_client.requests.list() == []


def test_a_rehearsal_says_what_each_node_would_do_and_does_nothing(castiron_client: Client) -> None:
    make(castiron_client, 5)
    castiron_client.nodes.set("n3", disable_power_off=True)
    rehearsal = NodePowerSet(node="", target=PowerTarget.OFF, dry_run=True)

    with castiron_client.nodes.bulk(rehearsal, "n[0-4]", batch=2, stagger_s=300.0, key="my-key-1") as bulk:
        list(bulk)

    texts = {name: None if one.forecast is None else one.forecast.text for name, one in bulk.outcomes.items()}
    assert texts == {
        "n0": "It would start at once.",
        "n1": "After 300 s at the earliest: it would start at once.",
        **dict.fromkeys(("n2", "n4"), "Once others of the bulk have ended: it would start at once."),
        "n3": None,
    }
    assert isinstance(error_of(bulk.outcomes["n3"]), PowerOffDisabled)
    assert (bulk.summary.succeeded, bulk.summary.failed, bulk.summary.total) == (4, 1, 5)
    assert castiron_client.requests.list() == []
    assert [one.error for one in castiron_client.nodes.bulk(ON, "n0", key="my-key-1")] == [
        None
    ]  # the key was not used up


def test_the_same_bulk_again_has_the_same_requests(castiron_client: Client) -> None:
    make(castiron_client, 5)
    reboot = NodePowerSet(node="", target=PowerTarget.REBOOT)

    runs = [
        {
            one.node: one.request.id
            for one in castiron_client.nodes.bulk(reboot, "n[0-4]", key="my-key-1")
            if one.request
        }
        for _ in range(2)
    ]

    assert runs[0] == runs[1]
    assert len(castiron_client.requests.list()) == 5


def test_a_bulk_need_not_wait_for_the_ends(castiron_client: Client) -> None:
    make(castiron_client, 4, lambda _: {"fake_power_delay_s": "30"})

    bulk = castiron_client.nodes.bulk(ON, "n[0-3]", wait=False)

    assert sum(outcome.request is not None and outcome.request.ended_at is None for outcome in bulk) == 4
    assert (bulk.summary.running, bulk.summary.succeeded) == (4, 0)


def test_whoever_leaves_a_bulk_early_cancels_it(castiron_client: Client, castiron_conductor: Conductor) -> None:
    make(castiron_client, 6)

    with castiron_client.nodes.bulk(ON, "n[0-5]", batch=1) as bulk:
        next(iter(bulk))

    until(lambda: castiron_client.status().queues["bulks"].used == 0)
    assert len(castiron_client.requests.list()) < 6


def test_who_leaves_frees_the_place_at_once_and_what_runs_goes_on(
    castiron_client: Client, castiron_conductor: Conductor
) -> None:
    make(castiron_client, 4, lambda _: {"fake_power_delay_s": "30"})
    with castiron_conductor.client() as other:
        bulk = other.nodes.bulk(ON, "n[0-3]", batch=2)
        waiting = threading.Thread(target=lambda: list(bulk), daemon=True)
        waiting.start()
        until(lambda: len(castiron_client.requests.list(states=["running"])) == 2)

        ((_, left),) = castiron_client.send_many([BulkCancel(bulk=bulk.key, leave=True)])

        assert isinstance(left, BulkView)
        assert (left.running, left.not_sent) == (2, 2)

        until(lambda: castiron_client.status().queues["bulks"].used == 0)
        assert sorted(request.view.node for request in castiron_client.requests.list(states=["running"])) == [
            "n0",
            "n1",
        ]
        assert len(castiron_client.requests.list()) == 2
        waiting.join(10)
        assert not waiting.is_alive()


@pytest.mark.castiron(settings=replace(QUIET, max_bulks=1, max_bulk_nodes=4))
def test_limits_are_published_and_beyond_them_it_is_busy(
    castiron_conductor: Conductor, castiron_client: Client
) -> None:
    make(castiron_client, 5, lambda _: {"fake_power_delay_s": "30"})
    assert castiron_client.hello().limits["bulks"] == 1
    with pytest.raises(BulkTooLarge):
        list(castiron_client.nodes.bulk(ON, "n[0-4]"))
    with castiron_conductor.client() as other:
        first = iter(other.nodes.bulk(ON, "n[0-1]"))
        waiting = threading.Thread(target=lambda: list(first), daemon=True)
        waiting.start()
        until(lambda: castiron_client.status().queues["bulk_nodes"].used == 2)

        with pytest.raises(ConductorOverloaded) as busy:
            list(castiron_client.nodes.bulk(ON, "n[2-3]"))

        assert (busy.value.details["what"], busy.value.retry_after_s) == ("bulks", 1.0)
        for node in ("n0", "n1"):
            castiron_client.nodes.delete(node, force=True)
        waiting.join(20)
        assert not waiting.is_alive()


def test_a_client_that_does_not_read_loses_nothing_and_disturbs_nobody(
    castiron_conductor: Conductor, castiron_client: Client
) -> None:
    make(castiron_client, 2_000, lambda _: {})
    with RawPeer(castiron_conductor.endpoint, receive_hwm=1) as peer:
        peer.say(b"1", {"verb": "bulk.run", "nodes": ["n[0-1999]"], "order": {"verb": "node.boot_device.get"}})
        until(
            lambda: (
                castiron_client.status().requests.open == 0 and len(castiron_client.requests.list(limit=2_000)) == 2_000
            ),
            timeout_s=40,
        )
        castiron_client.ping()
        assert castiron_client.status().queues["bulks"].used == 1, "the rest waits for its reader"

        kinds: Counter[bytes] = Counter()
        nodes: list[str] = []
        while not kinds[FINAL]:
            frames = peer.receive(20)
            kinds[frames[2]] += 1
            if frames[2] == PART:
                nodes += [one["node"] for one in unpacked(frames[3])["result"]["outcomes"]]

    assert kinds[ACCEPTED] == kinds[FINAL] == 1
    assert Counter(nodes) == Counter(f"n{number}" for number in range(2_000))
    until(lambda: castiron_client.status().queues["bulks"].used == 0)


def outcomes_of(bulk: Bulk, heard: list[str]) -> None:
    heard += [outcome.node for outcome in bulk if error_of(outcome) is None]


@pytest.mark.parametrize("after", [1, 3])
def test_a_conductor_that_is_killed_in_the_middle_has_its_bulk_finished_and_no_machine_asked_twice(
    tmp_path: Path, after: int
) -> None:
    store, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/c"
    heard: list[str] = []
    with BMCFarm(bmcs=6) as farm:
        for bmc in farm:
            bmc.set_faults(Faults(slow_s=0.05))
        with ConductorProcess(store, endpoint, unknown_outcome_settle_s=0.5) as first:
            with first.client() as maker:
                for number, bmc in enumerate(farm):
                    maker.nodes.create(f"n{number}", driver_info=bmc.driver_info)
            with first.client() as client:
                bulk = client.nodes.bulk(ON, "n[0-5]", batch=2)
                asking = threading.Thread(target=outcomes_of, args=(bulk, heard), daemon=True)
                asking.start()
                until(lambda: sum(len(bmc.controls) for bmc in farm) >= after)
                first.kill()
                with ConductorProcess(store, endpoint, unknown_outcome_settle_s=0.5) as second:
                    asking.join(40)
                    assert not asking.is_alive()
                    second.stop()

        assert sorted(heard) == [f"n{number}" for number in range(6)]
        assert [[control.action.name for control in bmc.controls] for bmc in farm] == [["POWER_UP"]] * 6
    with opened(store) as after_all:
        assert len(after_all.requests(limit=100)) == 6


def test_a_bulk_asks_nobody_while_much_waits_for_the_disk(tmp_path: Path) -> None:
    """What it asked for would stand before everybody else's requests."""
    path = tmp_path / "castiron.db"
    with running_conductor(store=path, settings=QUIET) as conductor, conductor.client(timeout_s=60) as client:
        make(client, 120)
        requests = [NodePowerSet(node=f"n{number}", target=PowerTarget.ON) for number in range(100)]
        crowd = threading.Thread(target=lambda: list(client.send_many(requests, window=100)))
        with conductor.client(timeout_s=60) as other, conductor.client(timeout_s=60) as third:
            bulk = third.nodes.bulk(ON, "n[100-119]")
            told = threading.Thread(target=lambda: list(bulk))
            with closing(sqlite3.connect(path, isolation_level=None)) as disk:
                disk.execute("BEGIN IMMEDIATE")
                crowd.start()
                until(lambda: other.status().store.backlog >= CROWDED)
                told.start()
                until(lambda: other.status().queues["bulk_nodes"].used == 20)
                ((_, cancelled),) = other.send_many([BulkCancel(bulk=bulk.key)])
            told.join(30)
        crowd.join(30)

    assert isinstance(cancelled, BulkView)
    assert (cancelled.started, cancelled.not_sent) == (0, 20)
