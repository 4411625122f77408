"""How a loop waits for sockets: whatever ends a wait, nothing of it is left with the loop, or kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import zmq

from castiron.transport.clients.awaitable.waits import Waits
from tests.support.driven import driven

SOON_S = 20.0


@asynccontextmanager
async def pair() -> AsyncGenerator[tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]]:
    with zmq.Context[zmq.Socket[bytes]]() as context:
        reader, writer = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        with reader, writer:
            reader.bind("inproc://pair")
            writer.connect("inproc://pair")
            yield reader, writer


@pytest.mark.parametrize("end", ["message", "time", "cancellation", "wake"])
@driven
async def test_a_wait_that_is_over_leaves_nothing(end: str) -> None:
    waits = Waits()
    async with pair() as (reader, writer):
        wait = asyncio.create_task(waits.readable([reader], 0.01 if end == "time" else SOON_S))
        await asyncio.sleep(0)
        if end == "message":
            writer.send(b"news")
        elif end == "cancellation":
            wait.cancel()
        elif end == "wake":
            waits.wake()
        with suppress(asyncio.CancelledError):
            assert await wait == ([reader] if end == "message" else [])

        assert wait.cancelled() == (end == "cancellation")
        assert not waits._under_way
        assert not asyncio.get_running_loop().remove_reader(int(reader.getsockopt(zmq.FD)))
