"""A farm that takes orders, and the folder in which commands look for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from castiron.testing import BMCFarm
from castiron.testing.control import FarmControl


@pytest.fixture
def farm() -> Iterator[BMCFarm]:
    with BMCFarm(bmcs=5) as farm:
        yield farm


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands look for farms."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "castiron"


@pytest.fixture
def path(runtime: Path, farm: BMCFarm) -> Path:
    return runtime / f"farm-{farm.port}.sock"


@pytest.fixture
def control(farm: BMCFarm, path: Path) -> Iterator[FarmControl]:
    with FarmControl(farm, path) as control:
        yield control
