"""A full disk: changes are refused and everything else goes on; when there is space again, so does the rest."""

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from castiron.store.outage import QUIET_S
from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import StoreUnavailable
from castiron.transport.vocabulary import CheckResult, PowerState
from tests.support.conductor_process import ROOT, Audit, ConductorProcess, opened
from tests.support.deadline import until
from tests.support.small_disk import Cramped, SmallDisk

CHANGES: dict[str, Callable[[Client], object]] = {
    "create": lambda client: client.nodes.create("n9", driver="fake"),
    "set": lambda client: client.nodes.set("n2", extra={"a": 1}),
    "rename": lambda client: client.nodes.set("n2", name="n7"),
    "delete": lambda client: client.nodes.delete("n2"),
    "power": lambda client: client.nodes.power("n2", "power on"),
}

QUICK = {"unknown_outcome_settle_s": 0.3, "power_poll_max_s": 0.2, "sync_power_state_interval_s": 0.0}
"""No power checks: what is seen of a node that nobody asks for anything stays the same."""


def test_a_full_disk_refuses_changes_and_loses_nothing(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "c.db", f"ipc://{tmp_path}/c.ipc"
    with (
        BMCFarm(bmcs=2) as farm,
        ConductorProcess(store, endpoint, **QUICK) as conductor,
        conductor.client() as client,
    ):
        client.nodes.create("n1", driver_info=farm[0].driver_info)
        client.nodes.create("n2", driver="fake")
        client.nodes.power("n1", "power off").wait(timeout_s=5)
        farm[0].set_faults(Faults(slow_s=0.5))
        running = client.nodes.power("n1", "power on")
        farm[0].wait_for_controls(1, timeout_s=5)
        before = client.nodes.show("n2")

        conductor.limit_files(1)
        for name, change in CHANGES.items():
            with pytest.raises(StoreUnavailable) as refused:
                change(client)
            assert (refused.value.retry_after_s is not None, refused.value.retry) == (True, "after"), name
            assert refused.value.message.endswith(". Nothing was changed."), name
        until(lambda: client.requests.show(running.id).view.step is None)  # its end could not be written

        assert client.nodes.show("n2") == before
        assert [node.name for node in client.nodes.list()] == ["n1", "n2"]
        assert client.requests.show(running.id).state == "running"
        assert client.nodes.show("n1").target_power_state == "power on"
        status = client.status()
        assert (status.store.state != "ok", status.actors["restarts"]) == (True, 0)
        farm[0].set_faults(Faults())

        conductor.limit_files(None)
        assert running.wait(timeout_s=10).state == "succeeded"
        for change in (CHANGES["create"], CHANGES["set"], CHANGES["rename"]):
            change(client)
        assert client.nodes.power("n7", "power on").wait(timeout_s=5).state == "succeeded"
        assert client.nodes.create("n2", driver="fake").name == "n2"
        client.nodes.delete("n2")
        assert client.status().store.state == "ok"
        assert (len(farm[0].controls), farm[0].power) == (1, PowerState.ON)
        conductor.stop()

    with opened(store) as left:
        audit = Audit(left)
    audit.check()
    assert [node.name for node in audit.nodes] == ["n1", "n7", "n9"]
    assert len(audit.requests) == 3


def refused(change: Callable[[], object]) -> bool:
    """Return whether the disk refused a change."""
    try:
        change()
    except StoreUnavailable as error:
        return error.retry_after_s is not None
    return False


def kind_of(line: str) -> str:
    """Return what a line of the log says, without why and how often."""
    return re.split(r" \(|; ", line)[0]


def checked(client: Client) -> int:
    """Return how many power checks have come to a result."""
    checks = client.status().checks
    return sum(getattr(checks, result) for result in CheckResult)


def told(endpoint: str) -> str:
    """Return what `castiron status` prints."""
    command = [sys.executable, "-m", "castiron", "--endpoint", endpoint, "status"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=30).stdout


def test_on_a_disk_without_a_byte_left_checks_go_on_and_all_is_well_again_when_there_is_space(
    tmp_path: Path, mount: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/c.ipc"
    settings = {
        "sync_power_state_interval_s": 0.2,
        "power_check_start_spread_s": 0.0,
        "event_retention_count": 100,
        "unknown_outcome_settle_s": 0.1,
    }
    with (
        BMCFarm(bmcs=1) as farm,
        Cramped(mount / "c.db", endpoint, **settings) as conductor,
        conductor.client(10.0) as client,
    ):
        disk = SmallDisk(mount, conductor.pid)
        client.nodes.create("n1", driver_info=farm[0].driver_info)
        client.nodes.create("n2", driver="fake")
        until(lambda: all(node.power_state == "power off" for node in client.nodes.list()))

        disk.fill()
        until(lambda: refused(lambda: client.nodes.set("n2", extra={"ballast": "x" * 20_000})), timeout_s=30)
        for name, change in CHANGES.items():
            assert refused(partial(change, client)), name
        done = checked(client)
        until(lambda: checked(client) > done + 10)
        with client.events(since=0, follow=False) as stream:
            assert [event.seq for event in stream][:2] == [1, 2]
        status = client.status()
        assert (status.actors["restarts"], {*status.threads.values()}) == (0, {"alive"})
        assert "full" in status.store.state
        assert status.store.state in " ".join(told(endpoint).split())

        farm[0].power = PowerState.ON  # behind its back; it cannot be written down
        heard = client.status().drivers["ipmi"]["received"]
        until(lambda: client.status().drivers["ipmi"]["received"] >= heard + 3)
        assert client.nodes.show("n1").power_state == "power off"

        disk.clear()
        until(lambda: client.nodes.show("n1").power_state == "power on", timeout_s=20)
        until(lambda: client.status().store.state == "ok")
        assert not refused(lambda: client.nodes.create("n9", driver="fake"))
        with client.events(since=0, follow=False, nodes=["n1"], types=["node.power_state_corrected.*"]) as stream:
            assert [event.payload["power_state"] for event in stream] == ["power off", "power on"]
        threading.Event().wait(QUIET_S)  # it is over once nothing has failed for so long
        client.nodes.set("n2", extra={"a": 2})
        until(lambda: "written again" in conductor.log.read_text())
        conductor.stop()
        log = Counter(kind_of(line) for line in conductor.log.read_text().splitlines())
        assert {"the store cannot be written", "the store can be written again"} <= log.keys()
        assert set(log.values()) == {1}, log


def test_a_conductor_that_is_killed_while_its_disk_is_full_comes_back_with_what_was_accepted(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "c.db", f"ipc://{tmp_path}/c.ipc"
    with BMCFarm(bmcs=1) as farm:
        with ConductorProcess(store, endpoint) as conductor, conductor.client() as client:
            client.nodes.create("n1", driver_info=farm[0].driver_info)
            farm[0].set_faults(Faults(slow_s=0.3))
            request = client.nodes.power("n1", "power on")
            farm[0].wait_for_controls(1, timeout_s=10)
            conductor.limit_files(1)
            until(lambda: client.requests.show(request.id).view.step is None)
            conductor.kill()
        farm[0].set_faults(Faults())

        with ConductorProcess(store, endpoint) as conductor:
            with conductor.client() as client:
                assert client.requests.wait(request.id, 10).state == "succeeded"
            conductor.stop()

        assert len(farm[0].controls) == 1
    with opened(store) as left:
        Audit(left).check()
