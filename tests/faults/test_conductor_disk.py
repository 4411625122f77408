"""A full disk: changes are refused and everything else goes on; when there is space again, so does the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from castiron.testing import BMCFarm
from castiron.testing.bmc import Faults
from castiron.transport.clients.client import Client
from castiron.transport.errors import StoreUnavailable
from castiron.transport.vocabulary import PowerState
from tests.support.conductor_process import Audit, ConductorProcess, opened
from tests.support.deadline import until

CHANGES: dict[str, Callable[[Client], object]] = {
    "create": lambda client: client.nodes.create("n9", driver="fake"),
    "set": lambda client: client.nodes.set("n2", extra={"a": 1}),
    "rename": lambda client: client.nodes.set("n2", name="n7"),
    "delete": lambda client: client.nodes.delete("n2"),
    "power": lambda client: client.nodes.power("n2", "power on"),
}


def test_a_full_disk_refuses_changes_and_loses_nothing(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "c.db", f"ipc://{tmp_path}/c.ipc"
    with (
        BMCFarm(bmcs=2) as farm,
        ConductorProcess(store, endpoint, unknown_outcome_settle_s=0.3, power_poll_max_s=0.2) as conductor,
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
        until(lambda: client.requests.show(running.id).view.step is None)  # its end could not be written

        assert client.nodes.show("n2") == before
        assert [node.name for node in client.nodes.list()] == ["n1", "n2"]
        assert client.requests.show(running.id).state == "running"
        assert client.nodes.show("n1").target_power_state == "power on"
        status = client.status()
        assert (status.store["state"] != "ok", status.actors["restarts"]) == (True, 0)
        farm[0].set_faults(Faults())

        conductor.limit_files(None)
        assert running.wait(timeout_s=10).state == "succeeded"
        for change in (CHANGES["create"], CHANGES["set"], CHANGES["rename"]):
            change(client)
        assert client.nodes.power("n7", "power on").wait(timeout_s=5).state == "succeeded"
        assert client.nodes.create("n2", driver="fake").name == "n2"
        client.nodes.delete("n2")
        assert client.status().store["state"] == "ok"
        assert (len(farm[0].controls), farm[0].power) == (1, PowerState.ON)
        conductor.stop()

    with opened(store) as left:
        audit = Audit(left)
    audit.check()
    assert [node.name for node in audit.nodes] == ["n1", "n7", "n9"]
    assert len(audit.requests) == 3


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
