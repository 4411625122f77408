"""The measure of all API figures: a ROUTER socket that sends back what it gets, and does nothing else."""

from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import zmq


def serve(pipe: "Connection[Any, Any]", endpoint: str) -> None:
    """Echo until told to end. For a process of its own."""
    context = zmq.Context[zmq.Socket[bytes]]()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.bind(endpoint)
    thread = Thread(target=_echo, args=(router,), name="echo")
    thread.start()
    pipe.send(endpoint)
    pipe.recv()
    context.term()  # which ends the thread
    thread.join()


def _echo(router: zmq.Socket[bytes]) -> None:
    try:
        while True:
            router.send_multipart(router.recv_multipart())
    except zmq.ContextTerminated:
        router.close()
