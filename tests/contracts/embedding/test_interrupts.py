"""Ctrl-C at a program that embeds a conductor ends both in order, whenever it comes, and however often."""

import asyncio
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from castiron import Conductor

ROOT = Path(__file__).resolve().parents[3]
END_S = 40.0

pytestmark = pytest.mark.timeout(3 * END_S)


@contextmanager
def program(folder: Path) -> Generator["subprocess.Popen[str]"]:
    """Run a program that embeds a conductor, and end it."""
    command = [sys.executable, "-m", "tests.support.embedding_child", str(folder / "c.db"), f"ipc://{folder}/c.ipc"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: "subprocess.Popen[str]") -> str:
    """Return the next word that it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("said", ["starting", "ready"])
@pytest.mark.parametrize("interrupts", [1, 3])
def test_an_interrupt_ends_it_in_order(tmp_path: Path, said: str, interrupts: int) -> None:
    with program(tmp_path) as process:
        while heard(process) != said:
            """It comes to that."""
        for _ in range(interrupts):
            process.send_signal(signal.SIGINT)
            Event().wait(0.01)  # signals that come at once are one
        told, errors = process.communicate(timeout=END_S)

    assert process.returncode, "it has ended by itself"
    if interrupts == 1:  # those after it break off what asyncio does at the end of a loop
        assert (told.split()[-1], process.returncode) == ("left", -signal.SIGINT), errors
        assert errors.splitlines()[-1] == "KeyboardInterrupt", errors
        assert not (tmp_path / "c.ipc").exists()
    with Conductor(store=tmp_path / "c.db", endpoint=f"ipc://{tmp_path}/c.ipc") as conductor, conductor.client() as one:
        assert one.nodes.list() == []


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_it_lives_on_uvloop(tmp_path: Path) -> None:
    uvloop = importlib.import_module("uvloop")

    async def embed() -> str:
        async with Conductor(endpoint=f"ipc://{tmp_path}/c.ipc") as conductor, conductor.client_async() as client:
            await client.nodes.create("n1", driver="fake")
            request = await client.nodes.power("n1", "power on")
            return (await request.wait(END_S)).state

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(embed()) == "succeeded"
