"""A conductor with a buggy driver for each test."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.faults.supervision.house import House


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    house = House(tmp_path)
    yield house
    house.close()
