"""Failures of castiron's own that repeat: a traceback a minute for each kind, a line for every one.

What a client asks for again and again may fail each time at the same place, a thousand times a second. Its line stays,
as the error_id in it is what the client was told; its traceback would say nothing new. BMCs that fail are no such
kind: of those there is a line a minute (actors.nodes.troubles).
"""

import copy
import logging
from collections import OrderedDict
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple

PAUSE_S: Final = 60.0
"""Between two tracebacks of one kind."""

MAX_KINDS: Final = 256
"""Places where it fails that account is kept of: more than castiron has lines that log one. The oldest gives way."""


class Kind(NamedTuple):
    """Where and how something failed."""

    logger: str
    line: int
    failure: str
    raised_in: str
    raised_at: int


@dataclass(slots=True)
class _Account:
    told_at: float
    untold: int = 0


class Repeats:
    """The account of one log. One thread at a time."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[Kind, _Account] = OrderedDict()

    def shortened(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record, without its traceback if one of its kind was told lately.

        Such a record carries `repeated_count`: how many there were without since the last traceback.
        """
        kind = kind_of(record)
        if kind is None:
            return record
        account = self._kinds.pop(kind, None)
        if account is None or not 0 <= record.created - account.told_at < PAUSE_S:
            self._kinds[kind] = _Account(record.created)
            while len(self._kinds) > MAX_KINDS:
                self._kinds.popitem(last=False)
            return record
        self._kinds[kind] = account
        account.untold += 1
        short = copy.copy(record)
        short.exc_info = short.exc_text = None
        short.repeated_count = account.untold
        return short


def kind_of(record: logging.LogRecord) -> Kind | None:
    """Return of which kind a failure is; None: the record has no traceback."""
    if not record.exc_info or record.exc_info[0] is None:
        return None
    last: TracebackType | None = record.exc_info[2]
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = ("", 0) if last is None else (last.tb_frame.f_code.co_filename, last.tb_lineno)
    return Kind(record.name, record.lineno, record.exc_info[0].__qualname__, *place)
