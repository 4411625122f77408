"""Shells complete commands, options, values and the names that the conductor has; quickly, or not at all."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest

from castiron.cli.shell import names
from tests.support.deadline import until
from tests.support.memory_conductor import MemoryConductor
from tests.unit.cli.conftest import ROOT, Run
from tests.unit.cli.screen import Screen

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(run: Run, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Complete the last word of a line as fish has it done: one candidate a line."""

    def offered(*words: str) -> list[str]:
        monkeypatch.setenv("_CASTIRON_COMPLETE", "fish_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("castiron", *words[:-1])))
        monkeypatch.setenv("COMP_CWORD", words[-1])
        result = run()
        monkeypatch.delenv("_CASTIRON_COMPLETE")
        assert (result.exit_code, result.stderr) == (0, "")
        return [line.partition(",")[2].partition("\t")[0] for line in result.stdout.splitlines() if line]

    return offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("sta",), ["status"]),
        (("node", "pow"), ["power"]),
        (("node", "power", "so"), ["soft-off", "soft-reboot"]),
        (("node", "show", ""), ["n1", "n2", "n3"]),
        (("node", "show", "n2"), ["n2"]),
        (("node", "show", "n1,n"), []),
        (("node", "power", "on", "n1,n"), ["n1,n1", "n1,n2", "n1,n3"]),
        (("node", "power", "on", "n[1-2]!n"), ["n[1-2]!n1", "n[1-2]!n2", "n[1-2]!n3"]),
        (("node", "power", "on", "n["), []),
        (("node", "list", "--sort", "power_state_"), ["power_state_at", "power_state_change_timeout_s"]),
        (("node", "list", "--fields", "name,uu"), ["name,uuid"]),
        (("--format", ""), ["table", "json"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("node", "power", "on", "--po"), ["--power-timeout", "--policy"]),
    ],
    ids=str,
)
def test_what_may_stand_there_is_offered(
    complete: Complete, three: MemoryConductor, words: tuple[str, ...], offered: list[str]
) -> None:
    assert complete(*words) == offered


def test_requests_that_have_not_ended_are_offered(complete: Complete, run: Run, three: MemoryConductor) -> None:
    three.held.add("n1")
    for name in ("n1", "n2"):
        assert run("node", "power", "on", name).exit_code == 0
    until(lambda: any(one.state == "succeeded" for one in three.requests.values()))
    going = [id_ for id_, view in three.requests.items() if view.node == "n1"]

    assert complete("request", "show", "") == going


def test_no_conductor_is_no_name_and_no_word(complete: Complete) -> None:
    assert complete("node", "show", "") == []


def test_a_conductor_that_does_not_answer_is_not_waited_for(
    complete: Complete, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "ANSWER_S", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(endpoint.removeprefix("ipc://"))
        silent.listen()

        assert complete("node", "show", "") == []


def test_many_names_are_cut(complete: Complete, three: MemoryConductor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_OFFERED", 2)

    assert complete("node", "show", "n") == ["n1", "n2"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_calls_castiron_back(run: Run, shell: str) -> None:
    result = run("completion", shell)

    assert result.exit_code == 0
    assert f"_CASTIRON_COMPLETE={shell}_complete" in result.stdout
    assert "%(" not in result.stdout


def test_a_person_presses_tab_in_bash(three: MemoryConductor, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "castiron").write_text(f'#!/bin/sh\nexec {sys.executable} -m castiron "$@"\n')
    (tmp_path / "castiron").chmod(0o755)
    script = subprocess.run(
        [sys.executable, "-m", "castiron", "completion", "bash"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (tmp_path / "rc").write_text(f"PS1='> '\nbind 'set enable-bracketed-paste off'\n{script.stdout}")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "CASTIRON_ENDPOINT": endpoint}

    with Screen(["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"], environment) as screen:
        screen.until(">")
        screen.type("castiron node sho\t")
        screen.until("castiron node show")
        screen.type("n\t\t")
        screen.until("n1  n2  n3")
        screen.type("3\r")
        screen.until("power_state")

    assert isinstance(screen.display, pyte.Screen)
