"""`castiron web`: serves a page to look at the fleet with, for browsers on this machine."""

from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import click

from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.output.render import visible
from castiron.cli.reach import connect, own_name
from castiron.transport.clients.face import TIMEOUT_S
from castiron.transport.verbs import (
    EventList,
    Hello,
    NodeExplain,
    NodeHistory,
    NodeList,
    NodeShow,
    RequestList,
    RequestTrace,
    Status,
)

if TYPE_CHECKING:
    from castiron.transport.clients.awaitable.client import AsyncClient

PORT: Final = 8680
"""Free of well-known services."""

_LOOKS: Final = (NodeList, NodeShow, NodeHistory, NodeExplain, RequestList, RequestTrace, EventList, Status, Hello)


def _address(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no IP address.") from None


@click.command(cls=Command, verbs=_LOOKS)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where; 0: any that is free."
)
@click.option(
    "--address", default="127.0.0.1", show_default=True, callback=_address, help="An IP address of this machine."
)
@click.option(
    "--allow-remote", is_flag=True, help="Also an address that other machines reach: they all may look, without a key."
)
@click.option(
    "--host", "names", multiple=True, metavar="NAME", help="A name that browsers call it by, as behind a proxy."
)
def web(port: int, address: str, names: tuple[str, ...], *, allow_remote: bool) -> None:
    """Serve a page to look at the fleet with: all nodes, what happens, and each node's life; until Ctrl-C.

    It changes nothing. The page follows by itself, also through a restart of the conductor. It needs the extra
    castiron[web]; docs/guides/web.md says what is where.
    """
    if not ip_address(address).is_loopback and not allow_remote:
        raise click.UsageError(
            f"{address} can be reached from other machines, and whoever reaches the page may read it. Say "
            "--allow-remote if that is meant; better, leave it on 127.0.0.1 and let a proxy say who may come in."
        )
    given = shared()
    try:
        from castiron.cli.web.running import Place, run  # noqa: PLC0415 - asyncio and the server, and it may be missing
    except ModuleNotFoundError as missing:
        if missing.name not in {"starlette", "uvicorn"}:
            raise
        message = f"{missing.name} is not installed here, which the page needs: `pip install castiron[web]`."
        raise Stop(message, Exit.USAGE) from missing
    with connect(given) as client:  # a person who has just typed this is told at once
        client.hello()
        endpoint = client.endpoint
    run(partial(_connected, endpoint, given), Place(address, port, names), partial(_tell, given))


def _connected(endpoint: str, given: Shared) -> "AsyncClient":
    from castiron.transport.clients.awaitable.client import AsyncClient  # noqa: PLC0415 - asyncio

    return AsyncClient(
        endpoint, timeout_s=given.timeout_s or TIMEOUT_S, key=given.key, server_key=given.server_key, name=own_name()
    )


def _tell(given: Shared, url: str) -> None:
    click.echo(f'{{"url": "{url}"}}' if given.is_json else f"The page is at {visible(url)}. Ctrl-C ends it.")
