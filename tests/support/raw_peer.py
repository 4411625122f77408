"""A peer that speaks bytes: whatever frames a test wants, from a DEALER or a REQ socket."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgpack  # type: ignore[import-untyped]  # it ships no types
import zmq

from castiron.transport.clients.sockets.encryption import encrypt
from castiron.transport.frames import HEADER
from castiron.transport.keys.protection import ClientKeys

ANSWER_S = 5.0
_lib: Any = msgpack


class RawPeer:
    """One socket with a context of its own, so that it can vanish like a process."""

    def __init__(
        self,
        endpoint: str,
        kind: int = zmq.DEALER,
        *,
        receive_hwm: int = 1000,
        identity: bytes = b"",
        keys: ClientKeys | None = None,
    ) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self.socket = self._context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, receive_hwm)
        encrypt(self.socket, keys)
        if identity:
            self.socket.setsockopt(zmq.ROUTING_ID, identity)
        self.socket.connect(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close(linger=0)
        self._context.term()

    def send(self, *frames: bytes) -> None:
        """Send frames as they are; raises when there is no connection for five seconds."""
        if not self.socket.poll(int(ANSWER_S * 1000), zmq.POLLOUT):
            raise TimeoutError("no connection")
        self.socket.send_multipart(frames, zmq.NOBLOCK)

    def receive(self, timeout_s: float = ANSWER_S) -> list[bytes]:
        """Return the frames of the next message."""
        if not self.socket.poll(int(timeout_s * 1000)):
            raise TimeoutError("no answer")
        return self.socket.recv_multipart()

    def is_quiet(self, timeout_s: float) -> bool:
        """Return whether nothing comes for so long."""
        return not self.socket.poll(int(timeout_s * 1000))

    def say(self, message_id: bytes, fields: object) -> None:
        """Send a well-framed message with any body."""
        self.send(HEADER, message_id, packed(fields))

    def hear(self, timeout_s: float = ANSWER_S) -> "Heard":
        """Return the next reply, taken apart; fails if it is not framed as PROTOCOL.md says."""
        return taken_apart(self.receive(timeout_s))

    def ask(self, fields: object, message_id: bytes = b"1") -> "Heard":
        """Send a message and return the next reply."""
        self.say(message_id, fields)
        return self.hear()


class Heard:
    """A reply, without any code of castiron's between it and the wire."""

    def __init__(self, message_id: bytes, kind: bytes, body: dict[str, Any]) -> None:
        self.id = message_id
        self.kind = kind
        self.body = body

    @property
    def result(self) -> dict[str, Any]:
        assert "error" not in self.body, self.body
        return dict(self.body["result"])

    @property
    def error(self) -> dict[str, Any]:
        assert "result" not in self.body, self.body
        return dict(self.body["error"])

    @property
    def code(self) -> str:
        return str(self.error["code"])


def taken_apart(frames: Sequence[bytes]) -> Heard:
    header, message_id, kind, body = frames
    assert header == HEADER
    fields = unpacked(body)
    assert isinstance(fields["seq"], int)
    assert ("result" in fields) != ("error" in fields)
    return Heard(message_id, kind, fields)


def packed(value: object) -> bytes:
    return bytes(_lib.packb(value))


def unpacked(body: bytes) -> dict[str, Any]:
    return dict(_lib.unpackb(body))


class RawDoor:
    """A ROUTER socket that does only what a test tells it: a conductor that is silent, slow, or mad."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close(linger=0)
        self._context.term()

    def serve(self, replies: Sequence[dict[str, Any] | None]) -> None:
        """Answer as many messages as there are replies, each with its own; None: with silence."""
        for reply in replies:
            if not self.socket.poll(int(ANSWER_S * 1000)):
                raise TimeoutError("no message")
            key, header, message_id, _ = self.socket.recv_multipart()
            if reply is not None:
                self.socket.send_multipart([key, header, message_id, b"final", packed(reply)])
