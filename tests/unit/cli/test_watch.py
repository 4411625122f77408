"""`castiron status --watch`: what it shows, on a terminal, into a pipe, as JSON, and through a restart."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from msgspec.structs import replace

from castiron.cli.watch.glance import Rates, as_json, at_bound, fullest, lines, rates
from castiron.testing import running_conductor
from castiron.transport.replies import BMCsView, CheckCounts, FailingBMC, Gauge, LagView, SlowBMC, StatusView
from tests.support.conductor_process import ConductorProcess
from tests.unit.cli.terminal import everything, on_terminal, until_shown

Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[str]"]


def status() -> StatusView:
    with running_conductor() as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        return client.status()


def later(view: StatusView, by_s: float, **changes: Any) -> StatusView:
    return replace(view, uptime_s=view.uptime_s + by_s, **changes)


def test_rates_are_what_happened_between_two_statuses() -> None:
    first = status()
    checks = replace(first.checks, agreed=first.checks.agreed + 20, failed=10, faulted=2, skipped=50)
    second = later(
        first,
        4.0,
        checks=checks,
        store=replace(first.store, commits=first.store.commits + 8, events_seq=first.store.events_seq + 2),
        transport={**first.transport, "received": first.transport["received"] + 40},
    )

    assert rates(None, first) == Rates()
    assert rates(first, second) == Rates(8.0, 3.0, 2.0, 0.5, 10.0)


def test_rates_are_unknown_across_a_restart() -> None:
    view = status()

    assert rates(view, later(view, 5.0, boot_id="another")) == Rates()
    assert rates(view, view) == Rates(), "the same status twice"


def test_what_is_at_its_bound_stands_out_and_what_is_empty_is_left_out() -> None:
    queues = {
        "peers": Gauge(used=1, limit=1000),
        "logins": Gauge(used=256, limit=256),
        "waiters": Gauge(used=9, limit=10, warned=True),
        "steps": Gauge(used=2, limit=10),
        "actions_waiting": Gauge(used=3),
        "logins_waiting": Gauge(used=0),
    }

    assert at_bound(queues) == ["logins", "waiters"]
    assert [name for name, _ in fullest(queues)] == ["actions_waiting", "logins", "waiters", "steps"]


def test_slowest_and_silent_bmcs_are_named() -> None:
    view = status()
    bmcs = BMCsView(
        response=LagView(samples=7, p50_ms=1.5, p99_ms=250.0, most_ms=300.0),
        slowest=[SlowBMC(node="n2", response_ms=250.0), SlowBMC(node="n\x1b[3", response_ms=12.0)],
        failing={"bmc.unreachable": 3, "bmc.credentials": 1},
        failing_longest=[FailingBMC(node="dead", since=1000.0, code="bmc.unreachable")],
    )

    told = lines(None, replace(view, bmcs=bmcs), 1060.0)

    assert told["answers"] == "p50 1.5, p99 250 ms of 7 in the last minute"
    assert told["slowest"].startswith("n2 250 ms, n")
    assert told["silent"] == "3 silent, 1 fail otherwise: dead (1 min)"


def test_every_figure_is_there_for_programs() -> None:
    first = status()
    told = as_json(first, later(first, 1.0), 5.0)

    assert told["at"] == 5.0
    assert told["provision_states"] == {"enroll": 1}
    assert {"dispatcher", "front door", "ipmi driver"} == set(told["lag"])
    assert told["checks_per_s"] == 0.0
    assert told["store_state"] == "ok"


def read_lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def interrupt(process: "subprocess.Popen[str]") -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=20)


@pytest.fixture
def served(endpoint: str, tmp_path: Path) -> ConductorProcess:
    return ConductorProcess(tmp_path / "store.db", endpoint)


def test_json_is_one_line_a_refresh_through_a_restart_until_ctrl_c(
    served: ConductorProcess, spawn: Spawn, tmp_path: Path
) -> None:
    with served, served.client() as client:
        client.nodes.create("n1", driver="fake")
        process = spawn("status", "--watch", "0.2", "--format", "json", "--timeout", "0.5")
        first, second = (json.loads(line) for line in read_lines(process, 2))
        served.kill()
        assert process.stdout is not None
        while "away" not in (gone := json.loads(process.stdout.readline())):
            pass
    with ConductorProcess(tmp_path / "store.db", served.endpoint):
        while "away" in (back := json.loads(process.stdout.readline())):
            pass
        again = json.loads(process.stdout.readline())
        rest, errors = interrupt(process)

    assert first["nodes"]["total"] == second["nodes"]["total"] == back["nodes"]["total"] == 1
    assert first["commits_per_s"] is None
    assert second["commits_per_s"] is not None
    assert gone["away"]["code"] in {"conductor.lost", "reply.timeout", "conductor_lost", "reply_timeout"}
    assert back["boot_id"] != first["boot_id"]
    assert back["commits_per_s"] is None, "of two starts nothing is known"
    assert again["boot_id"] == back["boot_id"]
    assert all(json.loads(line) for line in rest.splitlines()), "the last line is whole, too"
    assert (process.returncode, errors) == (0, "")


def test_into_a_pipe_goes_a_line_a_refresh_and_one_when_the_conductor_is_away(
    served: ConductorProcess, spawn: Spawn
) -> None:
    with served, served.client() as client:
        client.nodes.create("n1", driver="fake")
        process = spawn("status", "--watch", "0.2", "--timeout", "0.5")
        first, second = read_lines(process, 2)
        served.kill()
        assert process.stdout is not None
        while " away: " not in (line := process.stdout.readline()):
            assert line
    rest, errors = interrupt(process)

    assert "nodes: 1 total" in first
    assert "- commits/s" in first
    assert re.search(r" [0-9.]+ commits/s", second)
    assert "lag: dispatcher" in second
    assert "\x1b" not in first + second
    assert rest.count(" away: ") == 0, "it is said once"
    assert (process.returncode, errors) == (0, "")


def test_on_a_terminal_it_is_drawn_in_place_and_ctrl_c_leaves_it_clean(
    served: ConductorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served, served.client() as client:
        client.nodes.create("n1", driver="fake")
        with on_terminal("status", "--watch", "0.2", columns=120) as (process, terminal):
            seen = until_shown(terminal, "1 power off")
            seen += until_shown(terminal, "0.0 commits/s")
            os.killpg(process.pid, signal.SIGINT)
            seen += everything(terminal)
            code = process.wait(20)

    assert "\x1b[?25l" in seen, "the cursor is hidden while it draws"
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l"), "and is there again"
    assert "\x1b[1A" in seen, "it goes back up and draws anew"
    for word in ("conductor", "states", "checks", "lag", "store", "slowest", "silent", "at bound"):
        assert word in seen
    assert "Traceback" not in seen
    assert code == 0


def test_without_a_conductor_it_says_so_at_once(run: Run) -> None:
    result = run("status", "--watch")

    assert result.exit_code == 69
    assert "No conductor at" in result.stderr


@pytest.mark.parametrize(("words", "told"), [(("--watch", "0.1"), "not in the range"), (("--watch", "x"), "'x'")])
def test_an_interval_that_is_none_is_refused(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run("status", *words)

    assert result.exit_code == 64
    assert told in result.stderr


def test_a_conductor_that_knows_none_of_it_is_shown_nevertheless() -> None:
    old = replace(status(), lag={}, bmcs=None, provision_states={}, checks=CheckCounts())

    told = lines(old, later(old, 1.0), 0.0)

    assert "silent" not in told
    assert told["checks"] == "0.0 checks/s, 0.0 failures/s, late unknown"
