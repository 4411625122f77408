"""Holds the conductor under fire, and looks at it from outside: what it takes of the machine, what it says."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from castiron.transport.clients.blocking.client import Client
from tests.support.keyring import Keyring

ROOT = Path(__file__).parents[2]
STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process takes of the machine."""

    rss_bytes: int
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"RSS {self.rss_bytes / 1e6:.1f} MB, {self.threads} threads, {self.descriptors} descriptors"


class Fortress:
    """A conductor in a process of its own.

    Args:
        folder: for its store and its log.
        endpoint: where it listens.
        ring: has the keys that it takes; None: it takes none.
    """

    def __init__(self, folder: Path, endpoint: str, ring: Keyring | None = None) -> None:
        self._ring = ring
        keys = [] if ring is None else [str(ring.secret("server")), str(ring.allow_path)]
        self._log = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.target", str(folder / "castiron.db"), endpoint, *keys],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        said = self._stdout.readline().split()
        assert said[:1] == ["ready"], self.log
        self.endpoint = said[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._process.kill()
            self._process.wait(STOP_S)
            self._stdout.close()
            self._log.close()

    def stop(self) -> int:
        """Stop it in order and return its exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        return self._process.wait(STOP_S)

    @property
    def log(self) -> str:
        """What it has written to standard error."""
        self._log.flush()
        return Path(self._log.name).read_text()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def client(self) -> Client:
        """Return a client of it."""
        if self._ring is None:
            return Client(self.endpoint, timeout_s=30.0)
        return Client(
            self.endpoint, timeout_s=30.0, key=self._ring.secret("alice"), server_key=self._ring.public("server")
        )

    def footprint(self) -> Footprint:
        """Look what it takes."""
        folder = Path("/proc", str(self._process.pid))
        pages = int((folder / "statm").read_text().split()[1])
        return Footprint(
            rss_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
            threads=len([*(folder / "task").iterdir()]),
            descriptors=len([*(folder / "fd").iterdir()]),
        )

    @property
    def _stdout(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout
