"""What holds for all tests."""

import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("castiron", deadline=None)
settings.load_profile("castiron")
"""An example that takes 0.2 s, Hypothesis's own bound, says that the machine is busy, and nothing about the code."""


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start.

    Whoever runs the tests in the background of a script has it ignored, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run half as many tests again as there are cores: many of them wait, for a process, a disk or a time-out."""
    cores = os.cpu_count() or 1
    return cores + (cores + 1) // 2
