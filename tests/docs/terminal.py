"""A shell as a reader of the documents has it: commands are typed one after the other, and what they print is compared.

The folder is fresh and so is the environment. `castiron farm` and `castiron web` listen at ports of their own, as tests
run side by side; all else is what the page says.
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

_WRAPPED: Final = re.compile(r"(?m)^(castiron: .{90,})\n|^(.+)\n {10,}(?=\S)")
"""Where a page has broken a line that is too long for it."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:\\?-[0-9a-f]{4}){3}\\?-[0-9a-f]{12}")
_VARYING: Final = (
    (re.compile(r"[0-9.\\]+\\ (?:s|min)\\ ago"), r"[0-9.]+ (?:s|min) ago"),
    (re.compile(r"127\\.0\\.0\\.1:8680"), r"127\.0\.0\.1:[0-9]+"),
    (re.compile(r"uid=0"), r"uid=[0-9]+"),
    (re.compile(r"castiron/0\\.1\\.0\\ root"), r"castiron/[^)]+"),
)
"""What differs from one time to the next, as it stands in an escaped line of a page, and a pattern for it."""


class Terminal:
    """A bash process; everything that it has started ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids: dict[str, str] = {}
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
        for shown, here in self._ids.items():
            command = command.replace(shown, here)
        deadline = time.monotonic() + (LOOK_S if _LOOKS.match(command + " ") else 0)
        printed = self.type(command)
        while not fits(printed, expected, self._ids) and time.monotonic() < deadline:
            printed = self.type(command)
        assert fits(printed, expected, self._ids), f"$ {command}\n{printed}\n--- but the page says\n{expected}"

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
# castiron as it is in this checkout; its farm, and its page, at a port that is free.
words=("$@")
if [ "$1" = web ]; then
    words=(web --port 0 "${{@:2}}")
fi
if [ "$1" = farm ]; then
    case "$2" in
        -*) words=(farm --port {port} "${{@:2}}") ;;
        *) words=(farm "$2" --port {port} "${{@:3}}") ;;
    esac
fi
PYTHONPATH={root} exec {python} -m castiron "${{words[@]}}"
"""


def fits(printed: str, expected: str, ids: dict[str, str] | None = None) -> bool:
    """Say whether output is what a page shows: `…` stands for any part of a line, or alone for any lines, also none.

    `ids` is what the ids of the page are here; those that are met for the first time are added.
    """
    known = {} if ids is None else ids
    fresh: list[str] = []

    def id_here(shown: re.Match[str]) -> str:
        name = shown[0].replace("\\", "")
        if name in known:
            return re.escape(known[name])
        fresh.append(name)
        return r"([0-9a-f-]{36})"

    def words(text: str) -> str:
        columns = r" +".join(re.escape(word) for word in re.split(r" {2,}", text))
        for varying, pattern in _VARYING:
            columns = varying.sub(pattern, columns)
        return _UUID.sub(id_here, columns)

    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(words, line.split("…"))) + r"\n"
        for line in _WRAPPED.sub(r"\1\2 ", expected).splitlines()
    )
    match = re.fullmatch(pattern, printed if printed.endswith("\n") or not printed else printed + "\n")
    known |= zip(fresh, match.groups(), strict=True) if match else ()
    return match is not None


def free_port() -> int:
    """Return a UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
