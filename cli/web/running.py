"""What `castiron web` runs: the client, what follows the conductor with it, and the server, all on one loop."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from castiron.cli.web.board import Board
from castiron.cli.web.feed import Feed
from castiron.cli.web.follower import Follower
from castiron.cli.web.guard import Guard
from castiron.cli.web.inquiry import Inquiry
from castiron.cli.web.listening import bound, serve, url_of
from castiron.cli.web.routes import Site
from castiron.transport.clients.awaitable.client import AsyncClient


class Place(NamedTuple):
    """Where the page is served."""

    address: str
    """An IP address."""
    port: int
    """0: any that is free."""
    names: tuple[str, ...] = ()
    """Other names that browsers may call it by."""


def run(connect: Callable[[], AsyncClient], place: Place, told: Callable[[str], object]) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        connect: makes the client, on the loop that will use it.
        place: where to listen.
        told: is given the page's address once it can be opened.

    Raises:
        CastironError: what waiting cannot mend, as a key that is refused.
        Stop: it cannot listen there.
    """
    with bound(place.address, place.port) as listening:
        asyncio.run(_run(connect, place, listening, told))


async def _run(
    connect: Callable[[], AsyncClient], place: Place, listening: socket.socket, told: Callable[[str], object]
) -> None:
    feed = Feed(secrets.token_hex(8))
    board = Board(feed)
    async with connect() as client:
        follower = Follower(client, board)
        site = Site(board, Inquiry(client, follower))
        is_remote = not ip_address(place.address).is_loopback
        guard = Guard(site.app(), is_remote=is_remote, names=place.names)
        await follower.open()
        told(url_of(listening))
        try:
            async with asyncio.TaskGroup() as group:
                following = follower.start(group)
                await serve(guard, listening, feed.close)
                for task in following:
                    task.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
