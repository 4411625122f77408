"""A small disk, where the system lets a test have one."""

import subprocess
from pathlib import Path

import pytest

from tests.support.small_disk import MOUNT


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """A folder to mount a disk at; skips the test where that is not to be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    tried = subprocess.run([*MOUNT, str(folder), "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no small disk to be had here: {tried.stderr.decode().strip()}")
    return folder
