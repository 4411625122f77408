"""A disk of 2 MB for a process of a test's own, and how it is filled to the last byte."""

import errno
from pathlib import Path
from typing import Final

from tests.support.conductor_process import ConductorProcess

MOUNT: Final = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=2m none "$0" && exec "$@"')
"""A disk of 2 MB of the process's own, in a namespace that any user may make where the kernel allows it."""


class Cramped(ConductorProcess):
    """A conductor whose store has such a disk; what it logs goes into a file beside the disk."""

    def wrapped(self, command: list[str], store: Path) -> list[str]:
        self.log = store.parent.with_name("log")
        return [*MOUNT, str(store.parent), "sh", "-c", 'exec "$@" 2>"$0"', str(self.log), *command]


class SmallDisk:
    """The disk at a folder, of this process or, seen from outside, of another one."""

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self._ballast = (folder if pid is None else Path(f"/proc/{pid}/root{folder}")) / "ballast"

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                try:
                    while ballast.write(b"x" * size):
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017 - each size ends so

    def clear(self) -> None:
        """Give it back."""
        self._ballast.unlink()
