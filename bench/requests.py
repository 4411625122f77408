"""What 100,000 finished requests in the store cost: showing one, listing pages, pruning them while others commit.

On a file, with traces as long as those of reboots that went well. Percentiles of many reads; of pruning, how long
a step holds the writer up and how much of that is our own work (CPU), and commits while it goes on beside commits
without it: the disk is part of both.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

from bench.scene import fill, imagined
from castiron.actors.pruning import Reading, Stride, read_clocks
from castiron.store.records import (
    ALL,
    Change,
    Commit,
    NodeRecord,
    NodeUpdate,
    RequestRecord,
    TraceEntry,
    Wanted,
)
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.vocabulary import Applied, Instant, RequestID, RequestState, Revision, TraceWord

FINISHED: Final = 100_000
NODES: Final = 1_000
GROUP: Final = 10
"""Requests of one node in one change while the store is filled."""
READS: Final = 200
COMMITS: Final = 200
PAGE: Final = 100
PAUSE_S: Final = 0.01
"""No step may hold the writer longer."""
PATIENCE_S: Final = 60.0
BEGAN_AT: Final = 1_700_000_000.0


def measure() -> dict[str, float]:
    """Return figures by name."""
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        path = Path(folder) / "castiron.db"
        records = imagined(NODES)
        fill(path, records)
        store = Store.open(path, key_path=None, new_id=lambda: str(UUID(int=1)))
        try:
            nodes = _finish(store, store.nodes())
            return {"requests": float(FINISHED)} | _reading(store, nodes) | _pruning(store, nodes)
        finally:
            store.close()


def _finish(store: Store, nodes: Sequence[NodeRecord]) -> list[NodeRecord]:
    """Fill the store, and return the nodes as they then are."""
    count = FINISHED // len(nodes) // GROUP
    after = list(nodes)
    for turn in range(count):
        changes: list[Change] = []
        for place, node in enumerate(after):
            after[place] = replace(node, revision=Revision(node.revision + 1))
            first = (turn * len(nodes) + place) * GROUP
            requests = tuple(_finished(node, first + number) for number in range(GROUP))
            changes.append(Change(node=NodeUpdate(record=after[place]), requests=requests))
        _insist(store.committer.commit(changes))
    return after


def _finished(node: NodeRecord, number: int) -> RequestRecord:
    at = Instant(BEGAN_AT + number)
    fails = number % 100 == 0
    polls = (
        TraceEntry(
            word=TraceWord.EXCHANGE,
            at=at,
            until=at,
            count=2,
            details={"asked": "read power state", "answer": "power on"},
        ),
    ) * 9
    return RequestRecord(
        id=RequestID(str(UUID(int=number))),
        node_uuid=node.uuid,
        node_name=node.name,
        verb="node.power.set" if number % 10 else "node.boot_device.set",
        arguments={"target": "rebooting"},
        requester=f"ipc:uid={number % 50} (bench)",
        state=RequestState.FAILED if fails else RequestState.SUCCEEDED,
        accepted_at=at,
        started_at=at,
        ended_at=Instant(at + 5),
        error={"code": "bmc.unreachable", "message": "No answer."} if fails else None,
        applied=Applied.UNKNOWN if fails else None,
        result=None if fails else {"power_state": "power on", "power_state_at": at, "sent": ["off", "on"]},
        trace=polls,
    )


def _reading(store: Store, nodes: Sequence[NodeRecord]) -> dict[str, float]:
    rng = Random(1)
    lists = {
        "list": ALL,
        "list_of_node": Wanted(node_uuid=nodes[7].uuid),
        "list_of_error": Wanted(error="bmc.unreachable"),
        "list_of_no_error": Wanted(error="bmc.busy"),
        "list_of_verb": Wanted(verb="node.boot_device.set"),
        "list_of_requester": Wanted(requester="ipc:uid=7"),
        "list_of_nobody": Wanted(requester="ipc:uid=700"),
        "list_of_state": Wanted(states=frozenset({RequestState.SUCCEEDED})),
        "list_ended_since": Wanted(ended_since=Instant(BEGAN_AT + FINISHED * 2)),
        "list_of_an_hour": Wanted(ended_since=Instant(BEGAN_AT + 50_000), ended_until=Instant(BEGAN_AT + 53_600)),
    }
    middle = RequestID(str(UUID(int=FINISHED // 2)))
    figures = _percentiles("show", lambda: store.request(RequestID(str(UUID(int=rng.randrange(FINISHED))))))
    for name, wanted in lists.items():
        figures |= _percentiles(name, partial(store.requests, wanted, limit=PAGE))
    return figures | _percentiles("list_page", lambda: store.requests(limit=PAGE, before=middle))


def _percentiles(name: str, read: Callable[[], object], count: int = READS) -> dict[str, float]:
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        read()
        times.append((time.perf_counter() - began) * 1e3)
    times.sort()
    return {f"{name}_p50_ms": times[len(times) // 2], f"{name}_p99_ms": times[int(len(times) * 0.99)]}


def _pruning(store: Store, nodes: Sequence[NodeRecord]) -> dict[str, float]:
    quiet = _commit_times(store, nodes[:COMMITS], 1)
    done, steps = threading.Event(), list[tuple[int, Reading, Reading]]()

    def prune() -> None:
        """Remove everything, in steps as the conductor's, but without its pauses between them."""
        stride, count = Stride(), 0
        while count < FINISHED:
            began = read_clocks()
            rows = store.prune_requests(Instant(BEGAN_AT + FINISHED * 2), stride.rows).requests
            ended = read_clocks()
            store.fold_log()
            steps.append((rows, began, ended))
            stride.note(began, ended)
            count += rows
        done.set()

    thread = threading.Thread(target=prune)
    thread.start()
    busy: list[float] = []
    turn = 1
    while not done.is_set():
        turn += 1
        busy += _commit_times(store, nodes[:COMMITS], turn)
    thread.join()
    return {
        **_held("prune_step", [ended.wall_s - began.wall_s for _, began, ended in steps]),
        **_held("prune_step_cpu", [ended.cpu_s - began.cpu_s for _, began, ended in steps]),
        "prune_step_rows_p50": float(sorted(rows for rows, _, _ in steps)[len(steps) // 2]),
        "prune_steps_over_10_ms": float(sum(ended.wall_s - began.wall_s > PAUSE_S for _, began, ended in steps)),
        "prune_steps": float(len(steps)),
        "commit_p50_ms": quiet[len(quiet) // 2],
        "commit_p99_ms": quiet[int(len(quiet) * 0.99)],
        "commit_while_pruning_p50_ms": sorted(busy)[len(busy) // 2],
        "commit_while_pruning_p99_ms": sorted(busy)[int(len(busy) * 0.99)],
    }


def _held(name: str, times_s: Sequence[float]) -> dict[str, float]:
    """Return how long the writer's other users were held, in milliseconds."""
    ordered = [time_s * 1e3 for time_s in sorted(times_s)]
    return {
        f"{name}_p50_ms": ordered[len(ordered) // 2],
        f"{name}_p99_ms": ordered[int(len(ordered) * 0.99)],
        f"{name}_max_ms": ordered[-1],
    }


def _commit_times(store: Store, nodes: Sequence[NodeRecord], turn: int) -> list[float]:
    """Commit one change after the other through a writer, and return how long each took, sorted."""
    writer, times = ThreadedWriter(store.committer), list[float]()
    for node in nodes:
        heard, outcomes, began = threading.Event(), list[Outcome](), time.perf_counter()

        def told(outcome: Outcome, heard: threading.Event = heard, outcomes: list[Outcome] = outcomes) -> None:
            outcomes.append(outcome)
            heard.set()

        writer.submit(Change(node=NodeUpdate(record=replace(node, revision=Revision(node.revision + turn)))), told)
        heard.wait(PATIENCE_S)
        times.append((time.perf_counter() - began) * 1e3)
        _insist(outcomes)
    writer.stop(PATIENCE_S)
    return sorted(times)


def _insist(outcomes: Sequence[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Commit)]
    if failed or not outcomes:
        raise RuntimeError(f"{len(failed)} changes were not committed, the first: {failed[:1]}")
