"""Round trips through the API with 1, 8 and 64 clients, beside a bare echo on the same kind of socket in the same run.

`ping` is the front door alone, `show` reads one node; each client waits for its answer before it asks again. CPU is the
server's, for each round trip.
"""

import tempfile
from pathlib import Path
from typing import Final

from bench import echo, load
from bench.apart import Apart, apart
from bench.load import Burst, Pace, Steady, Wave
from bench.scene import conductor, endpoint_of, imagined, names
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodeCreate, NodeShow, Ping

CLIENTS: Final = (1, 8, 64)

Asked = dict[str, tuple[tuple[bytes, ...], bytes]]
"""What is asked by name: bodies, and what stands in every good answer."""


def measure(*, nodes: int, seconds: float) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: known to the conductor; each is shown in turn.
        seconds: for each rate.
    """
    shows = tuple(encode_verb(NodeShow(node=name)) for name in names(nodes))
    pings = (encode_verb(Ping()),)
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        at = f"ipc://{folder}/echo.ipc"
        with apart(echo.serve, at) as server:
            figures = _rates(server, clients, at, {"echo": (shows, b"node.show")}, seconds)
        store = Path(folder) / "castiron.db"
        with conductor(store) as server:
            figures |= _create(server, clients, endpoint_of(store), nodes)
            asked: Asked = {"ping": (pings, b"boot_id"), "show": (shows, b"provision_state")}
            figures |= _rates(server, clients, endpoint_of(store), asked, seconds)
    return figures | _ratios(figures)


def _create(server: Apart, clients: Apart, endpoint: str, nodes: int) -> dict[str, float]:
    creates = tuple(
        encode_verb(NodeCreate(name=name, driver_info=info))
        for name, info in zip(names(nodes), imagined(nodes), strict=True)
    )
    cpu_s = server.cpu_s()
    wave: Wave = clients.ask(Burst(endpoint, creates, b"provision_state"))
    return {"create_per_s": nodes / wave.wall_s, "create_cpu_us": (server.cpu_s() - cpu_s) / nodes * 1e6}


def _rates(server: Apart, clients: Apart, endpoint: str, asked: Asked, seconds: float) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, (bodies, proof) in asked.items():
        for count in CLIENTS:
            cpu_s = server.cpu_s()
            pace: Pace = clients.ask(Steady(endpoint, bodies, proof, count, seconds))
            figures |= {
                f"{name}_{count}_clients_per_s": pace.per_s,
                f"{name}_{count}_clients_p50_us": pace.p50_us,
                f"{name}_{count}_clients_p99_us": pace.p99_us,
                f"{name}_{count}_clients_cpu_us": (server.cpu_s() - cpu_s) / pace.answered * 1e6,
            }
    return figures


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    """Return how many times an echo each costs: what is left when machines and their noise are taken out."""
    return {
        f"{name}_{count}_clients_cpu_by_echo_ratio": figures[f"{name}_{count}_clients_cpu_us"]
        / figures[f"echo_{count}_clients_cpu_us"]
        for name in ("ping", "show")
        for count in CLIENTS
    }
