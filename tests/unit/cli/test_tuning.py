"""The interpreter of a conductor's own process: short collections, quick turns."""

import gc
import sys
from collections.abc import Generator

import pytest

from castiron.cli.conductor import tuning


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


def test_what_is_there_after_the_start_is_frozen_at_once() -> None:
    there = [object()]
    settling = tuning.settle(3_600.0)

    assert not is_looked_at(there)
    assert settling.daemon, "it keeps no conductor from its end"
    settling.cancel()


def test_what_has_come_until_all_is_settled_is_frozen_then() -> None:
    settling = tuning.settle(0.5)
    come = [object()]
    assert is_looked_at(come)
    settling.join()

    assert not is_looked_at(come)
