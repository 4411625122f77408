"""All nodes listed, page by page as they come, and what that does to somebody else who asks meanwhile."""

import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Final

import zmq

from bench import load
from bench.apart import Apart, apart
from bench.load import connected
from bench.pacing import Paced, Told
from bench.rows.sizes import Size
from bench.scene import conductor, endpoint_of, fill, imagined, names
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import encode_verb
from castiron.transport.frames import FINAL, HEADER
from castiron.transport.verbs import NodeList, NodeShow

PAGE: Final = 1_000
LISTS: Final = 7
PAUSE_S: Final = 0.3
"""Between two lists."""
ASKS_PER_S: Final = 300.0
PATIENCE_MS: Final = 60_000


def measure(size: Size) -> dict[str, float]:
    """Return figures by name."""
    every = names(size.nodes)
    shows = tuple(encode_verb(NodeShow(node=name)) for name in every[:: max(1, len(every) // 500)])
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        store = Path(folder) / "castiron.db"
        fill(store, imagined(size.nodes))
        with conductor(store), Client(endpoint_of(store), timeout_s=60.0) as client:
            raw_s = [_pages_s(endpoint_of(store), every) for _ in range(LISTS)]
            listed_s = [_listed_s(client, size.nodes) for _ in range(LISTS)]
            alone = _asked(clients, endpoint_of(store), shows, every, lists=0)
            beside = _asked(clients, endpoint_of(store), shows, every, lists=LISTS)
    return {
        "pages_ms": median(raw_s) * 1e3,
        "client_ms": median(listed_s) * 1e3,
        "other_alone_p50_ms": alone.p50_us / 1e3,
        "other_alone_max_ms": alone.max_us / 1e3,
        "other_p99_ms": beside.p99_us / 1e3,
        "other_max_ms": beside.max_us / 1e3,
        "other_delay_ms": max(0.0, beside.max_us - alone.p50_us) / 1e3,
    }


def _pages_s(endpoint: str, every: list[str]) -> float:
    """Return how long all pages take, one asked for after the other has come, nothing unpacked."""
    markers = [None, *every[PAGE - 1 : -1 : PAGE]]
    bodies = [encode_verb(NodeList(limit=PAGE, marker=marker)) for marker in markers]
    with connected(endpoint, 1) as ([socket], _):
        began_s = time.perf_counter()
        for number, body in enumerate(bodies):
            socket.send_multipart([HEADER, b"%d" % number, body])
            _await_last(socket)
        return time.perf_counter() - began_s


def _await_last(socket: zmq.Socket[bytes]) -> None:
    while socket.poll(PATIENCE_MS):
        if socket.recv_multipart()[2] == FINAL:
            return
    raise TimeoutError("a page did not come")


def _listed_s(client: Client, nodes: int) -> float:
    began_s = time.perf_counter()
    found = len(client.nodes.list())
    took_s = time.perf_counter() - began_s
    if found != nodes:
        raise RuntimeError(f"{found} of {nodes} nodes were listed")
    return took_s


def _asked(clients: Apart, endpoint: str, shows: tuple[bytes, ...], every: list[str], lists: int) -> Told:
    """Return what a client is told that asks all the time, while all is listed so many times."""
    pausing, seconds = threading.Event(), LISTS * PAUSE_S * 2
    clients.begin(Paced(endpoint, shows, 1, ASKS_PER_S, seconds))
    for _ in range(lists):
        pausing.wait(PAUSE_S)
        _pages_s(endpoint, every)
    told: Told = clients.answer()
    if told.lost or told.busy:
        raise RuntimeError(f"{told.lost} lost, {told.busy} told busy while nodes were listed")
    return told
