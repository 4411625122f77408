"""Programs that use a store and come to harm: each is killed, starved or locked out by the test that starts it.

Usage: python -m tests.support.store_process ROLE PATH. Each prints one line for each thing that it knows to be done.
"""

import json
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Semaphore
from uuid import uuid4

from castiron.store.errors import StoreError
from castiron.store.records import Change, Commit, NodeInsert, NodeRecord, NodeUpdate
from castiron.store.rotation import rotate
from castiron.store.sql.committer import Outcome
from castiron.store.store import Store
from castiron.store.writer import InlineWriter, ThreadedWriter
from castiron.transport.vocabulary import NodeSeq, Revision
from tests.support.store_records import PASSWORD, creation, event_of, plain_node, plain_request

NODES = 7
EVENTS = 2
IN_FLIGHT = 40
ROOM_BYTES = 300_000
BIG = "x" * 50_000


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def new_id() -> str:
    return str(uuid4())


def nth_change(number: int) -> Change:
    """Change 0, 1, 2 … in a row that goes round the nodes: each has a revision, a request and two events of its own."""
    revision, which = divmod(number, NODES)
    node = plain_node(which, revision=Revision(revision + 1), node_seq=NodeSeq(EVENTS * (revision + 1)))
    write: NodeInsert | NodeUpdate = NodeUpdate(record=node) if revision else NodeInsert(record=node)
    own_request = replace(
        plain_request(number, node_uuid=node.uuid), arguments={"token": PASSWORD}, secret_keys=frozenset({"token"})
    )
    return Change(node=write, requests=(own_request,), events=(event_of(node),) * EVENTS)


def commit_for_ever(path: Path) -> None:
    """Commit without end, and say each change that is on disk."""
    store = Store.open(path, key_path=None, new_id=new_id)
    writer = ThreadedWriter(store.committer)
    free = Semaphore(IN_FLIGHT)

    def teller(number: int) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            say(number=number, seq=outcome.seq if isinstance(outcome, Commit) else str(outcome))
            free.release()

        return done

    for number in count():
        free.acquire()
        writer.submit(nth_change(number), teller(number))


def hold(path: Path) -> None:
    """Have the store open until there is no more input."""
    store = Store.open(path, key_path=None, new_id=new_id)
    say(held=True)
    sys.stdin.read()
    store.close()


def try_to_open(path: Path) -> None:
    """Open the store once, and say how it went."""
    try:
        Store.open(path, key_path=None, new_id=new_id).close()
        say(opened=True)
    except StoreError as error:
        say(opened=False, error=type(error).__name__, message=str(error))


def make_for_ever(directory: Path) -> None:
    """Make one new store after the other, and say each that is made."""
    for number in count():
        Store.open(directory / f"{number}.db", key_path=None, new_id=new_id).close()
        say(number=number)


def rotate_for_ever(path: Path) -> None:
    """Give the store one new key after the other, and say each that is in place."""
    while True:
        say(rotated=rotate(path, None, new_id=new_id))


def run_out_of_space(path: Path) -> None:
    """Fill what the disk has left, go on while it is full, and again when there is room; say each outcome."""
    store = Store.open(path, key_path=None, new_id=new_id)
    writer = InlineWriter(store.committer)
    outcomes: list[Outcome] = []
    nodes = (plain_node(number, extra={"big": BIG}) for number in count())

    def commit_next(node: NodeRecord) -> bool:
        writer.submit(creation(node), outcomes.append)
        say(name=node.name, kind=type(outcomes[-1]).__name__, message=str(outcomes[-1]), state=writer.state())
        return isinstance(outcomes[-1], Commit)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.size_bytes() + ROOM_BYTES, hard))
    refused = until_refused(nodes, commit_next)
    for _ in range(3):
        commit_next(refused)
    say(readable=[node.name for node in store.nodes()], alive=writer.is_alive())
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    commit_next(refused)
    for _ in range(5):
        commit_next(next(nodes))
    store.close()


def until_refused(nodes: Iterator[NodeRecord], commit_next: Callable[[NodeRecord], bool]) -> NodeRecord:
    return next(node for node in nodes if not commit_next(node))


ROLES: dict[str, Callable[[Path], None]] = {
    role.__name__: role
    for role in (commit_for_ever, hold, try_to_open, make_for_ever, rotate_for_ever, run_out_of_space)
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](Path(sys.argv[2]))
