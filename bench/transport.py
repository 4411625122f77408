"""What a round trip through the front door costs, beside a ROUTER socket in Python that only echoes.

The server runs in a process of its own, so its CPU is its own; one process drives all clients, each a DEALER socket.
`verb` is decoded, validated, handled, encoded and sent; `client` is castiron's own blocking client. `measure()` returns
the figures by name, units at the end of each; `python -m bench.transport` prints them.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import zmq

from castiron.transport import codec, frames, replies, verbs
from castiron.transport.clients.blocking.client import Client
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.session import DEFAULT_LIMITS

RUNS: Final = ((1, 1), (8, 1), (64, 1), (64, 16))
"""Clients, and messages that each has in flight."""

SECONDS: Final = 1.0
REQUEST: Final = frames.build_request(b"1", codec.encode_verb(verbs.Ping()))


class _Inline:
    """Answers on the front door's own thread, as look-ups are."""

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        if isinstance(verb, verbs.Hello):
            answer.final(_welcome(peer), 1)
        else:
            answer.final(replies.Pong(boot_id="bench"), 1)


class _Elsewhere:
    """Answers on another thread, as actors do."""

    def __init__(self) -> None:
        self._inbox: SimpleQueue[tuple[verbs.AnyVerb, PeerInfo, Answer]] = SimpleQueue()
        threading.Thread(target=self._answer, daemon=True).start()

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        self._inbox.put((verb, peer, answer))

    def _answer(self) -> None:
        inline = _Inline()
        while True:
            inline.handle(*self._inbox.get())


def _welcome(peer: PeerInfo) -> replies.Welcome:
    return replies.Welcome(
        conductor=peer.requester,
        boot_id="bench",
        version="0",
        speaks=list(frames.SPEAKS),
        heartbeat_interval_s=DEFAULT_LIMITS.heartbeat_interval_s,
        liveness=DEFAULT_LIMITS.liveness,
        limits=DEFAULT_LIMITS.published(),
    )


def _echo(endpoint: str, ready: Connection) -> None:
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(endpoint)
    ready.send(os.getpid())
    while True:
        router.send_multipart(router.recv_multipart())


def _serve(endpoint: str, ready: Connection, handler: Callable[[], Any]) -> None:
    FrontDoor(endpoint, handler(), now=time.monotonic).start()
    ready.send(os.getpid())
    threading.Event().wait()


def _inline(endpoint: str, ready: Connection) -> None:
    _serve(endpoint, ready, _Inline)


def _elsewhere(endpoint: str, ready: Connection) -> None:
    _serve(endpoint, ready, _Elsewhere)


@contextmanager
def _server(target: Callable[[str, Connection], None], endpoint: str) -> Generator[int]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(endpoint, there), daemon=True)
    process.start()
    try:
        yield int(here.recv())
    finally:
        process.kill()
        process.join()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _drive(endpoint: str, clients: int, window: int, seconds: float) -> int:
    """Keep `window` messages of each client in flight; return how many were answered."""
    context = zmq.Context[zmq.Socket[bytes]]()
    sockets = [context.socket(zmq.DEALER) for _ in range(clients)]
    poller = zmq.Poller()
    for number, socket in enumerate(sockets):
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        poller.register(socket, zmq.POLLIN)
        for place in range(window):
            socket.send_multipart([REQUEST[0], b"%d" % (number * window + place), REQUEST[2]])
    answered = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready: list[Any] = poller.poll(1000)
        for socket, _ in ready:
            for _ in range(window):
                try:
                    reply = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                answered += 1
                socket.send_multipart([REQUEST[0], reply[1], REQUEST[2]])
    for socket in sockets:
        socket.close()
    context.term()
    return answered


def _round_trips(name: str, target: Callable[[str, Connection], None], folder: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for transport in ("ipc", "tcp"):
        endpoint = f"ipc://{folder}/{name}" if transport == "ipc" else f"tcp://127.0.0.1:{_free_port()}"
        with _server(target, endpoint) as pid:
            _drive(endpoint, 1, 1, 0.2)
            for clients, window in RUNS:
                cpu_s, began = _cpu_s(pid), time.monotonic()
                answered = _drive(endpoint, clients, window, SECONDS)
                label = f"{name}_{transport}_{clients}x{window}"
                figures[f"{label}_per_s"] = round(answered / (time.monotonic() - began))
                figures[f"{label}_cpu_us"] = round((_cpu_s(pid) - cpu_s) / answered * 1e6, 1)
    return figures


def _free_port() -> int:
    context = zmq.Context[zmq.Socket[bytes]]()
    with context.socket(zmq.REP) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    context.term()
    return port


def _client(folder: str) -> dict[str, float]:
    endpoint = f"ipc://{folder}/client"
    figures: dict[str, float] = {}
    with _server(_inline, endpoint), Client(endpoint) as client:
        client.hello()
        began, count = time.monotonic(), 0
        while time.monotonic() < began + SECONDS:
            client.ping()
            count += 1
        figures["client_call_us"] = round((time.monotonic() - began) / count * 1e6, 1)
        for window in (1, 8, 64, 126):
            began = time.monotonic()
            count = sum(1 for _ in client.send_many((verbs.Ping() for _ in range(10_000)), window=window))
            figures[f"client_many_window_{window}_per_s"] = round(count / (time.monotonic() - began))
    return figures


def measure() -> dict[str, float]:
    """Return the figures by name, units at the end of each."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            **_round_trips("echo", _echo, folder),
            **_round_trips("verb", _inline, folder),
            **_round_trips("verb_from_a_thread", _elsewhere, folder),
            **_client(folder),
        }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:40} {value:>12,}")
