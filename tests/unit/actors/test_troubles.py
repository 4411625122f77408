"""The log tells of a failing BMC in few lines, with counts, and of its end; whatever fails how often, it is bounded."""

import logging
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.drivers.base import Done, NotDone
from castiron.actors.drivers.fake_script import FakeFault
from castiron.actors.nodes.troubles import MAX_PAUSE_S, PAUSE_S, Line, Troubles
from castiron.testing import Faults, Plan
from castiron.testing import Simulation as Virtual
from castiron.testing.simulation.users import create
from castiron.transport.errors import (
    BMCBusy,
    BMCCredentials,
    BMCError,
    BMCUnreachable,
    BMCUnsupported,
    DeadlineExceeded,
)
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, PowerTarget, ReplyWish
from tests.support.conductor_sim import Simulation
from tests.support.deadline import until

N1 = NodeUUID("11111111-0000-4000-8000-000000000001")
SILENT = BMCUnreachable("No answer from 127.0.0.7:623. See that it has power.")
BUSY = BMCBusy("The BMC is busy.")
HOUR_S = 3600.0


class Told:
    """What one account says, with the time of each line."""

    def __init__(self, max_nodes: int = 100) -> None:
        self.troubles = Troubles(max_nodes)
        self.lines: list[tuple[float, Line]] = []

    def fails(self, at: float, error: BMCError = SILENT, node: NodeUUID = N1) -> list[str]:
        return self._heard(at, error, node)

    def answers(self, at: float, node: NodeUUID = N1) -> list[str]:
        return self._heard(at, None, node)

    def _heard(self, at: float, error: BMCError | None, node: NodeUUID) -> list[str]:
        lines = self.troubles.heard(node, "n1", error, Instant(at))
        self.lines += [(at, line) for line in lines]
        return [line.text for line in lines]


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_healthy_bmc_is_not_mentioned_and_not_remembered(told: Told) -> None:
    assert told.answers(0.0) == []
    assert len(told.troubles) == 0


def test_the_first_failure_is_told_at_once_with_what_to_do_and_where_to_look(told: Told) -> None:
    told.fails(5.0)

    ((_, line),) = told.lines
    assert line == Line(
        logging.WARNING,
        "n1: No answer from 127.0.0.7:623. See that it has power.",
        {"node": "n1", "node_uuid": N1, "code": "bmc.unreachable"},
    )
    assert told.troubles.failing() == 1


def test_the_next_line_comes_after_a_minute_with_the_count_of_what_was_left_out(told: Told) -> None:
    told.fails(0.0)

    assert [told.fails(float(at)) for at in range(4, 60, 4)] == [[]] * 14
    assert told.fails(60.0) == [f"n1: {SILENT.message} (14 more times in the last 60 s)"]
    assert told.fails(100.0) == []
    assert told.fails(180.0) == [f"n1: {SILENT.message} (once more in the last 120 s)"]


def test_each_kind_of_failure_is_told_for_itself(told: Told) -> None:
    told.fails(0.0)

    assert told.fails(1.0, BUSY) == ["n1: The BMC is busy."]
    assert told.fails(2.0, BUSY) == []


def test_the_end_is_told_once_with_how_long_it_was_and_how_often(told: Told) -> None:
    for at in (0.0, 10.0, 20.0):
        told.fails(at)
    told.fails(25.0, BUSY)

    assert told.answers(30.0) == ["n1: its BMC does as it is told again, after 30 s and 3 bmc.unreachable, 1 bmc.busy"]
    assert told.lines[-1][1].level == logging.INFO
    assert told.answers(31.0) == []
    assert told.troubles.failing() == 0


def test_once_it_has_been_well_for_a_while_it_is_forgotten(told: Told) -> None:
    told.fails(0.0)
    told.answers(30.0)

    told.answers(31.0)
    assert len(told.troubles) == 1
    told.answers(91.0)
    assert len(told.troubles) == 0


def test_what_a_bmc_cannot_do_is_never_over(told: Told) -> None:
    told.fails(0.0, BMCUnsupported("It has no boot device."))

    assert told.answers(10.0) == []
    assert told.fails(20.0, BMCUnsupported("It has no boot device.")) == []
    assert told.troubles.failing() == 0


def test_what_is_not_the_bmcs_fault_is_not_told_as_such() -> None:
    assert Troubles().heard(N1, "n1", DeadlineExceeded("late"), Instant(0.0)) == []


def test_beyond_the_limit_failures_are_counted_together_and_old_ones_give_way() -> None:
    told = Told(max_nodes=2)
    nodes = [NodeUUID(str(number)) for number in range(5)]
    for node in nodes:
        told.fails(0.0, node=node)

    assert len(told.troubles) == 2
    assert [line.text for _, line in told.lines[2:]] == [
        "1 more failures of BMCs: 2 fail already, and no account is kept of more"
    ]
    assert told.fails(30.0, node=nodes[4]) == []
    assert told.fails(60.0, node=nodes[4]) == [f"n1: {SILENT.message}"]
    assert len(told.troubles) == 2


steps = st.lists(
    st.tuples(
        st.floats(0.0, 100.0),
        st.sampled_from([None, SILENT, BUSY, BMCCredentials("Wrong password."), BMCUnsupported("No.")]),
        st.integers(0, 3),
    ),
    max_size=200,
)


@given(steps)
def test_however_bmcs_come_and_go_each_says_a_line_a_minute_of_each_kind_and_memory_is_bounded(
    happened: list[tuple[float, BMCError | None, int]],
) -> None:
    told, now = Told(max_nodes=3), 0.0
    for pause_s, error, number in happened:
        now += pause_s
        node = NodeUUID(str(number))
        for line in told.troubles.heard(node, str(node), error, Instant(now)):
            told.lines.append((now, line))
        assert len(told.troubles) <= 3

    by_kind: dict[tuple[object, object], list[float]] = {}
    for at, line in told.lines:
        by_kind.setdefault((line.extra.get("node"), line.extra.get("code")), []).append(at)
    assert all(later - earlier >= PAUSE_S for times in by_kind.values() for earlier, later in pairwise(times))


def test_a_dead_bmc_takes_some_thirty_lines_a_day_and_every_failure_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The real actors, in virtual time: a day in which a request a minute meets a BMC that refuses."""
    caplog.set_level(logging.INFO, logger="castiron.actors.nodes.troubles")
    simulation = Simulation(1)
    simulation.create("n1")
    simulation.settle()
    published = simulation.services.board.node("n1")
    assert published is not None
    machine = simulation.driver.bmc(published.state.record.uuid)
    machine.script.fault = FakeFault.CREDENTIALS

    for _ in range(24 * 60):
        simulation.power("n1", PowerTarget.ON, waits=False)
        simulation.clock.run(simulation.dispatcher, until=Instant(simulation.clock.now() + 60.0))
    failures = len(simulation.driver.calls)
    mine = "castiron.actors.nodes.troubles"
    dead = [record.getMessage() for record in caplog.records if record.name == mine]
    machine.script.fault = None
    simulation.power("n1", PowerTarget.ON, waits=False)
    simulation.settle()

    assert failures >= 24 * 60
    assert len(dead) <= 10 + 24 * HOUR_S / MAX_PAUSE_S
    left_out = sum(int(count) for line in dead for count in re.findall(r"\((\d+) more times", line))
    last = [record.getMessage() for record in caplog.records if record.name == mine][-1]
    assert f"{failures} bmc.credentials" in last, "the line about the end counts all of them"
    assert failures - MAX_PAUSE_S / 60 <= left_out + len(dead) <= failures
    simulation.check()
    simulation.house.end()
    simulation.store.close()


def test_a_node_that_is_no_more_fails_no_more() -> None:
    simulation = Simulation(1)
    for name in ("n1", "n2"):
        simulation.create(name)
    simulation.settle()
    for name in ("n1", "n2"):
        published = simulation.services.board.node(name)
        assert published is not None
        simulation.driver.bmc(published.state.record.uuid).script.fault = FakeFault.CREDENTIALS
        simulation.power(name, PowerTarget.ON, waits=False)
    simulation.settle()
    assert simulation.services.troubles.failing() == 2

    simulation.delete("n1")
    simulation.settle()

    assert (simulation.services.troubles.failing(), len(simulation.services.troubles)) == (1, 1)
    simulation.house.end()
    simulation.store.close()


def test_a_check_that_gave_way_to_a_request_is_no_trouble_of_its_bmc(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="castiron.actors.nodes.troubles")
    with Virtual(Plan(nodes=1, ipmi_nodes=0, check_interval_s=60.0)) as simulation:
        (machine,), house = simulation.machines, simulation.house
        assert house is not None
        simulation.users.ask(create(machine))
        simulation.live(30.0)
        machine.bmc.faults = Faults(slow_s=0.4)

        def is_checking() -> bool:
            simulation.live(0.1)
            return house.drivers["direct"].counters()["in_flight"] > 0

        until(is_checking)
        asked = simulation.users.ask(NodePowerSet(node=machine.name, target=PowerTarget.ON, replies=ReplyWish.FINAL))
        simulation.live(60.0)

        assert asked is not None
        assert [view.state for view in asked.results] == ["succeeded"]
        assert house.services.checks.counts()["skipped"] == 1, "a check was overtaken"
        assert house.services.troubles.failing() == 0
    assert [record.getMessage() for record in caplog.records] == []


def test_a_line_is_written_for_an_outcome(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    troubles.tell(N1, "n1", NotDone(error=SILENT, applied=Applied.NO), Instant(0.0))
    troubles.tell(N1, "n1", Done(value=None), Instant(1.0))

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, f"n1: {SILENT.message}")
    assert vars(record)["node"] == "n1"


def test_a_bmc_that_comes_and_goes_is_told_to_be_well_once_a_minute(told: Told) -> None:
    told.fails(0.0)
    assert len(told.answers(1.0)) == 1
    assert len(told.fails(2.0, BUSY)) == 1

    assert [told.answers(at) for at in (3.0, 30.0, 60.0)] == [[], [], []]
    assert told.answers(61.0) == ["n1: its BMC does as it is told again, after 59 s and 1 bmc.busy"]
