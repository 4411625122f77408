"""The log of `castiron serve`: a line a record on standard error, as text or as JSON, written on a thread of its own.

Whoever logs never waits for standard error: lines that nobody reads are dropped and counted, and the conductor goes on.
What a record carries beside its message (`extra`: node, request, event, error_id …) is in the line under its name. For
`castiron serve` alone: an embedded conductor logs as its host says.
"""

import json
import logging
import sys
import threading
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from castiron.cli.conductor.repeats import Repeats
from castiron.cli.output.render import visible

LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

OWN: Final = "castiron"
"""The logger above all of ours."""

OTHERS: Final[Mapping[str, int]] = {"": logging.INFO, "httpx": logging.WARNING, "httpcore": logging.WARNING}
"""Least level of what is not ours: at debug libraries tell statements with their values, headers and whole URLs."""

MAX_LINES: Final = 10_000
"""Lines that may wait for whoever reads standard error: some 2 MB, and ten seconds of a fleet in trouble."""

FLUSH_S: Final = 2.0
"""At the end, for the last lines to be read."""

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has."""


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record carries beside its message; what is None is left out."""
    return {name: value for name, value in vars(record).items() if name not in _OWN and value is not None}


class TextFormatter(logging.Formatter):
    """For people: time, level, where, message, then the extras in brackets. A record is a line, traceback included."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. What others sent may be in it, so nothing in it can move a terminal's cursor."""
        told = " ".join(f"{name}={value}" for name, value in extras(record).items())
        first, *rest = super().format(record).split("\n")
        return visible(" | ".join([f"{first} [{told}]" if told else first, *rest]))


class JSONFormatter(logging.Formatter):
    """For programs: an object a line, with `at` (UTC), `level`, `logger`, `message`, the extras, and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = record.stack_info
        return json.dumps(told, default=str)


FORMATS: Final[Mapping[str, type[logging.Formatter]]] = {"text": TextFormatter, "json": JSONFormatter}


class PatientHandler(logging.Handler):
    """Hands lines to a thread that writes them, so that a reader who stalls holds up nobody but itself.

    Args:
        stream: where lines go.
        max_lines: how many may wait; those beyond are dropped, and the next line that is written says how many.
    """

    def __init__(self, stream: TextIO, *, max_lines: int = MAX_LINES) -> None:
        super().__init__()
        self._stream = stream
        self._max_lines = max_lines
        self._lines: deque[str] = deque()
        self._repeats = Repeats()
        self._changed = threading.Condition()
        self._dropped_count = 0
        self._is_writing = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="castiron-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record's line in the queue. Any thread; never blocks."""
        try:
            line = self.format(self._repeats.shortened(record))
        except Exception:  # noqa: BLE001 - logging's own way: a line that cannot be made must not end whoever logs
            self.handleError(record)
            return
        with self._changed:
            if self._is_closed or len(self._lines) >= self._max_lines:
                self._dropped_count += 1
            else:
                self._lines.append(line)
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all lines are written, for FLUSH_S at the most."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._is_writing), FLUSH_S)

    def close(self) -> None:
        """Write what waits, for FLUSH_S at the most, and end the thread. Idempotent."""
        self.flush()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(FLUSH_S)
        super().close()

    def _run(self) -> None:
        while (lines := self._take()) is not None:
            try:
                self._stream.write("".join(f"{line}\n" for line in lines))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more, or it was closed: there is nowhere to say so
                return self._give_up()
        return None

    def _give_up(self) -> None:
        with self._changed:
            self._is_closed, self._is_writing = True, False
            self._lines.clear()
            self._changed.notify_all()

    def _take(self) -> list[str] | None:
        """Wait for lines, and take all of them; None: it is time to end."""
        with self._changed:
            self._is_writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lines or self._is_closed)
            if not self._lines:
                return None
            lines = list(self._lines)
            self._lines.clear()
            if self._dropped_count:
                lines.append(self.format(_dropped(self._dropped_count)))
                self._dropped_count = 0
            self._is_writing = True
            return lines


def _dropped(count: int) -> logging.LogRecord:
    record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "%d lines were dropped here", (count,), None)
    record.dropped_count = count
    return record


@contextmanager
def logging_to_stderr(level: str, form: str) -> Generator[None]:
    """Log to standard error within the block; for the process as a whole.

    Args:
        level: one of LEVELS.
        form: one of FORMATS.
    """
    root, handler = logging.getLogger(), PatientHandler(sys.stderr)
    handler.setFormatter(FORMATS[form]())
    before = {name: logging.getLogger(name).level for name in (OWN, *OTHERS)}
    root.addHandler(handler)
    set_level(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for name, was in before.items():
            logging.getLogger(name).setLevel(was)
        handler.close()


def set_level(level: str) -> None:
    """Have our own loggers tell so much, and those of libraries and plug-ins no more than OTHERS lets them.

    Args:
        level: one of LEVELS.
    """
    logging.getLogger(OWN).setLevel(LEVELS[level])
    for name, least in OTHERS.items():
        logging.getLogger(name).setLevel(max(least, LEVELS[level]))
