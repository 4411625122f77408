"""Periodic tasks in a whole conductor: found, run, told, stopped and started; through the protocol and the command."""

import threading
from collections.abc import Iterable, Iterator

import pytest
from click.testing import CliRunner, Result
from futurist import periodics as futurist

import castiron
from castiron.actors.conductor import Conductor
from castiron.actors.sensors.sensing import TASK
from castiron.actors.settings import SettingInvalid, Settings, settings_from
from castiron.cli.main import main
from castiron.cli.output.exits import Exit
from castiron.testing import running_conductor
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import PeriodicNotFound
from tests.support.deadline import until

HOUR_S = 3_600.0

pytestmark = pytest.mark.castiron(nodes=0, settings={"periodic_max_workers": 2}, timeout_s=20)


class Rack:
    """A plug-in's object: one task of each kind of mark, and one that hangs until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.gate = threading.Event()

    @castiron.periodic(spacing_s=0.02)
    def look(self) -> None:
        """Look."""
        self.looks += 1

    @futurist.periodic(HOUR_S, run_immediately=True)
    def marked_for_futurist(self) -> None:
        """Do nothing."""

    @castiron.periodic(spacing_s=0.02, timeout_s=0.1)
    def hang(self) -> None:
        """Hang."""
        self.gate.wait(60.0)

    @castiron.periodic(spacing_s=0.02, blocking=False)
    def quick(self) -> None:
        """Never again."""
        raise castiron.NeverAgain


def command(conductor: Conductor, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, ["periodics", *words, "--endpoint", conductor.endpoint])


def name(method: str) -> str:
    return f"{Rack.__module__}.Rack.{method}"


@pytest.fixture
def rack() -> Iterator[Rack]:
    rack = Rack()
    yield rack
    rack.gate.set()


@pytest.fixture
def castiron_periodics(rack: Rack) -> Iterable[object]:
    return [rack]


def state_of(client: Client, method: str) -> str:
    return next(view.state for view in client.periodics.list() if view.name == name(method))


def test_they_run_and_are_told(rack: Rack, castiron_client: Client) -> None:
    until(lambda: rack.looks >= 3)
    until(lambda: state_of(castiron_client, "hang") == "hung")
    until(lambda: state_of(castiron_client, "quick") == "stopped")
    views = {view.name.rpartition(".")[2]: view for view in castiron_client.periodics.list() if view.name != TASK}
    assert set(views) == {"look", "marked_for_futurist", "hang", "quick"}
    assert views["look"].successes >= 2
    assert views["look"].average_late_s is not None
    assert (views["hang"].runs, views["hang"].failures) == (1, 1)
    assert (views["quick"].runs, views["quick"].successes, views["quick"].failures) == (1, 1, 0)
    assert views["marked_for_futurist"].runs == 1
    was = rack.looks
    until(lambda: rack.looks >= was + 3)  # one that hangs is in nobody's way
    assert castiron_client.status().queues["periodics"].limit == 2


def test_one_can_be_stopped_and_started(rack: Rack, castiron_client: Client) -> None:
    until(lambda: rack.looks >= 1)
    castiron_client.periodics.stop(name("look"))
    until(lambda: state_of(castiron_client, "look") == "stopped")
    was = rack.looks
    assert castiron_client.periodics.stop(name("look")).state == "stopped"
    assert rack.looks == was
    castiron_client.periodics.start(name("look"))
    until(lambda: rack.looks >= was + 2)
    with pytest.raises(PeriodicNotFound, match=r"Did you mean .*Rack\.look"):
        castiron_client.periodics.stop(name("lok"))


def test_the_command_shows_the_table_and_stops_one(castiron_conductor: Conductor, rack: Rack) -> None:
    until(lambda: rack.looks >= 1)
    shown = command(castiron_conductor)
    assert shown.exit_code == 0
    assert not [word for word in ("Name", "Runs in", "Failures", name("look"), "3600 s") if word not in shown.stdout], (
        shown.stdout
    )
    stopped = command(castiron_conductor, "stop", name("look"))
    assert stopped.stdout.startswith(f"{name('look')}: it runs no more")
    unknown = command(castiron_conductor, "stop", "nothing")
    assert unknown.exit_code == Exit.NOT_FOUND
    assert "castiron periodics" in unknown.stderr


@pytest.mark.castiron(
    settings={"disabled_periodics": (name("hang"), name("quick")), "periodic_strategy": "last_finished"}
)
def test_a_setting_switches_one_off_and_what_makes_no_sense_is_refused(castiron_client: Client, rack: Rack) -> None:
    views = [view for view in castiron_client.periodics.list() if view.name != TASK]
    assert {view.name for view in views} == {name("look"), name("marked_for_futurist")}
    assert {view.strategy for view in views} == {"last_finished"}
    with pytest.raises(SettingInvalid, match="last_started_jitter"):
        settings_from({"periodic_strategy": "sometimes"})


def test_a_conductor_stops_while_one_hangs(rack: Rack) -> None:
    with running_conductor(periodics=[rack], settings=Settings(graceful_shutdown_timeout_s=1.0)) as conductor:
        until(lambda: rack.looks >= 1)
    assert conductor.failure is None
    was = rack.looks
    threading.Event().wait(0.1)
    assert rack.looks == was
