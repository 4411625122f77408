"""A driver that is written as methods, in virtual time: lines of calls, what their ends mean, and who ends them."""

import asyncio
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.coroutines.coroutines import Coroutines
from castiron.actors.coroutines.virtual import ClockLoop
from castiron.actors.dispatch.virtual import VirtualClock
from castiron.actors.drivers.base import (
    Call,
    Done,
    DriverInfo,
    Extra,
    GetBootDevice,
    GetPower,
    NotDone,
    Operation,
    Outcome,
    SetPower,
    Target,
)
from castiron.actors.drivers.methods import Asked, MethodDriver, Over
from castiron.actors.drivers.methods.asked import METHODS
from castiron.actors.drivers.methods.driver import Places
from castiron.actors.drivers.methods.line import MAX_WAITING
from castiron.actors.drivers.operations import ReadFRU, VerifyCredentials
from castiron.testing.simulation.house import Moments
from castiron.transport.errors import (
    BMCBusy,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    CastironError,
    DeadlineExceeded,
)
from castiron.transport.vocabulary import Applied, Instant, NodeUUID, PowerControl, PowerState, Seconds

OFF = SetPower(PowerControl.OFF)


class Slow(MethodDriver):
    """Takes as long as driver_info says for what it awaits, and none for what it does not."""

    name = "slow"

    def __init__(self, clock: VirtualClock, places: Places) -> None:
        super().__init__(clock, places)
        self.trace: list[str] = []

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        return DriverInfo(info=driver_info, secret_keys=frozenset(), bmc_address=None)

    async def get_power(self, asked: Asked[GetPower]) -> PowerState:
        self.trace.append(f"{asked.target.node} asks")
        try:
            await asyncio.sleep(asked.target.info.get("seconds", 1.0))
        except asyncio.CancelledError:
            self.trace.append(f"{asked.target.node} is cancelled")
            raise
        if error := asked.target.info.get("error"):
            raise error
        return PowerState.ON

    def set_power(self, asked: Asked[SetPower]) -> None:
        asked.acting()
        self.trace.append(f"{asked.target.node} acts")
        if error := asked.target.info.get("error"):
            raise error

    async def get_boot_device(self, asked: Asked[GetBootDevice]) -> None:
        await asyncio.sleep(1.0)
        asked.acting()
        await asyncio.sleep(1_000.0)

    async def verify_credentials(self, asked: Asked[VerifyCredentials]) -> None:
        await asyncio.sleep(asked.operation.info["seconds"])

    async def log_out(self, target: Target) -> None:
        await asyncio.sleep(0.5)
        self.trace.append(f"{target.node} logs out of {target.info.get('bmc')}")


class World:
    def __init__(self, limit: int = 10) -> None:
        self.clock = VirtualClock()
        threads = Bulkhead("driver_calls", limit, self.clock, home=Moments(self.clock))
        coroutines = Coroutines("coroutine_driver_calls", limit, self.clock, ClockLoop(self.clock))
        self.driver = Slow(self.clock, Places(threads, coroutines))

    def submit(
        self,
        operation: Operation,
        node: str = "n1",
        *,
        generation: int = 1,
        deadline_s: float = 30.0,
        gives_way: bool = False,
        **info: Any,
    ) -> list[tuple[float, Outcome]]:
        told: list[tuple[float, Outcome]] = []
        target = Target(node=NodeUUID(node), generation=generation, info=info)
        call = Call(
            target=target,
            operation=operation,
            deadline=Instant(self.clock.now() + deadline_s),
            gives_way=gives_way,
        )
        self.driver.submit(call, lambda outcome: told.append((self.clock.now(), outcome)))
        return told

    def failure(self, told: list[tuple[float, Outcome]]) -> tuple[float, CastironError, Applied]:
        ((at, outcome),) = told
        assert isinstance(outcome, NotDone)
        return at, outcome.error, outcome.applied


@pytest.fixture
def world() -> World:
    return World()


def test_there_is_a_method_for_every_operation() -> None:
    assert set(METHODS) == set(get_args(Operation)) | set(get_args(Extra))
    assert len(set(METHODS.values())) == len(METHODS)


def test_calls_of_both_kinds_to_one_bmc_keep_their_order_and_those_of_others_pass(world: World) -> None:
    first, second, third = (world.submit(operation, seconds=5.0) for operation in (GetPower(), OFF, GetPower()))
    other = world.submit(OFF, "n2")

    world.clock.advance(Seconds(20.0))

    assert other == [(0.0, Done(value=None))]
    assert (first, second, third) == (
        [(5.0, Done(value=PowerState.ON))],
        [(5.0, Done(value=None))],
        [(10.0, Done(value=PowerState.ON))],
    )
    assert world.driver.counters() == {"calls": 4, "failed": 0, "late": 0, "in_flight": 0, "waiting": 0}


def test_each_ends_by_its_own_deadline_also_one_that_waits(world: World) -> None:
    first = world.submit(GetPower(), deadline_s=5.0, seconds=100.0)
    waits = world.submit(OFF, deadline_s=3.0, seconds=100.0)
    last = world.submit(GetPower(), deadline_s=200.0, seconds=100.0)
    world.clock.advance(Seconds(150.0))

    for told, at in ((first, 5.0), (waits, 3.0)):
        ended_at, error, applied = world.failure(told)
        assert (ended_at, type(error), applied) == (at, BMCUnreachable, Applied.NO)
        assert error.details["node"] == "n1"
    assert last == [(105.0, Done(value=PowerState.ON))]
    assert world.driver.trace == ["n1 asks", "n1 is cancelled", "n1 asks"]
    assert world.driver.counters()["late"] == 1


def test_what_may_have_been_done_is_said_to_be_unknown(world: World) -> None:
    told = world.submit(GetBootDevice(), deadline_s=5.0)
    world.clock.advance(Seconds(10.0))

    assert world.failure(told)[2] is Applied.UNKNOWN


def test_what_has_ended_sends_nothing_any_more() -> None:
    asked = Asked(
        Call(target=Target(node=NodeUUID("n"), generation=1, info={}), operation=OFF, deadline=Instant(0)), OFF
    )

    assert asked.end() is Applied.NO
    with pytest.raises(Over):
        asked.acting()
    assert asked.end() is Applied.NO


def test_without_a_place_in_time_it_was_not_asked() -> None:
    world = World(limit=1)
    world.submit(GetPower(), seconds=20.0)
    told = world.submit(GetPower(), "n2", deadline_s=5.0)
    world.clock.advance(Seconds(10.0))

    _, error, applied = world.failure(told)
    assert (type(error), applied) == (DeadlineExceeded, Applied.NO)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BMCBusy("It restarts.", retry_after_s=1.0), BMCBusy),
        (ConnectionRefusedError(111, "refused"), BMCUnreachable),
        (TimeoutError(), BMCUnreachable),
        (ZeroDivisionError("secret"), BMCFault),
        (SystemExit(3), BMCFault),
        (asyncio.CancelledError(), BMCFault),
    ],
)
@pytest.mark.parametrize(("operation", "applied"), [(GetPower(), Applied.NO), (OFF, Applied.UNKNOWN)])
def test_whatever_a_method_raises_is_an_outcome(
    world: World, error: BaseException, kind: type[CastironError], operation: Operation, applied: Applied
) -> None:
    told = world.submit(operation, error=error)
    world.clock.advance(Seconds(10.0))

    _, failure, said = world.failure(told)
    assert (type(failure), said) == (kind, applied)
    assert "secret" not in str(failure)


def test_a_refusal_that_the_method_knows_to_have_done_nothing_says_so(world: World) -> None:
    told = world.submit(OFF, error=BMCUnsupported("No such thing.", applied=Applied.NO))
    world.clock.advance(Seconds(10.0))

    assert world.failure(told)[2] is Applied.NO


def test_what_it_has_no_method_for_is_unsupported(world: World) -> None:
    _, error, applied = world.failure(world.submit(ReadFRU()))

    assert (type(error), applied) == (BMCUnsupported, Applied.NO)


def test_what_gives_way_does_so_at_once(world: World) -> None:
    checks = [world.submit(GetPower(), gives_way=True, seconds=100.0)]
    world.clock.advance(Seconds(2.0))
    wanted = world.submit(OFF, seconds=100.0)
    world.clock.advance(Seconds(2.0))

    at, error, _ = world.failure(checks[0])
    assert (at, type(error)) == (2.0, BMCBusy)
    assert wanted == [(2.0, Done(value=None))]
    assert world.driver.trace == ["n1 asks", "n1 is cancelled", "n1 acts"]


def test_no_more_wait_for_one_bmc_than_may(world: World) -> None:
    told = [world.submit(GetPower(), seconds=1.0, deadline_s=500.0) for _ in range(MAX_WAITING + 2)]

    assert isinstance(world.failure(told[-1])[1], BMCBusy)
    world.clock.advance(Seconds(500.0))
    assert [len(each) for each in told] == [1] * len(told)


def test_a_newer_owner_ends_the_calls_of_the_older(world: World) -> None:
    old = [world.submit(GetPower(), seconds=100.0, bmc="a"), world.submit(OFF, seconds=100.0, bmc="a")]
    world.clock.advance(Seconds(1.0))
    new = world.submit(OFF, generation=2, seconds=100.0, bmc="a")
    late = world.submit(OFF, generation=1, seconds=100.0, bmc="a")
    world.clock.advance(Seconds(1.0))

    assert [type(world.failure(each)[1]) for each in (*old, late)] == [BMCFault] * 3
    assert new == [(1.0, Done(value=None))]
    assert not any("logs out" in line for line in world.driver.trace), "it is the same BMC, and the same user"


def test_other_driver_info_has_the_session_of_before_logged_out(world: World) -> None:
    world.submit(OFF, bmc="a")
    world.clock.advance(Seconds(1.0))
    world.submit(OFF, generation=2, bmc="b")
    world.clock.advance(Seconds(1.0))
    world.driver.forget(NodeUUID("n1"))
    world.driver.forget(NodeUUID("n1"))
    world.clock.advance(Seconds(1.0))

    assert world.driver.trace == ["n1 acts", "n1 acts", "n1 logs out of a", "n1 logs out of b"]


def test_other_credentials_are_tried_beside_and_one_after_the_other(world: World) -> None:
    slow = world.submit(GetPower(), seconds=10.0)
    beside = world.submit(VerifyCredentials({"seconds": 5.0}))
    refused = world.submit(VerifyCredentials({"seconds": 5.0}))
    world.clock.advance(Seconds(20.0))

    assert beside == [(5.0, Done(value=None))]
    assert slow == [(10.0, Done(value=PowerState.ON))]
    assert isinstance(world.failure(refused)[1], BMCBusy)


def test_a_stop_ends_all_and_refuses_later_ones(world: World) -> None:
    told = [
        world.submit(GetPower(), seconds=100.0),
        world.submit(OFF, seconds=100.0),
        world.submit(VerifyCredentials({"seconds": 100.0})),
    ]
    world.clock.advance(Seconds(1.0))

    world.driver.stop(0.0)
    told.append(world.submit(OFF))
    world.clock.advance(Seconds(1.0))

    for each in told:
        _, error, applied = world.failure(each)
        assert (type(error), applied) == (BMCUnreachable, Applied.NO)
        assert "stopping" in str(error)
    assert not world.driver.is_alive()
    assert world.driver.trace[-1] == "n1 logs out of None"


def test_it_is_used_where_it_is_told_unless_it_has_places(world: World) -> None:
    driver, own = world.driver, world.driver._places
    driver.use(Places.own(world.clock))

    assert driver._places is own
