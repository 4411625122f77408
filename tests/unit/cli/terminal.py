"""Commands that run on a terminal of the test's."""

import os
import pty
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from tests.unit.cli.conftest import ROOT


@contextmanager
def on_terminal(
    *words: str, columns: int = 80, streams: tuple[str, ...] = ("stdin", "stdout", "stderr"), term: str = "xterm"
) -> Generator[tuple["subprocess.Popen[str]", int]]:
    """Run a command with some of its streams on a terminal; yields the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    ends = {name: theirs if name in streams else subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen(
        [sys.executable, "-m", "castiron", *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(columns), "TERM": term},
        text=True,
        start_new_session=True,
        stdin=ends["stdin"],
        stdout=ends["stdout"],
        stderr=ends["stderr"],
    )
    os.close(theirs)
    with process:
        try:
            yield process, ours
        finally:
            if process.poll() is None:
                process.kill()
            os.close(ours)


def everything(terminal: int) -> str:
    """Return what was written to a terminal until its last writer has gone."""
    seen = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # EIO: nobody has the other end open any more
            return seen.decode()
        if not data:
            return seen.decode()
        seen += data


def until_shown(terminal: int, wanted: str) -> str:
    seen = ""
    while wanted not in seen:
        seen += os.read(terminal, 4096).decode()
    return seen
