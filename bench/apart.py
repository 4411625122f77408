"""A process of its own for each thing that is measured, and what the kernel counts about it.

What runs there is a function that gets one end of a pipe: it sends something once it is ready, answers what it is
asked, and returns when it is told END. Spawned, not forked, so that its memory is its own.
"""

import multiprocessing
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

END: Final = "end"
PATIENCE_S: Final = 600.0
"""For an answer: the longest that anything here is given to do its work."""

ENDING_S: Final = 15.0
"""For a process to end by itself; a conductor logs out of its BMCs first."""


class Apart:
    """A process that has said that it is ready.

    Attributes:
        ready: what it said.
    """

    def __init__(self, process: BaseProcess, pipe: "Connection[Any, Any]") -> None:
        self._process = process
        self._pipe = pipe
        self.ready = self._hear()

    def ask(self, question: object) -> Any:
        """Send a question and wait for the answer."""
        self.begin(question)
        return self.answer()

    def begin(self, question: object) -> None:
        """Send a question; `answer` waits for what is said to it."""
        self._pipe.send(question)

    def answer(self) -> Any:
        """Wait for the answer to what was begun."""
        return self._hear()

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads; /proc/PID/stat would have it in steps of 10 ms."""
        return sum(self.cpu_s_by_thread().values())

    def cpu_s_by_thread(self) -> dict[int, float]:
        """Return native thread id → CPU time."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return {int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks}

    def rss_bytes(self) -> int:
        """Return the memory that it occupies."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def held(self) -> dict[str, float]:
        """Return what the kernel holds for it (memory, descriptors, threads), and how long it has waited for a core."""
        there = Path(f"/proc/{self._process.pid}")
        return {
            "rss_mb": self.rss_bytes() / 1e6,
            "descriptors": len(list((there / "fd").iterdir())),
            "threads": len(list((there / "task").iterdir())),
            "starved_s": sum(int((task / "schedstat").read_text().split()[1]) for task in (there / "task").iterdir())
            / 1e9,
        }

    def end(self, patience_s: float = ENDING_S) -> None:
        """Tell it to end, and end it if it does not in so long."""
        if self._process.is_alive():
            self._pipe.send(END)
        self._process.join(patience_s)
        self._process.kill()

    def _hear(self) -> Any:
        if not self._pipe.poll(PATIENCE_S):
            raise TimeoutError(f"{self._process.name} has said nothing for {PATIENCE_S:.0f} s")
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self._process.name} has ended; its error is printed above") from None


@contextmanager
def apart(run: Callable[..., None], *arguments: object) -> Generator[Apart]:
    """Run a function in a process of its own for the length of a `with`.

    Args:
        run: called with its end of the pipe, then the arguments.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=run, args=(there, *arguments), name=run.__qualname__, daemon=True)
    process.start()
    there.close()  # so that the process's end is seen as the pipe's
    try:
        other = Apart(process, here)
    except BaseException:
        process.kill()
        raise
    try:
        yield other
    finally:
        other.end()
