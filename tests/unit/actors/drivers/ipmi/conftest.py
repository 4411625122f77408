"""A laboratory for each test of the engine."""

import pytest

from tests.unit.actors.drivers.ipmi.lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()
