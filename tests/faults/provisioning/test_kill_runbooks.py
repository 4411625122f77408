"""kill -9 around runbooks: what was answered for is on disk, and a request goes on with the steps that it was given."""

from collections.abc import Generator
from pathlib import Path

import pytest

from castiron.transport.clients.provisioning.runbooks import changed_runbook, new_runbook
from castiron.transport.errors import ConductorOverloaded, RunbookNotFound, StoreUnavailable
from castiron.transport.replies import RunbookView
from castiron.transport.vocabulary import EventSeq, EventType, RunbookUUID
from tests.faults.provisioning.test_kill import PluginProcess
from tests.support.conductor_process import Audit, opened
from tests.support.deadline import until
from tests.support.moving import Story
from tests.support.step_plugin import installed, notes

HUSH = "correct-horse-battery-staple"
BOOK = "CUSTOM_BOOK"


class World:
    """A store, a file of notes, a gate that a step waits at, and one conductor after the other."""

    def __init__(self, folder: Path) -> None:
        installed(folder)
        self.store = folder / "castiron.db"
        self.trace = folder / "trace"
        self.gate = folder / "gate"
        self.gate.touch()
        self._endpoint = f"ipc://{folder}/c.ipc"

    def conductor(self) -> PluginProcess:
        return PluginProcess(self.store, self._endpoint, sync_power_state_interval_s=0.0)


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    world = World(tmp_path)
    yield world
    assert not any(HUSH.encode() in one.read_bytes() for one in tmp_path.iterdir() if one.is_file())


@pytest.mark.parametrize("answered", [1, 40])
def test_what_was_answered_for_is_on_disk_with_its_event(world: World, answered: int) -> None:
    password = {"path": str(world.trace), "password": HUSH}
    steps = [{"interface": "test", "step": "set_password", "args": password}]
    views: list[RunbookView] = []
    with world.conductor() as conductor, conductor.client() as client:
        for _, outcome in client.send_many(new_runbook(f"CUSTOM_{number}", steps) for number in range(200)):
            if isinstance(outcome, RunbookView):
                views.append(outcome)
            if len(views) == answered:
                break
        conductor.kill()

    with opened(world.store) as store:
        kept = {record.uuid: record for record in store.runbooks()}
        Audit(store).check()
        told = [event.draft for event in store.events(since=EventSeq(0), limit=1000)]
    assert len(views) == answered
    for view in views:
        record = kept[RunbookUUID(view.uuid)]
        assert record.secrets == {"0": {"password": HUSH}}
        assert (record.name, record.revision) == (view.name, 1)
    assert {draft.payload["uuid"] for draft in told if draft.type is EventType.RUNBOOK_CREATE_END} == {*kept}


def test_a_request_goes_on_with_the_steps_of_a_runbook_that_is_gone(world: World) -> None:
    gated = {"path": str(world.trace), "gate": str(world.gate)}
    secret = {"path": str(world.trace), "password": HUSH}
    with world.conductor() as conductor, conductor.client() as client:
        story = Story(client)
        steps = [
            {"interface": "test", "step": "twice", "args": gated},
            {"interface": "test", "step": "set_password", "args": secret},
        ]
        client.runbooks.create(BOOK, steps)
        story.node("n1", traits=[BOOK])
        request = client.provision.set("n1", "deploy", runbook=BOOK)
        until(lambda: notes(world.trace) == ["twice"])
        client.runbooks.delete(BOOK)
        conductor.kill()
    world.gate.unlink()

    with world.conductor() as conductor, conductor.client() as client:
        ended = client.requests.wait(request.id, 30)
        assert (ended.state, ended.view.runbook) == ("succeeded", BOOK), ended.view
        with pytest.raises(RunbookNotFound):
            client.runbooks.show(BOOK)
        conductor.stop()
    assert notes(world.trace) == ["twice", "twice", HUSH[::-1]]


def test_a_disk_that_is_full_refuses_a_runbook_whole_and_takes_it_later(world: World) -> None:
    with world.conductor() as conductor, conductor.client() as client:
        client.runbooks.create(BOOK, ["hold"])
        conductor.limit_files(1)
        verbs = [changed_runbook(BOOK, None, extra={"number": number}) for number in range(5)]
        outcomes = [outcome for _, outcome in client.send_many(verbs)]
        assert all(isinstance(outcome, StoreUnavailable | ConductorOverloaded) for outcome in outcomes), outcomes
        assert any(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        assert (client.runbooks.show(BOOK).extra, client.runbooks.show(BOOK).revision) == ({}, 1)
        conductor.limit_files(None)

        made = client.runbooks.set(BOOK, description="room again")

        assert client.runbooks.show(BOOK) == made
        conductor.stop()
    with opened(world.store) as store:
        assert [record.description for record in store.runbooks()] == ["room again"]
