"""What browsers are sent, numbered, and the latest of it kept, so that each goes on where it stopped.

One list serves all: a reader is a number in it. Who falls behind its oldest message is sent everything anew, so a slow
browser costs nothing but its own connection. No sockets, and nothing about nodes.
"""

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Final, NamedTuple

from castiron.cli.output.render import fields_of

MAX_MESSAGES: Final = 1_024
"""Kept: some minutes of a fleet that changes all the time. A browser that was away for longer begins anew."""

MAX_BYTES: Final = 16 * 1_048_576
"""Kept, whichever comes first: ten times what 10,000 nodes are."""

NOWHERE: Final = -1
"""The place of one who has nothing: what follows it is never kept whole."""


class Message(NamedTuple):
    """One message, as it is sent."""

    number: int
    data: bytes


class Feed:
    """Numbered messages. One loop's thread only."""

    def __init__(self, epoch: str, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        """Begin with none.

        Args:
            epoch: tells this feed's numbers from those of others: new with each start, letters and digits.
            max_messages: kept.
            max_bytes: kept; the latest message is kept however long it is.
        """
        self._epoch = epoch
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0
        self._news = asyncio.Event()
        self.number = 0
        self.is_closed = False

    def publish(self, kind: str, content: object) -> None:
        """Add a message, and wake who waits for one."""
        self.number += 1
        message = Message(self.number, self.encoded(kind, content))
        self._kept.append(message)
        self._kept_bytes += len(message.data)
        while len(self._kept) > self._max_messages or (self._kept_bytes > self._max_bytes and len(self._kept) > 1):
            self._kept_bytes -= len(self._kept.popleft().data)
        self._wake()

    def encoded(self, kind: str, content: object) -> bytes:
        """Return a message that brings its reader to the present number, as server-sent events are written."""
        head = f"id: {self._epoch}.{self.number}\nevent: {kind}\ndata: ".encode()
        return head + as_json(content) + b"\n\n"

    def place(self, last_id: str) -> int:
        """Return the number in a message's id; NOWHERE: it is none of this feed's."""
        epoch, _, number = last_id.rpartition(".")
        if epoch != self._epoch or not (number.isascii() and number.isdigit() and len(number) < len(str(2**63))):
            return NOWHERE
        return int(number) if int(number) <= self.number else NOWHERE

    def after(self, number: int) -> Message | None:
        """Return the message after a number, which is not the latest; None: it is not kept any more."""
        missing = self.number - number
        return self._kept[-missing] if missing <= len(self._kept) else None

    async def newer(self, number: int, timeout_s: float) -> bool:
        """Wait until there is something after a number, or the feed is closed, at most so long; return whether."""
        if self.number == number and not self.is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
        return self.number != number or self.is_closed

    def close(self) -> None:
        """Have everybody stop who reads. Idempotent."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def as_json(content: object) -> bytes:
    """Return JSON in one line; Structs become objects with their fields' names."""
    return json.dumps(content, separators=(",", ":"), default=fields_of).encode()
