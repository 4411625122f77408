"""How a message gets out of the socket, and a reply into it: frame by frame.

A reply is counted until it has left, where that matters. One thread, the front door's; never blocks. What is done about
either is the front door's business.
"""

from typing import Final

import zmq
from zmq.backend import Socket

from castiron.transport import frames
from castiron.transport.doors.answers import Outgoing
from castiron.transport.doors.unread import LARGE_BYTES, Unread

_MORE: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
"""Put together once: they are enumerations, and send_multipart takes 2 µs a message for it."""

_LAST: Final = int(zmq.NOBLOCK)

_send: Final = Socket.send
"""What is beneath pyzmq's method of that name, which asks each frame for what sockets of other kinds take: 0.5 µs
instead of 1.1, five times a reply."""


def read(router: "zmq.Socket[bytes]") -> tuple[bytes, zmq.Frame, list[bytes]] | None:
    """Take the next message out; None if there is none.

    Returns:
        The peer's key; the first frame, which knows, other than bytes, where it came from; what is in the frames,
        MAX_FRAMES of them at the most.
    """
    try:
        key = router.recv(zmq.NOBLOCK)
    except zmq.Again:
        return None
    first = frame = router.recv(copy=False)
    parts = [first.bytes]
    while frame.more:
        frame = router.recv(copy=False)
        if len(parts) < frames.MAX_FRAMES:
            parts.append(frame.bytes)
    return key, first, parts


def put(router: "zmq.Socket[bytes]", reply: Outgoing, unread: Unread) -> None:
    """Send a reply; large ones are noted with `unread`, and parts on their slips.

    Raises:
        zmq.Again: the peer does not read.
        zmq.ZMQError: it has disconnected.
    """
    *head, body = (reply.key, *frames.build_reply(reply.envelope, reply.kind, reply.body))
    for frame in head:
        _send(router, frame, _MORE)
    if len(body) < LARGE_BYTES and reply.slip is None:
        _send(router, body, _LAST)
        return
    counted = zmq.Frame(body, track=True, copy=False, copy_threshold=0)
    tracker = router.send(counted, zmq.NOBLOCK, copy=False, track=True)
    if len(body) >= LARGE_BYTES:
        unread.note(reply.key, len(body), tracker)
    if reply.slip is not None:
        reply.slip.send(tracker)
