"""Programs that tests need and a machine may lack: named skips where they are missing, failures where they must not be.

Mark a test `simulators`, or write `needs("ipmi_sim", "gcc")` at the top of what uses them. CI sets
REQUIRE_SIMULATORS=1, so that a missing program can never look like a passed test there.
"""

import os
import shutil
from typing import Final, NoReturn

import pytest

REQUIRE: Final = "REQUIRE_SIMULATORS"
"""Set to 1, a missing program fails the test."""

PACKAGES: Final = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "gcc": "gcc",
    "ipmi_sim": "openipmi",
    "ipmipower": "freeipmi-tools",
    "ipmitool": "ipmitool",
    "node": "nodejs",
}
"""Program → Debian package."""


def missing(*programs: str) -> str | None:
    """Return what is missing and how to get it, in one sentence, or None."""
    absent = [program for program in programs if shutil.which(program) is None]
    if not absent:
        return None
    packages = " ".join(PACKAGES.get(program, program) for program in absent)
    return f"{', '.join(absent)} not found; on Debian: apt install {packages}"


def needs(*programs: str) -> None:
    """Go on if the programs are there; else skip by name, or fail where they are required."""
    reason = missing(*programs)
    if reason is not None:
        lacking(reason)


def lacking(reason: str) -> NoReturn:
    """Skip for something that this machine lacks, or fail where nothing may be lacking: CI skips none of these."""
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE}=1)", pytrace=False)
    pytest.skip(reason)
