"""A shell as a reader of the documents has it: commands are typed one after the other, and what they print is compared.

The folder is fresh and so is the environment. `castiron farm` listens at a port of its own, as tests run side by side;
all else is what the page says.
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "\x01done\x01"
COMMAND_S: Final = 60.0
LOOK_S: Final = 20.0
"""How long a command that only looks is repeated until it shows what the page says."""

_LOOKS: Final = re.compile(r"(cat|castiron (events|node list|request list|farm show)) ")


class Terminal:
    """A bash process; everything that it has started ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        commands, self._commands = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc", f"/dev/fd/{commands}"],
            cwd=self._place("work"),
            env=self._environment(),
            pass_fds=[commands],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._commands)
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait(10)
        if self._bash.stdout is not None:
            self._bash.stdout.close()

    def follow(self, command: str, expected: str) -> None:
        """Type a command; fail unless it prints what is expected. One that only looks is typed until it does."""
        deadline = time.monotonic() + (LOOK_S if _LOOKS.match(command + " ") else 0)
        printed = self.type(command)
        while not fits(printed, expected) and time.monotonic() < deadline:
            printed = self.type(command)
        assert fits(printed, expected), f"$ {command}\n{printed}\n--- but the page says\n{expected}"

    def type(self, command: str) -> str:
        """Type a command, and return what it has printed at its end."""
        os.write(self._commands, f"{command}\nprintf '{MARK}'\n".encode())
        assert self._bash.stdout is not None
        printed, deadline = b"", time.monotonic() + COMMAND_S
        while not printed.endswith(MARK.encode()):
            readable, _, _ = select.select([self._bash.stdout], [], [], max(0.0, deadline - time.monotonic()))
            some = os.read(self._bash.stdout.fileno(), 65536) if readable else b""
            assert some, f"$ {command}\n{printed.decode()}\n--- and it has not ended"
            printed += some
        return printed.decode().removesuffix(MARK)

    def _place(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir()
        return place

    def _environment(self) -> dict[str, str]:
        program = self._place("bin") / "castiron"
        program.write_text(_PROGRAM.format(root=ROOT, python=sys.executable, port=free_port()), encoding="utf-8")
        program.chmod(0o755)
        return {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "HOME": str(self._place("home")),
            "XDG_RUNTIME_DIR": str(self._place("run")),
            "LANG": "C.UTF-8",
        }


_PROGRAM: Final = """\
#!/bin/bash
# castiron as it is in this checkout; its farm at a port that is free.
words=("$@")
if [ "$1" = farm ]; then
    case "$2" in
        -*) words=(farm --port {port} "${{@:2}}") ;;
        *) words=(farm "$2" --port {port} "${{@:3}}") ;;
    esac
fi
PYTHONPATH={root} exec {python} -m castiron "${{words[@]}}"
"""


def fits(printed: str, expected: str) -> bool:
    """Say whether output is what a page shows: `…` stands for any part of a line, or alone for any lines, also none."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(_words, line.split("…"))) + r"\n"
        for line in expected.splitlines()
    )
    text = printed if printed.endswith("\n") or not printed else printed + "\n"
    return re.fullmatch(pattern, text) is not None


def _words(text: str) -> str:
    """Return a pattern in which the width of columns, which depends on what stands in them, does not count."""
    return r" +".join(re.escape(word) for word in re.split(r" {2,}", text))


def free_port() -> int:
    """Return a UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
