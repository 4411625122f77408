"""The systemd unit: systemd understands it, and does not try again what cannot come right by itself."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from castiron.cli.output.exits import Exit

UNIT = Path(__file__).resolve().parents[3] / "deploy" / "castiron.service"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def analyzed(*words: str | Path) -> str:
    done = subprocess.run(["systemd-analyze", *words], check=True, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def test_what_is_wrong_in_what_it_is_told_is_not_started_again() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[method-assign,assignment] # names of systemd have capitals
    unit.read_string(UNIT.read_text(encoding="utf-8"))

    never = {int(word) for word in unit["Service"]["RestartPreventExitStatus"].split()}

    assert never == {Exit.USAGE, Exit.NOT_FOUND, Exit.CONFIGURATION}


@needs_systemd
def test_systemd_has_no_complaint(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/usr/bin/castiron", sys.executable)
    here = tmp_path / "castiron.service"
    here.write_text(re.sub(r"(?m)^Documentation=.*\n", "", text), encoding="utf-8")

    assert analyzed("verify", "--man=no", here) == ""


@needs_systemd
def test_its_exposure_is_what_the_pages_say() -> None:
    told = analyzed("security", "--offline=true", "--no-pager", UNIT)

    exposure = re.search(r"Overall exposure level for castiron.service: ([0-9.]+)", told)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5
