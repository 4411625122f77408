"""How late checks are and how many requests wait, node by node: it changes without an event, so it is looked for.

Only while somebody asks, and once for all who ask within a few seconds. The conductor picks the nodes that there is
something to say of, so its answers are short however large the fleet is.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from castiron.cli.web import views
from castiron.transport.clients.awaitable.client import AsyncClient

FRESH_S: Final = 5.0
"""How old an answer may be: half of what a page waits before it asks again."""

LATE_S: Final = 1.0
"""From when on a check is late. In a fleet at rest they are late by milliseconds, and a BMC answers in tenths."""


class Looks:
    """The latest look. One loop's thread only."""

    def __init__(self, client: AsyncClient, *, now: Callable[[], float] = time.time) -> None:
        """Look at nothing yet.

        Args:
            client: asks.
            now: seconds since 1970-01-01 UTC.
        """
        self._client = client
        self._now = now
        self._looking = asyncio.Lock()
        self._seen: dict[str, dict[str, Any]] = {}
        self._seen_at: float | None = None

    async def work(self) -> dict[str, dict[str, Any]]:
        """Return for each node of which there is something to say: how late its check is, failures, who waits.

        Raises:
            ConductorLost, ReplyTimeout: as the client.
        """
        async with self._looking:
            now = self._now()
            if self._seen_at is None or not 0 <= now - self._seen_at < FRESH_S:
                nodes = self._client.nodes
                late, failing, waiting = await asyncio.gather(
                    nodes.list(where=[f"power_check_due_at<={now - LATE_S:.3f}"]),
                    nodes.list(where=["power_check_failures>0"]),
                    nodes.list(where=["queued_requests=*"]),
                )
                self._seen = {view.uuid: views.work(view, now) for view in (*late, *failing, *waiting)}
                self._seen_at = now
        return self._seen
