"""A backup is one state of the store, taken while the conductor works; killed half-way, it leaves nothing."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from castiron.store.backup import back_up
from castiron.store.checkup import check
from castiron.store.store import Store
from castiron.store.writer import InlineWriter
from castiron.transport.vocabulary import EventSeq, PowerTarget
from tests.support.conductor_process import Audit, ConductorProcess, opened
from tests.support.deadline import until
from tests.support.store_process import BIG, NODES, nth_change
from tests.support.store_records import creation, plain_node

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("n1", "n2", "n3", "n4")


class Load:
    """Clients that switch machines on and off, and remember what was acknowledged."""

    def __init__(self, conductor: ConductorProcess) -> None:
        self.acknowledged: list[str] = []
        self._is_over = threading.Event()
        self._conductor = conductor
        self._threads = [threading.Thread(target=self._run, args=(name,)) for name in NAMES]

    def _run(self, name: str) -> None:
        with self._conductor.client() as client:
            client.nodes.create(name, driver="fake")
            while not self._is_over.is_set():
                for target in (PowerTarget.ON, PowerTarget.OFF):
                    request = client.nodes.power(name, target)
                    self.acknowledged.append(request.id)
                    request.wait(timeout_s=20)

    def has_acknowledged(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def restored(copy: Path, store: Path) -> Path:
    """Put the key beside a copy, as whoever restores it does."""
    shutil.copy(store.with_name(f"{store.name}.key"), copy.with_name(f"{copy.name}.key"))
    return copy


def test_a_backup_under_load_is_a_state_that_existed(tmp_path: Path) -> None:
    store = tmp_path / "castiron.db"
    with ConductorProcess(store, f"ipc://{tmp_path}/c.ipc") as conductor, Load(conductor) as load:
        for number in range(3):
            until(partial(load.has_acknowledged, 40 * (number + 1)))
            before = list(load.acknowledged)

            copied = back_up(store, tmp_path / f"copy{number}")

            assert check(copied.path, store.with_name("castiron.db.key")).findings == []
            with opened(restored(copied.path, store)) as copy:
                audit = Audit(copy)
                audit.check(all_ended=False)
                assert {request.id for request in audit.requests} >= set(before)
                assert copy.latest_seq() == copied.seq == len(audit.events)
    assert check(store, None).findings == []


def test_a_conductor_takes_a_restored_backup_up(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "castiron.db", f"ipc://{tmp_path}/c.ipc"
    with ConductorProcess(store, endpoint) as conductor, Load(conductor) as load:
        until(lambda: len(load.acknowledged) > 20)
        copy = back_up(store, tmp_path / "copy").path
        before = set(load.acknowledged[:20])

    with ConductorProcess(restored(copy, store), endpoint) as conductor, conductor.client() as client:
        until(lambda: client.status().requests.open == 0)
        assert client.nodes.power("n1", PowerTarget.ON).wait(timeout_s=20).state == "succeeded"
        assert {client.requests.show(request_id).state for request_id in before} == {"succeeded"}


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    """A store of several steps' size, with a writer at work."""
    made = Store.open(tmp_path / "castiron.db", key_path=None, new_id=iter([f"id-{n}" for n in range(9)]).__next__)
    writer = InlineWriter(made.committer)
    for number in range(60):
        writer.submit(creation(plain_node(1000 + number, extra={"big": BIG})), lambda _: None)
    yield made
    made.close()


def test_commits_meanwhile_are_not_in_it_and_do_not_make_it_begin_anew(store: Store, tmp_path: Path) -> None:
    writer, numbers, before = InlineWriter(store.committer), iter(range(10_000)), store.latest_seq()
    steps: list[tuple[int, int]] = []

    def commit_meanwhile(left: int, total: int) -> None:
        steps.append((left, total))
        assert len(steps) < 100, "it began anew"
        for _ in range(NODES):
            writer.submit(nth_change(next(numbers)), lambda _: None)

    copied = back_up(tmp_path / "castiron.db", tmp_path / "copy", told=commit_meanwhile)

    assert len(steps) > 2
    assert [left for left, _ in steps] == sorted((left for left, _ in steps), reverse=True)
    assert store.latest_seq() > before == copied.seq
    assert check(copied.path, tmp_path / "castiron.db.key").findings == []
    with opened(restored(copied.path, tmp_path / "castiron.db")) as copy:
        assert copy.latest_seq() == before
        assert [node.extra["big"] for node in copy.nodes()] == [BIG] * 60


HALF_WAY = """
import sys
from pathlib import Path
from castiron.store.backup import back_up

def stop(left, total):
    if left:
        print("half way", flush=True)
        sys.stdin.read()

back_up(Path(sys.argv[1]), Path(sys.argv[2]), told=stop)
"""


def test_killed_half_way_it_leaves_nothing_under_the_name_and_the_next_one_tidies_up(
    store: Store, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    words = [sys.executable, "-c", HALF_WAY, str(tmp_path / "castiron.db"), str(target)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        with pytest.raises(Exception, match=r"another backup to .* is going on"):
            back_up(tmp_path / "castiron.db", target)
        process.kill()
        process.wait()

    assert not target.exists()
    assert (tmp_path / "copy.partial").exists()
    copied = back_up(tmp_path / "castiron.db", target)

    assert copied.seq == store.latest_seq() == EventSeq(60)
    assert check(target, tmp_path / "castiron.db.key").findings == []
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy"]
