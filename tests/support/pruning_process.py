"""A store on a small disk, and pruning at work on it while the disk is full. Says what it sees, one line each.

    python -m tests.support.pruning_process STORE

The store's folder is the disk; see small_disk.
"""

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.pruning import Pruning
from castiron.actors.published.archive import Archive
from castiron.actors.settings import Settings
from castiron.store.records import Change, Commit
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from castiron.transport.vocabulary import Instant, RequestState
from tests.support.deadline import until
from tests.support.small_disk import SmallDisk
from tests.support.store_records import counting_ids, creation, plain_node, plain_request, successor, update

NODES = 150
KEPT_EVENTS = 100
BIG = "x" * 20_000


class Lines(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.told.append(record.getMessage())


class Chore:
    """A store with ended requests and events that are too old, and all that prunes them."""

    def __init__(self, path: Path, lines: Lines) -> None:
        self.lines = lines
        self.disk = SmallDisk(path.parent)
        self.store = Store.open(path, key_path=None, new_id=counting_ids())
        self.writer = InlineWriter(self.store.committer)
        self.clock = SystemClock()
        self.archive = Archive(self.store, self.writer)
        settings = Settings(request_retention_s=60.0, event_retention_count=KEPT_EVENTS)
        self.pruning = Pruning(self.store, self.archive, self.clock, settings, list[str]().extend, pause_s=0.02)
        self.node = plain_node(0)

    def is_written(self, change: Change) -> bool:
        """Submit a change, and return whether it is on disk."""
        outcomes: list[Outcome] = []
        self.writer.submit(change, outcomes.append)
        return isinstance(outcomes[0], Commit)

    def is_changed(self, text: str) -> bool:
        """Change the node, and return whether that is on disk."""
        changed = replace(successor(self.node), extra={"text": text})
        if not self.is_written(update(changed)):
            return False
        self.node = changed
        return True

    def populate(self) -> None:
        """Make nodes, each with a request that ended long ago."""
        nodes = [plain_node(number) for number in range(NODES)]
        requests = [
            plain_request(number, node_uuid=node.uuid, state=RequestState.SUCCEEDED, ended_at=Instant(1.0))
            for number, node in enumerate(nodes)
        ]
        changes = [creation(node, request) for node, request in zip(nodes, requests, strict=True)]
        outcomes = self.store.committer.commit(changes)  # in one transaction, or the log alone would fill the disk
        assert all(isinstance(outcome, Commit) for outcome in outcomes), outcomes
        self.node = self.store.nodes()[0]

    def say(self, what: str) -> None:
        """Say how the store is."""
        left = len(self.store.requests(limit=1_000))
        facts = {"what": what, "requests": left, "events_from": self.store.oldest_seq(), "log": self.lines.told[:]}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()

    def run(self) -> None:
        """Fill the disk, let the pruning try, give the disk back, let it try again."""
        self.populate()
        self.disk.fill()
        while self.is_changed(BIG):
            pass
        until(lambda: not self.is_changed("x"))
        self.pruning.start()
        tries = self.archive.beats()
        until(lambda: self.archive.beats() > tries + 40)
        self.say("full")
        self.disk.clear()
        until(lambda: not self.store.requests(limit=1) and self.store.oldest_seq() > 1, timeout_s=30)
        self.say("cleared")
        self.pruning.stop()
        self.archive.stop(5)
        self.clock.stop(5)
        self.store.close()


if __name__ == "__main__":
    handler = Lines()
    logging.getLogger().addHandler(handler)
    Chore(Path(sys.argv[1]), handler).run()
