"""The interpreter of a conductor's own process: rare collections, quick turns."""

import gc
import sys
from collections.abc import Generator

import pytest

from castiron.cli.conductor import serve


@pytest.fixture(autouse=True)
def untuned() -> Generator[None]:
    """Leave the tests' own process as it was."""
    before, interval_s = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*before)
    sys.setswitchinterval(interval_s)


def test_a_process_of_its_own_is_tuned_once_or_twice_alike() -> None:
    serve.tune()
    serve.tune()

    assert gc.get_threshold() == serve.GC_THRESHOLDS
    assert sys.getswitchinterval() == pytest.approx(serve.SWITCH_INTERVAL_S)
