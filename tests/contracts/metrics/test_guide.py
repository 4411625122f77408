"""docs/guides/observe.md: each command in it runs as it stands, each metric and setting that it names exists."""

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from castiron.actors.metrics.prometheus.catalogue import METRICS
from castiron.actors.metrics.prometheus.single import NODE_METRICS
from castiron.actors.settings import Settings
from tests.contracts.metrics.scraping import free_port
from tests.support.deadline import until

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "guides" / "observe.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PORT = "9623"
PATIENCE_S = 40.0


@contextmanager
def running(command: str, environment: dict[str, str]) -> Generator["subprocess.Popen[str]"]:
    """Run a castiron command of the page; end it as a person does."""
    words = shlex.split(command)
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)
        finally:
            if process.poll() is None:
                process.kill()
    assert process.returncode == 0, command


def read(url: str) -> bytes:
    """Return a page; nothing while nobody serves it."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            page: bytes = answer.read()
    except OSError:
        return b""
    return page


def test_each_command_runs_as_it_stands(tmp_path: Path) -> None:
    port = str(free_port())
    environment = {"CASTIRON_STORE": f"{tmp_path}/store.db", "CASTIRON_ENDPOINT": f"ipc://{tmp_path}/door"}
    (serve,) = [command for command in COMMANDS if command.startswith("castiron serve")]
    watches = [command for command in COMMANDS if command.startswith("castiron status --watch")]
    (curl,) = [command for command in COMMANDS if command.startswith("curl -s ")]
    assert {serve, *watches, curl, "pip install 'castiron[prometheus]'"} == set(COMMANDS)

    with running(serve.replace(PORT, port), environment):
        url = curl.removeprefix("curl -s ").replace(PORT, port)
        until(lambda: b"castiron_nodes{" in read(url), timeout_s=PATIENCE_S)
        for command in watches:
            with running(command, environment) as watching:
                assert watching.stdout is not None
                assert "uptime_s" in (line := watching.stdout.readline()) or "conductor:" in line


def test_the_extra_that_it_names_is_there() -> None:
    assert "\nprometheus = [\n" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_each_metric_of_an_expression_is_in_the_catalogue() -> None:
    words = set(re.findall(r"\b(?:castiron|metal3|ironic)_[a-z0-9_]+", PAGE))
    known = {metric.name for metric in METRICS} | {f"{metric.name}_bucket" for metric in METRICS}
    elsewhere = {word for metric in METRICS for word in re.findall(r"`(\w+)`", metric.elsewhere)}
    single = {metric.name for metric in NODE_METRICS}

    assert len(words) > 40
    assert words <= known | elsewhere | single | {"ironic_", "metal3_"}


def test_each_setting_that_it_names_exists() -> None:
    named = set(re.findall(r"`(prometheus_[a-z_]+|lag_warning_s|slow_turn_s)", PAGE))

    assert len(named) >= 5
    assert named <= {item.name for item in fields(Settings)}
