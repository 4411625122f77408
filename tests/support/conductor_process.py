"""How tests hold a conductor that is a process of its own, and what must be true of the store that it leaves behind."""

import os
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from castiron.actors.core.machines.actions import EVENTS
from castiron.store.records import EventRecord, NodeRecord, RequestRecord
from castiron.store.store import Store
from castiron.transport.clients.blocking.client import Client
from castiron.transport.clients.delivery import PATIENCE_S
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, EventSeq, EventType, NodeUUID

START_S = 20.0
STOP_S = 15.0
ROOT = Path(__file__).parents[2]


class ConductorProcess:
    """A running child. `kill` is SIGKILL, `stop` is SIGTERM."""

    def __init__(self, store: Path, endpoint: str, **settings: float) -> None:
        pairs = [f"{name}={value}" for name, value in settings.items()]
        command = [sys.executable, "-m", "tests.support.conductor_child", str(store), endpoint, *pairs]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.endpoint = endpoint
        self._process = subprocess.Popen(
            self.wrapped(command, store),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def __enter__(self) -> Self:
        self.heard("ready", START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def wrapped(self, command: list[str], store: Path) -> list[str]:
        """Return the command that is run; for those who prepare a place for the store first."""
        del store
        return command

    @property
    def pid(self) -> int:
        """Its process's id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, between any two instructions."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_S)

    def stop(self) -> float:
        """Stop it in order; return how many seconds it took."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self.heard("stopped", STOP_S)
        assert self._process.wait(STOP_S) == 0
        return time.monotonic() - began

    def limit_files(self, most_bytes: int | None) -> None:
        """Let it write no file beyond this size; None: let it."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n" if most_bytes is None else f"{most_bytes}\n".encode())
        self.heard("limited", STOP_S)

    def client(self, timeout_s: float = 5.0, *, patience_s: float = PATIENCE_S) -> Client:
        """Return a client of it."""
        return Client(self.endpoint, timeout_s=timeout_s, patience_s=patience_s)

    def heard(self, word: str, timeout_s: float) -> None:
        """Wait until it has said a word."""
        assert self._process.stdout is not None
        deadline, line = time.monotonic() + timeout_s, b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            byte = os.read(self._process.stdout.fileno(), 1) if readable else b""
            assert byte, f"said {line!r}, not {word!r}; exit code {self._process.poll()}"
            line += byte
        assert line.decode().strip() == word


@contextmanager
def opened(path: Path) -> Generator[Store]:
    """Open a store that no conductor holds any more."""
    store = Store.open(path, key_path=None, new_id=lambda: str(uuid4()))
    try:
        yield store
    finally:
        store.close()


class Audit:
    """What a store says, held against the invariants that no crash may break."""

    def __init__(self, store: Store) -> None:
        self.nodes: list[NodeRecord] = store.nodes()
        self.requests: list[RequestRecord] = store.requests(limit=100_000)
        self.events: list[EventRecord] = store.events(since=EventSeq(0), limit=1_000_000)

    def check(self, *, all_ended: bool = True) -> None:
        """Check all of them."""
        self.check_numbers()
        self.check_starts()
        if all_ended:
            assert [request for request in self.requests if request.state not in FINAL_REQUEST_STATES] == []
            assert [node.name for node in self.nodes if node.target_power_state is not None] == []

    def check_numbers(self) -> None:
        """I10: event numbers have no gap, neither the conductor's nor any node's."""
        assert [event.seq for event in self.events] == list(range(1, len(self.events) + 1))
        numbers: dict[NodeUUID | None, list[int | None]] = defaultdict(list)
        for event in self.events:
            numbers[event.draft.node_uuid].append(event.node_seq)
        numbers.pop(None, None)
        assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in numbers.values()), numbers
        assert all(node.node_seq == len(numbers[node.uuid]) for node in self.nodes)

    def check_starts(self) -> None:
        """I2: for each start exactly one end or error, later; one thing at a time on a node (I1)."""
        told: dict[str, list[str]] = defaultdict(list)
        under_way: dict[NodeUUID | None, str | None] = {}
        for event in self.events:
            draft = event.draft
            if draft.request_id is None:
                continue
            told[draft.request_id].append(draft.type.rpartition(".")[2])
            if draft.type is EventType.REQUEST_END:
                continue  # it had not started
            if draft.type.endswith(".start"):
                assert under_way.get(draft.node_uuid) is None, f"two at a time on {draft.node_name}"
                under_way[draft.node_uuid] = draft.request_id
            else:
                assert under_way.get(draft.node_uuid) == draft.request_id
                under_way[draft.node_uuid] = None
        for request in self.requests:
            if request.verb in EVENTS or request.started_at is None:
                assert told.pop(request.id, []) == self._expected(request), request
        assert not told, "events of requests that nobody knows"

    @staticmethod
    def _expected(request: RequestRecord) -> list[str]:
        if request.started_at is None:
            is_over = request.state in FINAL_REQUEST_STATES
            is_told_by_its_node = is_over and (request.error or {}).get("code") == "node.deleted"
            return ["end"] if is_over and not is_told_by_its_node else []
        ends = {"succeeded": ["end"], "failed": ["error"], "cancelled": ["error"]}
        return ["start", *ends.get(request.state.value, [])]
