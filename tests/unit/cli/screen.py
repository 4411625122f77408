"""A terminal of the test's with a program on it: what is typed goes in, and what a person would see is kept."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyte

from tests.unit.cli.conftest import ROOT

DEADLINE_S = 30.0

_OPEN = 'exec "$@" <"$0" >"$0" 2>"$0"'
"""Who opens a terminal as the first of a session has Ctrl-C from it."""


class Screen:
    """A program on a terminal of `lines` by `columns`; a context manager that ends the program.

    Attributes:
        display: what is on the screen.
        process: the program.
    """

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], *, lines: int = 30, columns: int = 100
    ) -> None:
        self.display: Any = pyte.Screen(columns, lines)
        self._stream: Any = pyte.ByteStream(self.display)
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            ["sh", "-c", _OPEN, os.ttyname(theirs), *words],
            env={**os.environ, "TERM": "xterm", "LINES": str(lines), "COLUMNS": str(columns), **environment},
            cwd=ROOT,
            stdin=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.process:
            if self.process.poll() is None:
                self.process.kill()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self._ours, text.encode())

    def text(self) -> str:
        """Return what is on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self.display.display).rstrip("\n")

    def until(self, wanted: str) -> str:
        """Wait until something is on the screen, and return all that is."""
        ends_at = time.monotonic() + DEADLINE_S
        while wanted not in self.text():
            if not self._read(ends_at - time.monotonic()):
                raise AssertionError(f"{wanted!r} is not on the screen:\n{self.text()}")
        return self.text()

    def ended(self) -> int:
        """Read until the program has gone, and return what it exits with."""
        ends_at = time.monotonic() + DEADLINE_S
        while self._read(ends_at - time.monotonic()):
            """Keep the screen up to date."""
        return self.process.wait(DEADLINE_S)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def resize(self, lines: int, columns: int) -> None:
        """Change the window's size, as a person who drags its corner."""
        self.display.resize(lines, columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def _read(self, rest_s: float) -> bool:
        """Take what is written; False: nothing more comes, or the time is up."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, rest_s))
        try:
            data = os.read(self._ours, 4096) if ready else b""
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self._stream.feed(data)
        return bool(data)
