"""A subscriber that speaks bytes: subscribes to what a test wants, and takes messages of the stream apart."""

from types import TracebackType
from typing import Any, NamedTuple, Self

import zmq

from castiron.transport.frames import HEADER
from tests.support.raw_peer import ANSWER_S, unpacked


class Message(NamedTuple):
    topic: bytes
    body: dict[str, Any]


class RawSubscriber:
    """One socket with a context of its own: SUB, or XSUB to send what a SUB cannot."""

    def __init__(self, endpoint: str, *topics: bytes, kind: int = zmq.SUB, receive_hwm: int = 1000) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self.socket = self._context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, receive_hwm)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close(linger=0)
        self._context.term()

    def hear(self, timeout_s: float = ANSWER_S) -> Message:
        """Return the next message; fails if it is not framed as PROTOCOL.md says."""
        if not self.socket.poll(int(timeout_s * 1000)):
            raise TimeoutError("nothing was published")
        topic, header, body = self.socket.recv_multipart()
        assert header == HEADER
        return Message(topic, unpacked(body))

    def hear_event(self) -> Message:
        """Return the next event, past heartbeats."""
        while (message := self.hear()).topic == b"heartbeat":
            pass
        return message

    def is_quiet(self, timeout_s: float) -> bool:
        """Return whether nothing comes for so long."""
        return not self.socket.poll(int(timeout_s * 1000))
