"""Stands before a conductor's door, and loses replies on their way to the client."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import zmq

from castiron.transport.frames import HEADER
from tests.support.raw_peer import Heard, taken_apart

LOOK_MS = 20
STOP_S = 5.0


class LossyDoor:
    """A ROUTER socket that passes messages on, each client's over a connection of its own; a context manager.

    Attributes:
        lost: the replies that were lost.
    """

    def __init__(self, endpoint: str, behind: str, loses: Callable[[Heard], bool]) -> None:
        """Open it.

        Args:
            endpoint: where clients come.
            behind: the conductor's endpoint.
            loses: says of each reply whether it is lost.
        """
        self.lost: list[Heard] = []
        self._endpoint = endpoint
        self._behind = behind
        self._loses = loses
        self._is_stopping = threading.Event()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lossy door", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_open.wait(STOP_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_stopping.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        with zmq.Context[zmq.Socket[bytes]]() as context:
            front = context.socket(zmq.ROUTER)
            front.setsockopt(zmq.LINGER, 0)
            front.bind(self._endpoint)
            poller, backs = zmq.Poller(), dict[bytes, Any]()
            poller.register(front, zmq.POLLIN)
            self._is_open.set()
            while not self._is_stopping.is_set():
                ready: dict[Any, int] = dict(poller.poll(LOOK_MS))
                if front in ready:
                    client, *message = front.recv_multipart()
                    if client not in backs:
                        backs[client] = self._connected(context)
                        poller.register(backs[client], zmq.POLLIN)
                    backs[client].send_multipart(message)
                for client, back in backs.items():
                    if back in ready:
                        self._answer(front, client, back.recv_multipart())
            for socket in (front, *backs.values()):
                socket.close(linger=0)

    def _connected(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        back = context.socket(zmq.DEALER)
        back.setsockopt(zmq.LINGER, 0)
        back.connect(self._behind)
        return back

    def _answer(self, front: "zmq.Socket[bytes]", client: bytes, reply: list[bytes]) -> None:
        assert reply[0] == HEADER
        heard = taken_apart(reply)
        if self._loses(heard):
            self.lost.append(heard)
        else:
            front.send_multipart([client, *reply])
