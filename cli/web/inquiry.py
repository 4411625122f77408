"""What a browser asks for beside the stream: one node's life, one request's, and which nodes a filter means.

Answered from copies where there are any, else by the conductor; a few at a time, each within its time. Only looks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from castiron.cli.web import views
from castiron.cli.web.follower import Follower
from castiron.cli.web.looks import Looks
from castiron.transport.clients.awaitable.client import AsyncClient
from castiron.transport.errors import CapacityError
from castiron.transport.ranges import expand
from castiron.transport.replies import NodeView
from castiron.transport.selection.conditions import Condition, chooser
from castiron.transport.selection.fields import is_masked, refuse_secret, value_of
from castiron.transport.selection.text import parsed

MAX_ASKED: Final = 16
"""Questions at once, of all browsers: far from what the conductor allows one peer, and more than people click."""

ASKED_S: Final = 10.0
"""For all that one answer needs."""

HISTORY: Final = 100
"""Events of a node that its panel shows."""

REQUESTS: Final = 30
"""Requests of a node, likewise."""

MAX_NAMES: Final = 20_000
"""That a range may spell out: twice a large fleet, and no more than a blink of work."""


class Inquiry:
    """Answers questions. One loop's thread only."""

    def __init__(self, client: AsyncClient, follower: Follower) -> None:
        self._client = client
        self._follower = follower
        self._looks = Looks(client)
        self._places = asyncio.Semaphore(MAX_ASKED)

    async def node(self, uuid: str) -> dict[str, Any]:
        """Return a node, why it does what it does, its requests, and what has happened to it, the latest first.

        Raises:
            NodeNotFound, ConductorLost, ReplyTimeout: as the client.
            CapacityError: too much is asked at the same time.
            TimeoutError: it takes too long.
        """
        client = self._client
        async with self._place(), asyncio.timeout(ASKED_S):
            view, explained, requests, history = await asyncio.gather(
                client.nodes.show(uuid),
                client.nodes.explain(uuid),
                client.requests.list(uuid, limit=REQUESTS),
                client.nodes.history(uuid, limit=HISTORY),
            )
        return {
            "node": views.node(view),
            "findings": views.findings(explained.findings),
            "requests": [views.request(one.view) for one in requests],
            "events": [views.event(one) for one in history],
        }

    async def trace(self, request_id: str) -> dict[str, Any]:
        """Return a request's whole life.

        Raises:
            RequestNotFound: there is none. The others as `node`.
        """
        async with self._place(), asyncio.timeout(ASKED_S):
            return views.trace(await self._client.requests.trace(request_id))

    async def work(self) -> dict[str, dict[str, Any]]:
        """Return by uuid how checks and lines stand, of the nodes that there is something to say of; see `Looks`.

        Raises:
            ConductorLost, ReplyTimeout: as the client.
            TimeoutError: it takes too long.
        """
        async with asyncio.timeout(ASKED_S):  # needs no place: however many ask, the conductor is asked once
            return await self._looks.work()

    async def choose(self, range_: str, where: Sequence[str]) -> list[str]:
        """Return the uuids of the nodes in a range, empty: all, of which all conditions hold.

        Raises:
            ArgumentInvalid: it is no range, or no condition, or a secret is asked for.
            CapacityError: as `node`.
        """
        async with self._place():
            return await asyncio.to_thread(_chosen, dict(self._follower.nodes), range_, where)

    def _place(self) -> asyncio.Semaphore:
        if self._places.locked():
            raise CapacityError(f"{MAX_ASKED} questions are being answered. Ask again.", retry_after_s=1.0)
        return self._places


def _chosen(nodes: Mapping[str, NodeView], range_: str, where: Sequence[str]) -> list[str]:
    names = set(expand(range_, limit=MAX_NAMES)) if range_.strip() else None
    conditions = parsed(where)
    holds = chooser(conditions)
    there = [view for view in nodes.values() if names is None or view.name in names]
    _refuse_secrets(there, conditions)
    return [view.uuid for view in there if holds(partial(getattr, view))]


def _refuse_secrets(nodes: Sequence[NodeView], conditions: Sequence[Condition]) -> None:
    for condition in conditions:
        field = condition.field
        if any(is_masked(field, value_of(partial(getattr, view), field)) for view in nodes):
            raise refuse_secret(field, "$.where")
