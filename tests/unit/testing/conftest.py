"""A healthy BMC on a bench for each test."""

import pytest

from tests.support.bmc_bench import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    """A healthy BMC with the default settings."""
    return make_bench()
