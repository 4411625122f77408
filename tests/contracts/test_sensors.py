"""Sensors in a whole conductor: read in the background, told with their age, and what alarm rules make of them."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.cli.main import main
from castiron.testing import BMCFarm, running_conductor
from tests.support.deadline import until
from tests.support.ipmi_sim import SENSORS, running_ipmi_sim

INTERVAL_S = 1.0
ON = Settings(send_sensor_data=True, sensor_data_interval_s=INTERVAL_S)


def command(conductor: Conductor, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, [*words, "--endpoint", conductor.endpoint])


@pytest.fixture(scope="module")
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=4) as farm:
        yield farm


def test_they_are_read_from_somebody_elses_bmc_and_shown() -> None:
    with (
        running_ipmi_sim() as bmc,
        running_conductor(settings=ON) as conductor,
        conductor.client(timeout_s=20.0) as client,
    ):
        client.nodes.create("n1", driver="ipmi", driver_info=bmc.driver_info)
        until(lambda: client.sensors.list("n1").read_at is not None)
        listed = client.sensors.list("n1")
        assert [one.name for one in listed.sensors] == [one.name for one in SENSORS]
        assert (listed.is_stale, listed.passed_over, listed.interval_s) == (False, None, INTERVAL_S)
        shown = command(conductor, "node", "sensors", "n1")
        assert shown.exit_code == 0
        assert not [one for one in listed.sensors if one.name not in shown.stdout], shown.stdout
