"""Requests that are accepted and not carried out: on disk before the answer, with 1, 8 and 64 clients; and looked up.

There is one place to run, which a machine that never answers holds; everything else waits in its node's line. Each
message has a key of its own, as castiron's clients send them; when all nodes have one, equal requests are merged, which
is a commit all the same. CPU is the server's, for each answer.
"""

import tempfile
import timeit
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from bench import load
from bench.apart import Apart, apart
from bench.load import Pace, Steady
from bench.scene import conductor, endpoint_of, fill, imagined, names
from castiron.actors.core.requests.compatibility import judge
from castiron.actors.core.state import NodeState
from castiron.store.records import NodeRecord, RequestRecord
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodePowerSet, RequestShow, arguments_of, tag_of
from castiron.transport.vocabulary import (
    ConductorID,
    Instant,
    NodeName,
    NodeUUID,
    Policy,
    PowerTarget,
    RequestID,
    RequestState,
)

CLIENTS: Final = (1, 8, 64)
MOST_PER_S: Final = 8_000
"""More than are accepted in a second; each gets a body of its own."""

SHOWN: Final = 1_000
ROUNDS: Final = 20_000


def measure(*, nodes: int, seconds: float) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: ten times as many have requests.
        seconds: for each rate.
    """
    keys = count()
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder, apart(load.serve) as clients:
        store = Path(folder) / "castiron.db"
        fill(store, imagined(nodes * 10))
        with conductor(store, sync_power_state_interval_s=0.0, max_running_actions=1) as server:
            figures: dict[str, float] = {}
            for clients_count in CLIENTS:
                bodies = bodies_of(nodes * 10, int(MOST_PER_S * seconds), keys)
                steady = Steady(endpoint_of(store), bodies, b"on_restart", clients_count, seconds)
                figures |= _pace(f"accept_{clients_count}_clients", server, clients, steady)
            shows = _shows(endpoint_of(store))
            steady = Steady(endpoint_of(store), shows, b"on_restart", 8, seconds)
            figures |= _pace("request_show_8_clients", server, clients, steady)
    return figures | _judging()


def bodies_of(nodes: int, number: int, keys: "count[int]") -> tuple[bytes, ...]:
    """Return so many requests for power, over all nodes in turn, each with a key of its own."""
    every = names(nodes)
    return tuple(
        encode_verb(NodePowerSet(node=every[place % nodes], target=PowerTarget.ON, key=f"benchmark-{next(keys)}"))
        for place in range(number)
    )


def _shows(endpoint: str) -> tuple[bytes, ...]:
    with Client(endpoint) as client:
        return tuple(encode_verb(RequestShow(request=one.id)) for one in client.requests.list(limit=SHOWN))


def _pace(name: str, server: Apart, clients: Apart, steady: Steady) -> dict[str, float]:
    cpu_s = server.cpu_s()
    pace: Pace = clients.ask(steady)
    return {
        f"{name}_per_s": pace.per_s,
        f"{name}_p50_us": pace.p50_us,
        f"{name}_p99_us": pace.p99_us,
        f"{name}_cpu_us": (server.cpu_s() - cpu_s) / pace.answered * 1e6,
    }


def _judging() -> dict[str, float]:
    """Time the judgement alone: of a node with nothing to do, and of one whose line is full."""
    now = Instant(0.0)
    record = NodeRecord(
        uuid=NodeUUID("u"),
        name=NodeName("n"),
        driver="ipmi",
        driver_info={},
        created_at=now,
        updated_at=now,
        owner=ConductorID("c"),
    )
    wanted = NodePowerSet(node="n", target=PowerTarget.ON, policy=Policy.AFTER)
    other = NodePowerSet(node="n", target=PowerTarget.OFF)
    line = tuple(
        RequestRecord(
            id=RequestID(str(place)),
            node_uuid=record.uuid,
            node_name=record.name,
            verb=tag_of(other),
            arguments=arguments_of(other),
            requester="bench",
            state=RequestState.QUEUED,
            accepted_at=now,
        )
        for place in range(16)
    )
    return {
        f"judge_{name}_us": timeit.timeit(partial(judge, state, wanted), number=ROUNDS) / ROUNDS * 1e6
        for name, state in {"idle": NodeState(record=record), "full_line": NodeState(record=record, queue=line)}.items()
    }
