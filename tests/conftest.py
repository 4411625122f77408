"""What holds for all tests."""

import signal

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
