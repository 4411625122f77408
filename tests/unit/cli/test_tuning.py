"""The interpreter of a conductor's own process: short collections, quick turns."""

import gc
import sys
from collections.abc import Callable, Generator

import pytest

from castiron.cli.conductor import tuning
from tests.support.deadline import until


@pytest.fixture(autouse=True)
def untuned() -> Generator[None]:
    """Leave the tests' own process as it was."""
    before, interval_s = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*before)
    sys.setswitchinterval(interval_s)
    gc.unfreeze()


def test_a_process_of_its_own_is_tuned_once_or_twice_alike() -> None:
    tuning.tune()
    tuning.tune()

    assert gc.get_threshold() == tuning.GC_THRESHOLDS
    assert sys.getswitchinterval() == pytest.approx(tuning.SWITCH_INTERVAL_S)


def is_looked_at(thing: object) -> bool:
    """Return whether the collector looks at a thing."""
    return any(one is thing for one in gc.get_objects())


@pytest.fixture
def settling() -> Generator[Callable[..., tuning.Collecting]]:
    """Begin, and stop at the end."""
    begun: list[tuning.Collecting] = []

    def begin(settled_s: float) -> tuning.Collecting:
        begun.append(tuning.settle(settled_s, young_s=0.01))
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()
        assert not one.is_alive()


def test_what_is_there_after_the_start_is_frozen_at_once(settling: Callable[..., tuning.Collecting]) -> None:
    there = [object()]
    begun = settling(3_600.0)

    assert not is_looked_at(there)
    assert begun.daemon, "it keeps no conductor from its end"


def test_what_has_come_until_all_is_settled_is_frozen_then(settling: Callable[..., tuning.Collecting]) -> None:
    settling(0.5)
    come = [object()]
    assert is_looked_at(come)

    until(lambda: not is_looked_at(come))


def test_the_young_are_looked_at_though_as_many_are_freed_as_are_made(
    settling: Callable[..., tuning.Collecting],
) -> None:
    gc.set_threshold(0)  # as if the count of what is made less what is freed never came to anything
    settling(3_600.0)
    young = [object()]

    until(lambda: not any(one is young for one in gc.get_objects(generation=0)))
    assert is_looked_at(young), "it is old now, and not frozen"
