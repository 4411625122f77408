"""What is wrong with a BMC shows on the wire, and only there."""

from math import inf
from random import Random
from statistics import median, quantiles
from typing import Any

import pytest

from castiron.testing.bmc import Faults, Forgery, LongTail, Refusal
from castiron.testing.bmc.chassis import MAX_LATE
from castiron.testing.bmc.codes import ChassisAction
from castiron.testing.bmc.faults import MAX_FLOOD
from castiron.transport.vocabulary import PowerState
from tests.support.bmc_bench import SOURCE, Bench, make_bench
from tests.support.console import ALGORITHMS, Console, Silent, ipmi_message, open_request
from tests.unit.testing.bmc_console import CYCLE, DOWN, OFF, OK, ON, PING, UP, logged_in, power_of

OTHER = ("127.0.0.1", 40_001)


class TestTheWay:
    def test_a_healthy_bmc_answers_at_once(self, bench: Bench) -> None:
        assert bench.exchange(PING) is not None
        assert bench.delay_s == 0.0

    def test_a_silent_bmc_carries_out_nothing_and_can_be_healed(self, bench: Bench) -> None:
        console = logged_in(bench)

        bench.bmc.faults = Faults(silent=True)
        with pytest.raises(Silent):
            console.command(0, 2, UP)
        assert bench.bmc.device.chassis.control_count == 0

        bench.bmc.faults = Faults()
        assert console.command(0, 2, UP) == OK

    def test_a_slow_bmc_answers_late_and_acts_at_once(self) -> None:
        bench = make_bench(faults=Faults(slow_s=2.5))
        console = logged_in(bench)

        console.command(0, 2, UP)

        assert bench.delay_s == 2.5
        assert bench.bmc.device.chassis.control_count == 1

    def delays(self, slow_s: float | tuple[float, float] | LongTail, count: int) -> list[float]:
        bench = make_bench(faults=Faults(slow_s=slow_s))
        delays = list[float]()
        for _ in range(count):
            assert bench.exchange(PING) is not None
            delays.append(bench.delay_s)
        return delays

    def test_a_delay_can_vary_between_two_bounds(self) -> None:
        delays = self.delays((0.1, 0.4), 200)

        assert 0.1 <= min(delays) < 0.13
        assert 0.37 < max(delays) <= 0.4

    def test_a_delay_can_have_a_long_tail(self) -> None:
        delays = self.delays(LongTail(0.1, 5.0), 20_000)

        assert median(delays) == pytest.approx(0.1, rel=0.05)
        assert quantiles(delays, n=100)[-1] == pytest.approx(5.0, rel=0.2)
        assert max(delays) > 15

    def test_a_long_tail_of_no_length_is_a_fixed_delay(self) -> None:
        assert self.delays(LongTail(0.25, 0.25), 3) == pytest.approx([0.25] * 3)

    def answered(self, seed: int, loss_percent: float, count: int = 2_000) -> list[bool]:
        bench = make_bench(seed=seed, faults=Faults(loss_percent=loss_percent))
        return [bench.exchange(PING) is not None for _ in range(count)]

    def test_losses_repeat_with_the_seed(self) -> None:
        assert self.answered(1, 20) == self.answered(1, 20)
        assert self.answered(1, 20) != self.answered(2, 20)

    def test_losses_are_as_many_as_asked_for_each_way(self) -> None:
        assert sum(self.answered(3, 20)) == pytest.approx(2_000 * 0.8 * 0.8, rel=0.05)
        assert sum(self.answered(3, 0)) == 2_000
        assert sum(self.answered(3, 100)) == 0

    def test_a_lost_answer_leaves_its_command_carried_out(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(loss_percent=50)
        outcomes = set[tuple[bool, bool]]()

        for _ in range(100):
            before = bench.bmc.device.chassis.control_count
            answer = bench.exchange(console.seal(ipmi_message(0, 2, UP))) is not None
            outcomes.add((bench.bmc.device.chassis.control_count > before, answer))
            if not answer:
                bench.bmc.faults = Faults()
                console.command(6, 1)
                bench.bmc.faults = Faults(loss_percent=50)

        assert outcomes == {(True, True), (True, False), (False, False)}

    def test_duplicates_go_both_ways(self) -> None:
        bench = make_bench(faults=Faults(duplicate_percent=100))

        answers = [answer for _, answer in bench.bmc.receive(PING, SOURCE, bench.now)]

        assert len(answers) == 4
        assert len(set(answers)) == 1

    def test_duplicates_are_as_many_as_asked_for(self) -> None:
        bench = make_bench(faults=Faults(duplicate_percent=10))

        answers = sum(len(bench.bmc.receive(PING, SOURCE, bench.now)) for _ in range(2_000))

        assert answers == pytest.approx(2_000 * 1.1 * 1.1, rel=0.03)

    def test_a_request_that_arrives_twice_is_carried_out_once(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(duplicate_percent=100)

        answers = bench.bmc.receive(console.seal(ipmi_message(0, 2, UP)), SOURCE, bench.now)

        assert len(answers) == 2
        assert bench.bmc.device.chassis.control_count == 1

    def test_a_login_succeeds_although_each_datagram_arrives_twice(self) -> None:
        bench = make_bench(faults=Faults(duplicate_percent=100))
        console = Console(lambda datagram: bench.bmc.receive(datagram, SOURCE, bench.now)[0][1])

        console.login()

        assert power_of(console) == OFF
        assert bench.bmc.device.login_count == 1

    def test_a_reordered_request_is_overtaken_by_the_next_one_and_carried_out_after_it(self, bench: Bench) -> None:
        console = logged_in(bench)
        first, second = (console.seal(ipmi_message(0, 2, action)) for action in (UP, DOWN))

        bench.bmc.faults = Faults(reorder_percent=100)
        assert bench.bmc.receive(first, SOURCE, bench.now) == []
        bench.bmc.faults = Faults()
        assert len(bench.bmc.receive(second, SOURCE, bench.now)) == 2

        actions = [control.action for control in bench.bmc.device.chassis.controls]
        assert actions == [ChassisAction.POWER_DOWN, ChassisAction.POWER_UP]

    def test_a_reordered_answer_comes_after_the_next_one(self, bench: Bench) -> None:
        console = logged_in(bench)
        first, second = (console.seal(ipmi_message(0, 1)) for _ in range(2))
        bench.bmc.faults = Faults(reorder_percent=100)

        assert bench.bmc.receive(first, SOURCE, bench.now) == []
        answers = [console.unseal(answer) for _, answer in bench.bmc.receive(second, SOURCE, bench.now)]

        assert answers == [b"\x00\x20\x00\x40"] * 2
        assert console.replies_seen == [1, 3, 2]

    def test_nobody_overtakes_the_datagram_of_another_console(self) -> None:
        bench = make_bench(faults=Faults(reorder_percent=100))

        assert bench.bmc.receive(PING, SOURCE, bench.now) == []
        bench.bmc.faults = Faults()
        assert len(bench.bmc.receive(PING, OTHER, bench.now)) == 1
        assert len(bench.bmc.receive(PING, SOURCE, bench.now)) == 2
        assert len(bench.bmc.receive(PING, SOURCE, bench.now)) == 1

    def test_a_flood_comes_before_the_answer_and_also_without_one(self) -> None:
        bench = make_bench(faults=Faults(flood_count=50))

        *flood, (_, answer) = bench.bmc.receive(PING, SOURCE, bench.now)
        unanswered = bench.bmc.receive(b"nonsense", SOURCE, bench.now)

        assert answer == make_bench().exchange(PING)
        assert len(flood) == len(unanswered) == 50
        assert {datagram[:4] == PING[:3] + b"\x07" for _, datagram in flood} == {True, False}
        assert max(len(datagram) for _, datagram in flood) < 200
        assert all(delay_s == 0 for delay_s, _ in flood)


class TestThePower:
    def test_a_bmc_that_ignores_power_says_yes_and_does_nothing(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(ignores_power=True)

        assert console.command(0, 2, UP) == OK

        assert power_of(console) == OFF
        bench.now += 50
        assert power_of(console) == OFF
        (control,) = bench.bmc.device.chassis.controls
        assert control == (1000.0, ChassisAction.POWER_UP, True)

    def test_a_bmc_that_acts_late_says_yes_at_once(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(late_power_s=5.0)

        assert console.command(0, 2, UP) == OK

        assert bench.bmc.device.chassis.due_at == bench.now + 5
        bench.now += 4.999
        assert power_of(console) == OFF
        bench.now += 0.001
        assert power_of(console) == ON
        assert bench.bmc.device.chassis.due_at is None

    def test_late_controls_keep_their_own_instants(self, bench: Bench) -> None:
        console = logged_in(bench)
        chassis = bench.bmc.device.chassis
        seen = list[tuple[float, PowerState]]()

        for late_s, action in ((20.0, DOWN), (10.0, UP), (10.0, CYCLE)):
            bench.bmc.faults = Faults(late_power_s=late_s)
            console.command(0, 2, action)
        chassis.set_power(PowerState.ON)
        bench.bmc.faults = Faults(late_power_s=10.0)
        console.command(0, 2, CYCLE)
        while (due_at := chassis.due_at) is not None:
            chassis.advance(due_at)
            seen.append((due_at - bench.now, chassis.power))

        assert seen == [
            (10.0, PowerState.OFF),
            (pytest.approx(10.2), PowerState.ON),
            (20.0, PowerState.OFF),
        ]

    def test_a_late_reset_of_a_machine_that_has_been_switched_off_meanwhile_does_nothing(self, bench: Bench) -> None:
        chassis = bench.bmc.device.chassis
        chassis.set_power(PowerState.ON)
        console = logged_in(bench)
        bench.bmc.faults = Faults(late_power_s=5.0)
        assert console.command(0, 2, CYCLE) == OK

        chassis.set_power(PowerState.OFF)
        chassis.advance(bench.now + 60)

        assert chassis.power is PowerState.OFF

    def test_time_that_has_long_passed_is_made_up_for_in_order(self, bench: Bench) -> None:
        chassis = bench.bmc.device.chassis
        chassis.set_power(PowerState.ON)
        console = logged_in(bench)
        bench.bmc.faults = Faults(late_power_s=1.0)
        console.command(0, 2, CYCLE)

        chassis.advance(bench.now + 3600)

        assert chassis.power is PowerState.ON
        assert chassis.due_at is None

    def test_a_bmc_with_too_many_late_controls_is_busy(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(late_power_s=5.0)

        answers = [console.command(0, 2, UP) for _ in range(MAX_LATE + 1)]

        assert answers == [OK] * MAX_LATE + [b"\xc0"]
        bench.now += 5
        assert console.command(0, 2, DOWN) == OK

    def test_wrong_power_states_are_used_up_by_asking(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.faults = Faults(wrong_power_count=2)

        told = [power_of(console) for _ in range(4)]

        assert told == [ON, ON, OFF, OFF]
        assert bench.bmc.faults == Faults()
        assert bench.bmc.device.chassis.power is PowerState.OFF

    def test_other_faults_stay_when_a_lie_is_used_up(self, bench: Bench) -> None:
        console = logged_in(bench)
        bench.bmc.device.chassis.set_power(PowerState.ON)
        bench.bmc.faults = Faults(wrong_power_count=2, ignores_power=True)

        assert power_of(console) == OFF

        assert bench.bmc.faults == Faults(wrong_power_count=1, ignores_power=True)


def everything(seed: int) -> list[tuple[float, bytes]]:
    faults = Faults(
        slow_s=LongTail(0.1, 1),
        loss_percent=10,
        duplicate_percent=10,
        reorder_percent=10,
        flood_count=2,
        forgeries=tuple(Forgery),
        forge_percent=20,
    )
    bench = make_bench(seed=seed, faults=faults)
    request = open_request(ALGORITHMS[17])
    return [answer for _ in range(200) for answer in bench.bmc.receive(request, SOURCE, bench.now)]


def test_the_same_seed_gives_the_same_answers_to_the_byte_whatever_is_wrong() -> None:
    assert everything(1) == everything(1)
    assert everything(1) != everything(2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"slow_s": -1.0},
        {"slow_s": (2.0, 1.0)},
        {"slow_s": inf},
        {"slow_s": float("nan")},
        {"loss_percent": -1.0},
        {"loss_percent": 101.0},
        {"duplicate_percent": 100.1},
        {"reorder_percent": -0.1},
        {"forge_percent": float("nan")},
        {"late_power_s": -1.0},
        {"late_power_s": inf},
        {"wrong_power_count": -1},
        {"flood_count": -1},
        {"flood_count": MAX_FLOOD + 1},
    ],
    ids=str,
)
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Faults(**wrong)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (2.0, 1.0), (1.0, inf), (float("nan"), 1.0)])
def test_a_tail_that_cannot_be_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        LongTail(low, high)


@pytest.mark.parametrize("wrong", [{"code": 0}, {"code": 256}, {"count": 0}], ids=str)
def test_a_refusal_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Refusal(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_faults_are_values() -> None:
    assert Faults(silent=True) == Faults(silent=True)
    with pytest.raises(AttributeError):
        Faults().silent = True  # type: ignore[misc]  # frozen, which is what is tested


def test_a_healthy_bmc_draws_nothing_for_faults(bench: Bench) -> None:
    bench.exchange(PING)

    assert bench.bmc.device.rng.getstate() == Random(1).getstate()
