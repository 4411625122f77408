"""The stream of changes: live, resumed without a gap, through a restart of the conductor, and within its bounds."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from castiron.cli.web import listening
from castiron.cli.web.listening import PatientProtocol, bound, serve
from castiron.cli.web.routes import MAX_STREAMS
from tests.contracts.web.conftest import Story
from tests.contracts.web.serving import SOON_S, Told, Web, messages, serving
from tests.support.conductor_process import ConductorProcess
from tests.support.driven import driven


def until_told(stream: Iterator[Told], holds: Callable[[Told], bool]) -> list[Told]:
    """Read a stream until something is told; figures come every two seconds, whatever else does."""
    read: list[Told] = []
    for told in stream:
        read.append(told)
        if holds(told):
            return read
        assert len([one for one in read if one.kind == "status"]) < SOON_S, [
            one for one in read if one.kind != "status"
        ]
    raise AssertionError(read)


def shows(name: str, **fields: object) -> Callable[[Told], bool]:
    def holds(told: Told) -> bool:
        rows = (
            {row["name"]: row for row in told.content.get("nodes", [])} if told.kind in {"nodes", "everything"} else {}
        )
        return name in rows and fields.items() <= rows[name].items()

    return holds


def test_a_browser_has_everything_first_and_then_each_change(story: Story) -> None:
    with story.web.stream() as stream:
        first = next(stream)
        assert first.kind == "everything"
        assert {row["name"] for row in first.content["nodes"]} == {f"n{number}" for number in range(1, 7)}
        story.switch("n4", "power on")
        read = until_told(stream, shows("n4", power="power on"))
        read += until_told(stream, lambda told: told.kind == "events")

    assert [told.number for told in read] == list(range(first.number + 1, first.number + len(read) + 1))
    assert {told.kind for told in read} <= {"nodes", "events", "status"}


def test_a_node_that_is_made_renamed_and_deleted_comes_changes_and_goes(story: Story) -> None:
    with story.web.stream() as stream:
        next(stream)
        uuid = story.client.nodes.create("new", driver="fake").uuid
        until_told(stream, shows("new"))
        story.client.nodes.set("new", name="newer")
        until_told(stream, shows("newer"))
        story.client.nodes.delete("newer")
        until_told(stream, lambda told: told.kind == "nodes" and uuid in told.content["gone"])


def test_figures_come_by_themselves(story: Story) -> None:
    with story.web.stream() as stream:
        read = until_told(stream, lambda told: told.kind == "status" and told.content["checks_per_s"] is not None)

    figures = read[-1].content
    assert figures["nodes"]["total"] == 6
    assert figures["provision_states"] == {"enroll": 6}
    assert {"late_p99_ms", "lag", "queues", "at_bound", "bmcs", "store_state"} <= figures.keys()


def test_who_comes_back_is_told_exactly_what_was_missed(story: Story) -> None:
    with story.web.stream() as stream:
        next(stream)
        story.switch("n5", "power on")
        last = until_told(stream, shows("n5", power="power on"))[-1]
    story.switch("n5", "power off")

    with story.web.stream(last.id) as stream:
        read = until_told(stream, shows("n5", power="power off"))

    assert [told.number for told in read] == list(range(last.number + 1, last.number + len(read) + 1))
    assert "everything" not in {told.kind for told in read}


@pytest.mark.parametrize("last_id", ["", "other.1", "nonsense", "x" * 5000, "EPOCH.99999999", "EPOCH.-1", "EPOCH.²"])
def test_who_comes_back_with_what_is_not_this_servers_begins_anew(story: Story, last_id: str) -> None:
    with story.web.stream() as stream:
        epoch = next(stream).id.partition(".")[0]

    after = last_id.replace("EPOCH", epoch)
    with story.web.http.stream("GET", "/api/stream", params={"after": after}) as response:
        assert next(messages(response.iter_lines())).kind == "everything"


def test_all_browsers_share_one_watch(story: Story) -> None:
    with ExitStack() as several:
        streams = [several.enter_context(story.web.stream()) for _ in range(3)]
        before = story.client.status().transport["peers"]
        more = [several.enter_context(story.web.stream()) for _ in range(20)]
        for stream in [*streams, *more]:
            next(stream)
        assert story.client.status().transport["peers"] == before


def test_no_more_browsers_follow_than_there_is_room_for(story: Story) -> None:
    with serving(story.endpoint) as web, ExitStack() as many:
        for _ in range(MAX_STREAMS):
            begin_stream(many, web)
        refused = web.get("/api/stream")
        assert refused.status_code == 503
        assert refused.json()["error"]["retry_after_s"] == 5
        assert web.get("/api/fleet").status_code == 200, "those who only look are not in anybody's way"


def begin_stream(many: ExitStack, web: Web) -> None:
    line = many.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=SOON_S))
    line.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert line.recv(12) == b"HTTP/1.1 200"


def test_a_conductor_that_restarts_is_shown_to_be_away_and_outlived(tmp_path: Path) -> None:
    store, endpoint = tmp_path / "store.db", f"ipc://{tmp_path}/door"
    with ExitStack() as stack:
        first = stack.enter_context(ConductorProcess(store, endpoint))
        with first.client() as client:
            client.nodes.create("n1", driver="fake")
        web = stack.enter_context(serving(endpoint))
        stream = stack.enter_context(web.stream())
        assert shows("n1")(next(stream))
        until_told(stream, lambda told: told.kind == "status")
        first.kill()
        (away,) = until_told(stream, lambda told: told.kind == "away")[-1:]
        assert "code" in away.content
        with web.stream() as late:
            assert next(late).content["away"] is not None, "who comes meanwhile is told, too"
        assert web.get("/api/chosen", params={"range": "n1"}).status_code == 200, "what was seen last stays"

        second = stack.enter_context(ConductorProcess(store, endpoint))
        with second.client() as client:
            client.nodes.power("n1", "power on").wait(timeout_s=20)
        read = until_told(stream, shows("n1", power="power on"))
        if "status" not in {told.kind for told in read}:
            until_told(stream, lambda told: told.kind == "status")
        assert web.get("/api/fleet").json()["away"] is None
        uuid = web.get("/api/fleet").json()["nodes"][0]["uuid"]
        assert web.get(f"/api/nodes/{uuid}").json()["node"]["power_state"] == "power on"


def test_what_needs_the_conductor_says_so_while_it_is_away(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/door"
    with (
        ConductorProcess(tmp_path / "store.db", endpoint) as conductor,
        serving(endpoint, "--timeout", "0.5") as web,
    ):
        conductor.kill()
        answer = web.get("/api/nodes/n1")

    assert answer.status_code == 503
    assert answer.json()["error"]["message"]


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Answer without end."""
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await asyncio.sleep(0)


def test_a_conductor_that_stands_still_is_away_too(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/door"
    with (
        ConductorProcess(tmp_path / "store.db", endpoint) as conductor,
        serving(endpoint, "--timeout", "1") as web,
        web.stream() as stream,
    ):
        until_told(stream, lambda told: told.kind == "status")
        os.kill(conductor.pid, signal.SIGSTOP)
        until_told(stream, lambda told: told.kind == "away")
        os.kill(conductor.pid, signal.SIGCONT)
        until_told(stream, lambda told: told.kind == "status")


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, **patience: float) -> AsyncGenerator[int]:
    for name, seconds in patience.items():
        monkeypatch.setattr(PatientProtocol, name, seconds)
    monkeypatch.setattr(listening, "STOP_S", 1.0)
    with bound("127.0.0.1", 0) as line:
        server = asyncio.create_task(serve(endless, line, lambda: None))
        yield line.getsockname()[1]
        server.cancel()
        await asyncio.wait([server])


@driven
async def test_a_connection_on_which_nothing_is_asked_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, idle_s=0.1) as port:
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()


@driven
async def test_a_browser_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, stalled_s=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readexactly(12)
        await asyncio.sleep(0.5)
        while await reader.read(65_536):
            """Whatever was on the way; what it is sent has no end."""
        writer.close()


@driven
async def test_a_browser_that_reads_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch, stalled_s=0.2, idle_s=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ends_at = asyncio.get_running_loop().time() + 0.6
        while asyncio.get_running_loop().time() < ends_at:
            assert await reader.read(65_536)
        writer.close()
