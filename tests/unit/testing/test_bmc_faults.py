"""What is wrong with a BMC shows on the wire, and only there."""

import pytest

from castiron.testing.bmc import Faults
from tests.support.bmc_bench import make_bench
from tests.support.console import Console, Silent, ipmi_message

PING = bytes.fromhex("0600ff06000011be80000000")


def test_a_healthy_bmc_answers_at_once() -> None:
    bench = make_bench()

    assert bench.exchange(PING) is not None
    assert bench.delay_s == 0.0


def test_a_silent_bmc_carries_out_nothing_and_can_be_healed() -> None:
    bench = make_bench()
    console = Console(bench.exchange)
    console.login()

    bench.bmc.faults = Faults(silent=True)
    with pytest.raises(Silent):
        console.command(0, 2, b"\x01")
    assert bench.bmc.device.chassis.control_count == 0

    bench.bmc.faults = Faults()
    assert console.command(0, 2, b"\x01") == b"\x00"


def test_a_slow_bmc_answers_late_and_acts_at_once() -> None:
    bench = make_bench(faults=Faults(slow_s=2.5))
    console = Console(bench.exchange)
    console.login()

    console.command(0, 2, b"\x01")

    assert bench.delay_s == 2.5
    assert bench.bmc.device.chassis.control_count == 1


def test_a_delay_can_vary_between_two_bounds() -> None:
    bench = make_bench(faults=Faults(slow_s=(0.1, 0.4)))
    delays = list[float]()

    for _ in range(200):
        assert bench.exchange(PING) is not None
        delays.append(bench.delay_s)

    assert 0.1 <= min(delays) < 0.13
    assert 0.37 < max(delays) <= 0.4


def answered(seed: int, loss_percent: float, count: int = 2_000) -> list[bool]:
    bench = make_bench(seed=seed, faults=Faults(loss_percent=loss_percent))
    return [bench.exchange(PING) is not None for _ in range(count)]


def test_losses_repeat_with_the_seed() -> None:
    assert answered(1, 20) == answered(1, 20)
    assert answered(1, 20) != answered(2, 20)


def test_losses_are_as_many_as_asked_for_each_way() -> None:
    assert sum(answered(3, 20)) == pytest.approx(2_000 * 0.8 * 0.8, rel=0.05)
    assert sum(answered(3, 0)) == 2_000
    assert sum(answered(3, 100)) == 0


def test_a_lost_answer_leaves_its_command_carried_out() -> None:
    bench = make_bench()
    console = Console(bench.exchange)
    console.login()
    bench.bmc.faults = Faults(loss_percent=50)
    outcomes = set[tuple[bool, bool]]()

    for _ in range(100):
        before = bench.bmc.device.chassis.control_count
        answer = bench.exchange(console.seal(ipmi_message(0, 2, b"\x01"))) is not None
        outcomes.add((bench.bmc.device.chassis.control_count > before, answer))
        if not answer:
            bench.bmc.faults = Faults()
            console.command(6, 1)
            bench.bmc.faults = Faults(loss_percent=50)

    assert outcomes == {(True, True), (True, False), (False, False)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"slow_s": -1.0},
        {"slow_s": (2.0, 1.0)},
        {"slow_s": float("inf")},
        {"loss_percent": -1.0},
        {"loss_percent": 101.0},
    ],
    ids=str,
)
def test_faults_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Faults(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_faults_are_values() -> None:
    assert Faults(silent=True) == Faults(silent=True)
    with pytest.raises(AttributeError):
        Faults().silent = True  # type: ignore[misc]  # frozen, which is what is tested
