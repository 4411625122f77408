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


def test_what_is_there_after_the_start_is_frozen_and_what_has_come_until_all_is_settled() -> None:
    gc.unfreeze()
    there = [[number] for number in range(1_000)]
    settling = tuning.settle(0.0)
    settling.join()
    at_last = gc.get_freeze_count()

    assert not any(thing is there for thing in gc.get_objects())
    assert settling.daemon, "it keeps no conductor from its end"
    come = [[number] for number in range(1_000)]
    tuning.settle(0.0).join()
    assert gc.get_freeze_count() >= at_last + len(come)
