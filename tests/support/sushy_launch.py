"""Runs sushy-tools' emulator, a program of its own: `python sushy_launch.py --config FILE …`.

One thing is not as it comes: its machine follows a reset at once, not after one to eleven seconds that it draws.
"""

import sys
from typing import Any

from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver


class Prompt:
    """Stands for `random` in its fake machine."""

    @staticmethod
    def randint(low: int, high: int) -> int:
        del low, high
        return 0


patched: Any = fakedriver
patched.random = Prompt

if __name__ == "__main__":
    sys.exit(main.main())
