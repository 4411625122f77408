"""Sensors in a whole conductor: read in the background, told with their age, and what alarm rules make of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from castiron.actors.conductor import Conductor
from castiron.actors.sensors.sensing import TASK
from castiron.actors.settings import SettingInvalid, Settings
from castiron.cli.main import main
from castiron.testing import BMCFarm, running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import NodeNotFound
from castiron.transport.events import EventView
from tests.support.deadline import until
from tests.support.ipmi_sim import SENSORS, running_ipmi_sim

INTERVAL_S = 1.0
ON = Settings(send_sensor_data=True, sensor_data_interval_s=INTERVAL_S)


def command(conductor: Conductor, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, [*words, "--endpoint", conductor.endpoint])


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


@pytest.mark.castiron(nodes=2, timeout_s=20)
def test_each_node_says_for_itself_and_nothing_is_read_unless_it_is_wanted(
    castiron_conductor: Conductor, castiron_client: Client
) -> None:
    castiron_client.nodes.set("n2", sensor_data_interval_s=INTERVAL_S)
    until(lambda: castiron_client.sensors.list("n2").read_at is not None)
    off = castiron_client.sensors.list("n1")
    assert (off.read_at, off.passed_over, off.sensors, off.is_stale) == (None, "off", [], True)
    (task,) = [one for one in castiron_client.periodics.list() if one.name == TASK]
    assert (task.nodes, task.blocking, task.failures) == (1, False, 0)

    castiron_client.nodes.set("n1", sensor_data_interval_s=INTERVAL_S)
    castiron_client.nodes.set("n2", sensor_data_interval_s=0)
    until(lambda: castiron_client.sensors.list("n1").read_at is not None)
    assert castiron_client.sensors.list("n2").passed_over == "off"
    shown = command(castiron_conductor, "node", "sensors", "n[1-2]")
    assert "Inlet Temp" in shown.stdout
    assert "n2: its sensors are not read" in shown.stderr
    with pytest.raises(NodeNotFound):
        castiron_client.sensors.list("nobody")


@pytest.mark.castiron(nodes=2, settings=replace(ON, sync_power_state_interval_s=0.5), timeout_s=20)
def test_one_in_maintenance_is_left_alone_and_a_silent_one_is_not_asked(
    castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    until(lambda: all(castiron_client.sensors.list(name).read_at is not None for name in ("n1", "n2")))
    castiron_client.nodes.set_maintenance("n1")
    assert castiron_client.sensors.list("n1").passed_over == "maintenance"
    was = castiron_client.sensors.list("n1").read_at
    before = castiron_client.sensors.list("n2").read_at or 0.0
    until(lambda: (castiron_client.sensors.list("n2").read_at or 0.0) > before + 2 * INTERVAL_S)
    assert castiron_client.sensors.list("n1").read_at == was

    bmc_farm[1].change_faults(silent=True)
    until(lambda: castiron_client.sensors.list("n2").passed_over == "silent")
    until(lambda: castiron_client.sensors.list("n2").is_stale)
    assert castiron_client.sensors.list("n2").sensors, "what was read last is told, with its age"
    bmc_farm[1].change_faults(silent=False)


RULES = """
[hot]
sensor = "Inlet*"
comparison_operator = "gt"
threshold = 40
evaluation_periods = 2
severity = "critical"

[spinning]
sensor = "Fan *"
comparison_operator = "lt"
threshold = 2000
"""


def alarms_of(client: Client, node: str) -> list[tuple[str, str, str]]:
    events: list[EventView] = client.nodes.history(node, limit=200)
    return [
        (one.payload["alarm"], one.payload["previous_state"], one.payload["state"])
        for one in reversed(events)
        if one.type.startswith("sensor.alarm.")
    ]


def test_an_alarm_is_raised_once_survives_a_restart_and_is_over_once(bmc_farm: BMCFarm, tmp_path: Path) -> None:
    bmc = bmc_farm[2]
    rules = tmp_path / "alarms.toml"
    rules.write_text(RULES)
    settings = Settings(send_sensor_data=True, sensor_data_interval_s=INTERVAL_S, alarm_rules_file=str(rules))
    store, sensors = tmp_path / "castiron.db", bmc.keeps.sensors
    warm = [one.reads(raw=44) if one.name == "Inlet Temp" else one for one in sensors]

    def state(client: Client) -> dict[str, str]:
        return {rule: alarm.state.value for rule, alarm in client.nodes.show("n1").alarms.items()}

    with running_conductor(store=store, settings=settings) as conductor, conductor.client(timeout_s=20.0) as client:
        client.nodes.create("n1", driver_info=bmc.driver_info)
        until(lambda: state(client) == {"hot": "ok", "spinning": "ok"})
        assert alarms_of(client, "n1") == [], "that all is well at first sight is no news"
        bmc.keeps.set_sensors(*warm)
        until(lambda: state(client)["hot"] == "alarm")
        assert [one.name for one in client.nodes.list(where=["alarms.hot.state=alarm"])] == ["n1"]
        shown = command(conductor, "alarms")
        assert shown.exit_code == 0
        assert [word in shown.stdout for word in ("n1", "hot", "alarm", "Inlet Temp", "44")] == [True] * 5
        assert "hot alarm" in command(conductor, "node", "show", "n1").stdout

    with running_conductor(store=store, settings=settings) as conductor, conductor.client(timeout_s=20.0) as client:
        assert state(client)["hot"] == "alarm"
        until(lambda: client.sensors.list("n1").read_at is not None)
        first = client.sensors.list("n1").read_at or 0.0
        until(lambda: (client.sensors.list("n1").read_at or 0.0) > first + 2 * INTERVAL_S)
        assert alarms_of(client, "n1") == [("hot", "ok", "alarm")]
        bmc.keeps.set_sensors(*sensors)
        until(lambda: state(client)["hot"] == "ok")
        bmc.keeps.set_sensors(*(one for one in sensors if one.name != "Fan 1"))
        until(lambda: state(client)["spinning"] == "insufficient data")
        assert alarms_of(client, "n1") == [
            ("hot", "ok", "alarm"),
            ("hot", "alarm", "ok"),
            ("spinning", "ok", "insufficient data"),
        ]
        assert "No alarm is raised" not in command(conductor, "alarms").stdout
    bmc.keeps.set_sensors(*sensors)


def test_a_conductor_with_a_bad_rule_does_not_start(tmp_path: Path) -> None:
    rules = tmp_path / "alarms.toml"
    rules.write_text(RULES.replace('"lt"', '"<"'))
    conductor = Conductor(settings=Settings(alarm_rules_file=str(rules)), endpoint=f"ipc://{tmp_path}/c.ipc")
    with pytest.raises(SettingInvalid, match=r"alarms\.toml: spinning\.comparison_operator: '<' is not one of gt"):
        conductor.start()
    served = CliRunner().invoke(
        main,
        [
            *("serve", "--store", str(tmp_path / "c.db"), "--listen", f"ipc://{tmp_path}/c.ipc"),
            *("--set", f"alarm_rules_file={rules}"),
        ],
    )
    assert served.exit_code != 0
    assert "alarm_rules_file" in served.stderr
