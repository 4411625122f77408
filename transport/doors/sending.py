"""How a reply gets into the socket: frame by frame, and counted until it has left where that matters.

One thread, the front door's; never blocks. What is done about a reply that cannot be sent is the front door's business.
"""

from typing import Final

import zmq

from castiron.transport import frames
from castiron.transport.doors.answers import Outgoing
from castiron.transport.doors.unread import LARGE_BYTES, Unread

_MORE: Final = zmq.SNDMORE | zmq.NOBLOCK
"""Put together once: they are enumerations, and send_multipart takes 2 µs a message for it."""


def put(router: "zmq.Socket[bytes]", reply: Outgoing, unread: Unread) -> None:
    """Send a reply; large ones are noted with `unread`, and parts on their slips.

    Raises:
        zmq.Again: the peer does not read.
        zmq.ZMQError: it has disconnected.
    """
    *head, body = (reply.key, *frames.build_reply(reply.envelope, reply.kind, reply.body))
    for frame in head:
        router.send(frame, _MORE)
    if len(body) < LARGE_BYTES and reply.slip is None:
        router.send(body, zmq.NOBLOCK)
        return
    counted = zmq.Frame(body, track=True, copy=False, copy_threshold=0)
    tracker = router.send(counted, zmq.NOBLOCK, copy=False, track=True)
    if len(body) >= LARGE_BYTES:
        unread.note(reply.key, len(body), tracker)
    if reply.slip is not None:
        reply.slip.send(tracker)
