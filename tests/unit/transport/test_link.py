"""A client's link: what had arrived before the connection broke is received before the break is told."""

from collections.abc import Collection, Sequence
from pathlib import Path

import zmq

from castiron.transport.clients.blocking.conversation import block
from castiron.transport.clients.blocking.running import run
from castiron.transport.clients.sockets.link import Link
from castiron.transport.endpoint import parse_endpoint
from tests.support.deadline import until
from tests.support.raw_peer import RawDoor

SOON_S = 20.0


def test_an_answer_that_came_with_the_break_is_not_lost(tmp_path: Path) -> None:
    waited_for: list[zmq.Socket[bytes]] = []

    async def noted(sockets: Sequence["zmq.Socket[bytes]"], timeout_s: float) -> Collection["zmq.Socket[bytes]"]:
        waited_for[:] = sockets
        return await block(sockets, timeout_s)

    endpoint = f"ipc://{tmp_path}/door"
    link = Link(parse_endpoint(endpoint), noted)
    with RawDoor(endpoint) as door:
        until(lambda: run(link.is_connected(0.05)), timeout_s=SOON_S)
        assert link.send([b"question"])
        key, question = door.socket.recv_multipart()
        assert run(link.receive(0.001)) is None
        door.socket.send_multipart([key, question, b"answer"])
        assert waited_for[0].poll(int(SOON_S * 1000))
    until(lambda: not run(link.is_connected(0)), timeout_s=SOON_S)

    assert not link.has_broken()
    assert run(link.receive(0)) == [b"question", b"answer"]
    assert link.has_broken()
    assert not link.has_broken(), "it is told once"
    link.close()
