"""Runs sushy-tools' emulator, a program of its own: `python sushy_launch.py --config FILE …`.

One thing is not as it comes: its machine follows a reset at once, not after one to eleven seconds that it draws.
"""

import importlib
import sys
from typing import Any


class Prompt:
    """Stands for `random` in its fake machine."""

    @staticmethod
    def randint(low: int, high: int) -> int:
        del low, high
        return 0


def run() -> int:
    # By name: the emulator is a program that a machine may lack, and has no types.
    machines: Any = importlib.import_module("sushy_tools.emulator.resources.systems.fakedriver")
    machines.random = Prompt
    emulator: Any = importlib.import_module("sushy_tools.emulator.main")
    return int(emulator.main())


if __name__ == "__main__":
    sys.exit(run())
