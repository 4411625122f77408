"""The store's folder is moved away or replaced under a conductor: refused, told, and well again once it is back."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from castiron.store.errors import StoreUnwritable
from castiron.store.records import Commit
from castiron.store.store import Store
from castiron.transport.errors import StoreUnavailable
from castiron.transport.vocabulary import EventSeq
from tests.support.conductor_process import ConductorProcess, opened
from tests.support.deadline import until
from tests.support.store_records import counting_ids, creation, plain_node


def move(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replace_by_a_copy(folder: Path) -> None:
    move(folder)
    shutil.copytree(folder.with_name("elsewhere"), folder)


def replace_by_nothing(folder: Path) -> None:
    move(folder)
    folder.mkdir()


@pytest.mark.parametrize("harm", [move, replace_by_a_copy, replace_by_nothing])
def test_what_nobody_would_find_again_is_not_written(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    store = Store.open(folder / "castiron.db", key_path=None, new_id=counting_ids())
    (made,) = store.committer.commit([creation(plain_node(1))])
    harm(folder)

    (refused,) = store.committer.commit([creation(plain_node(2))])

    assert isinstance(made, Commit)
    assert isinstance(refused, StoreUnwritable)
    assert f"{folder / 'castiron.db'} is not there any more" in str(refused)
    assert [node.name for node in store.nodes()] == ["n1"]
    shutil.rmtree(folder, ignore_errors=True)
    (tmp_path / "elsewhere").rename(folder)
    (again,) = store.committer.commit([creation(plain_node(2))])
    assert isinstance(again, Commit)
    assert again.seq == made.seq + 1
    store.close()
    with opened(folder / "castiron.db") as left:
        assert [node.name for node in left.nodes()] == ["n1", "n2"]
        assert left.latest_seq() == EventSeq(2)


def test_a_conductor_whose_folder_is_moved_away_refuses_changes_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    folder.mkdir()
    with (
        ConductorProcess(folder / "c.db", f"ipc://{tmp_path}/c.ipc", sync_power_state_interval_s=0.2) as conductor,
        conductor.client() as client,
    ):
        client.nodes.create("n1", driver="fake")
        until(lambda: client.status().checks.agreed > 0)
        folder.rename(elsewhere)

        with pytest.raises(StoreUnavailable, match=r"is not there any more.* Nothing was changed") as refused:
            client.nodes.create("n2", driver="fake")
        with pytest.raises(StoreUnavailable):
            client.nodes.power("n1", "power on")

        assert refused.value.retry_after_s is not None
        assert "is not there any more" in client.status().store.state
        checks = client.status().checks.agreed
        until(lambda: client.status().checks.agreed > checks)
        elsewhere.rename(folder)
        until(lambda: client.nodes.power("n1", "power on").wait(timeout_s=10).state == "succeeded")
        assert client.nodes.create("n2", driver="fake").name == "n2"
        conductor.stop()
    with opened(folder / "c.db") as left:
        assert [node.name for node in left.nodes()] == ["n1", "n2"]
