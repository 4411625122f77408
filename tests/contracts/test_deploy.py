"""What castiron is deployed with: the unit, the container file, the files beside them."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from castiron.cli.configuration import PLACES
from castiron.cli.descriptors import NEEDED
from castiron.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "castiron.service"
MOST_EXPOSED = 2.0
"""Of 10, as systemd judges; without the hardening it is 9.2."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def unit() -> dict[str, list[str]]:
    """Return the unit's settings, each with all its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def analyzed(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd about the unit, with a program that there is here in its place."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/castiron", sys.executable))
    return subprocess.run(["systemd-analyze", *words, copy], check=False, capture_output=True, text=True, timeout=60)


@needs_systemd
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    told = analyzed(tmp_path, "verify", "--man=no")

    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@needs_systemd
def test_the_unit_exposes_little(tmp_path: Path) -> None:
    told = analyzed(tmp_path, "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", "--no-pager")

    assert told.returncode == 0, told.stdout + told.stderr
    (level,) = re.findall(r"Overall exposure level for castiron.service: ([0-9.]+)", told.stdout)
    assert float(level) <= MOST_EXPOSED


def test_the_unit_goes_with_the_program() -> None:
    given = unit()

    words = given["ExecStart"][0].split()
    assert CliRunner().invoke(main, [*words[1:2], "--help"]).exit_code == 0
    assert words[1:] == ["serve", "--config", "/etc/castiron/castiron.toml"]
    assert given["Type"] == ["notify"]
    assert int(given["LimitNOFILE"][0]) >= NEEDED
    assert "PrivateUsers" not in given, "the conductor tells its clients' user ids"
    assert f"u {given['User'][0]} " in (DEPLOY / "castiron.sysusers").read_text()


def test_the_file_to_begin_with_is_accepted() -> None:
    path = DEPLOY / "castiron.toml"
    filled = re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text())

    shown = CliRunner().invoke(main, ["settings", "--config", str(path), "--format", "json"])

    assert shown.exit_code == 0, shown.output
    assert {row["source"] for row in json.loads(shown.output)} <= {"default"}
    assert set(tomllib.loads(filled)) == {"conductor", "settings"}
    assert tomllib.loads(filled)["conductor"].keys() <= PLACES.keys()


class Containerfile:
    """Its instructions, continued lines joined."""

    def __init__(self) -> None:
        text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.steps = [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]

    def of(self, word: str) -> list[str]:
        return [rest for one, rest in self.steps if one == word]

    def copied(self) -> list[str]:
        """Return the paths that are copied out of the checkout."""
        return [path for rest in self.of("COPY") if "--from=" not in rest for path in rest.split()[:-1]]


def test_every_instruction_of_the_container_file_is_one_and_every_path_exists() -> None:
    file = Containerfile()

    known = {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert {word for word, _ in file.steps} <= known
    assert file.steps[0][0] == "FROM"
    assert file.copied()
    assert [path for path in file.copied() if not (ROOT / path).exists()] == []
    assert all(re.fullmatch(r"docker\.io/library/python:3\.\d+-slim( AS build)?", one) for one in file.of("FROM"))


def test_the_container_runs_as_nobody_in_particular_keeps_its_store_and_is_looked_after() -> None:
    file = Containerfile()
    environment = dict(pair.split("=", 1) for rest in file.of("ENV") for pair in rest.split())

    assert int(file.of("USER")[-1]) > 0, "a number: an orchestrator can tell that it is not root"
    (volume,) = file.of("VOLUME")
    assert Path(environment["CASTIRON_STORE"]).parent == Path(volume)
    assert set(environment) - {"PATH"} <= set(PLACES.values())
    command = json.loads(file.of("HEALTHCHECK")[0].partition("CMD ")[2])
    for words in (command, json.loads(file.of("ENTRYPOINT")[0]) + json.loads(file.of("CMD")[0])):
        assert words[0] == "castiron"
        assert CliRunner().invoke(main, [*words[1:], "--help"]).exit_code == 0
    assert file.of("STOPSIGNAL") == ["SIGTERM"]


def test_what_the_container_is_built_from_is_enough(tmp_path: Path) -> None:
    for path in Containerfile().copied():
        copy = tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / path, copy)

    command: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path / "dist",
        tmp_path,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "dist").glob("castiron-*.whl"))) == 1
