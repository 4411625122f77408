"""kill -9 while a BMC's password is changed: whatever the BMC has done, its successor has the password that works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from castiron.testing import BMCFarm, Faults
from castiron.testing.simulated import SimulatedBMC
from castiron.transport.clients.blocking.client import Client
from castiron.transport.vocabulary import EventType
from tests.support.conductor_process import ConductorProcess, opened
from tests.support.deadline import until
from tests.support.moving import NOTHING, Story

OLD = "0ld-password"
NEW = "n3w-password"
SLOWLY = Faults(slow_s=0.05)
"""So that a kill meets each exchange."""


def conductor(folder: Path) -> ConductorProcess:
    return ConductorProcess(folder / "castiron.db", f"ipc://{folder}/c.ipc", sync_power_state_interval_s=0.0)


def begun(client: Client, bmc: SimulatedBMC, args: dict[str, Any]) -> str:
    """Begin to change the password; return the request's id."""
    story = Story(client)
    client.nodes.create("n1", driver_info=bmc.driver_info)
    for target in ("manage", "provide", "deploy"):
        story.ended(story.move("n1", target, NOTHING))
    bmc.set_faults(SLOWLY)
    return story.move("n1", "service", [{"interface": "management", "step": "change_bmc_password", "args": args}]).id


def is_begun(client: Client, bmc: SimulatedBMC) -> bool:
    del bmc
    return any(
        event.type == EventType.STEP_START for event in Story(client).told("n1", types=[EventType.STEP_START])[3:]
    )


def is_changed(client: Client, bmc: SimulatedBMC) -> bool:
    del client
    return bmc.password != OLD


@pytest.mark.parametrize(
    ("args", "when"),
    [({"generate": True}, is_begun), ({"password": NEW}, is_changed)],
)
def test_the_successor_has_the_password_that_works(
    tmp_path: Path, args: dict[str, Any], when: Callable[[Client, SimulatedBMC], bool]
) -> None:
    with BMCFarm(bmcs=1, password=OLD) as farm:
        with conductor(tmp_path) as first, first.client(timeout_s=20) as client:
            request = begun(client, farm[0], args)
            until(lambda: when(client, farm[0]), timeout_s=20)
            first.kill()
        farm[0].set_faults(Faults())

        with conductor(tmp_path) as second, second.client(timeout_s=20) as client:
            assert client.requests.wait(request, 30).state == "succeeded"
            Story(client).ended(client.nodes.power("n1", "power on"))
            second.stop()

        with opened(tmp_path / "castiron.db") as store:
            (node,) = store.nodes()
        assert node.driver_info["ipmi_password"] == farm[0].password != OLD
        assert node.other_passwords == {}
        assert all(NEW.encode() not in item.read_bytes() for item in tmp_path.iterdir() if item.is_file())
