"""Receivers that are down, slow, wrong or hostile: nobody else waits for them, and nothing is lost silently."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from castiron.store.store import Store
from castiron.transport.clients.blocking.client import Client
from tests.faults.webhooks.conftest import FAST, House
from tests.support.conductor_process import opened
from tests.support.deadline import until
from tests.support.receiver import OK, SECRET, Receiver, Taken, key_file, receiving

ROOT = Path(__file__).parents[3]


@pytest.fixture
def port() -> int:
    """A port where nobody listens, for now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_receiver_that_is_down_at_first_is_called_once_it_is_up(house: House, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with house(url) as client:
        first = client.nodes.power("n1", "power on", callback_url=url)
        until(lambda: client.status().webhooks["failed"] >= 2)
        second = client.nodes.power("n1", "power off", callback_url=url)
        assert client.status().webhooks["failing"] == 1
        second.wait(timeout_s=10)
        with receiving(port) as receiver:
            until(lambda: len(receiver.taken) == 2)
            until(lambda: client.status().webhooks["waiting"] == 0)

    assert [one.told["request"] for one in receiver.taken] == [first.id, second.id]
    assert receiver.taken[0].told["attempt"] >= 3


BAD: dict[str, bytes] = {
    "500": b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 307 There\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
    "moved": b"HTTP/1.1 302 There\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "garbage": b"\x00\xff\r\n\r\n hello",
    "nothing": b"",
    "half": b"HTTP/1.1 20",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "huge header": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_an_answer_that_is_no_yes_is_tried_again(house: House, receiver: Receiver, kind: str) -> None:
    def answer(_: Taken) -> bytes:
        return BAD[kind] if len(receiver.taken) < 3 else OK

    receiver.answer = answer
    with house(receiver.url) as client:
        client.nodes.power("n1", "power on", callback_url=receiver.url + "/here")
        until(lambda: client.status().webhooks["delivered"] == 1)

    assert [one.told["attempt"] for one in receiver.taken] == [1, 2, 3]
    assert {one.headers["webhook-id"] for one in receiver.taken} == {receiver.taken[0].told["delivery"]}
    assert {one.path for one in receiver.taken} == {"/here"}
    assert all(one.is_signed_with(SECRET) for one in receiver.taken)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil I close",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nok",
    ],
)
def test_a_yes_counts_however_its_body_goes_on(house: House, receiver: Receiver, answer: bytes) -> None:
    receiver.answer, receiver.is_endless = answer, not answer.endswith(b"ok")
    with house(receiver.url) as client:
        for target in ("power on", "power off"):
            client.nodes.power("n1", target, callback_url=receiver.url).wait(timeout_s=10)
        until(lambda: client.status().webhooks["delivered"] == 2)

    assert [one.told["attempt"] for one in receiver.taken] == [1, 1]
    assert not any("cookie" in one.headers for one in receiver.taken)


def test_a_receiver_that_hangs_delays_neither_power_nor_other_receivers(house: House, receiver: Receiver) -> None:
    receiver.stall.clear()
    with receiving() as other, house(receiver.url, other.url, webhook_timeout_s=30.0) as client:
        for number in range(8):
            client.nodes.create(f"m{number}", driver="fake", driver_info={})
        for number in range(8):
            client.nodes.power(f"m{number}", "power on", callback_url=receiver.url).wait(timeout_s=10)
        for number in range(8):
            request = client.nodes.power(f"m{number}", "power off", callback_url=other.url)
            assert request.wait(timeout_s=10).state == "succeeded"
        until(lambda: client.status().webhooks["delivered"] == 8)
        assert len(other.taken) == 8
        figures = client.status().webhooks
        assert (figures["in_flight"], figures["waiting"], figures["delivered"]) == (1, 8, 8)
        assert len(receiver.taken) == 1


def test_a_receiver_that_hangs_is_left_after_its_time(house: House, receiver: Receiver) -> None:
    receiver.stall.clear()
    with house(receiver.url, webhook_timeout_s=0.2) as client:
        client.nodes.power("n1", "power on", callback_url=receiver.url)
        until(lambda: len(receiver.taken) >= 2)
        receiver.stall.set()
        until(lambda: client.status().webhooks["delivered"] == 1)


def test_what_is_given_up_is_told_by_an_event_and_the_log(
    house: House, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = BAD["500"]
    caplog.set_level(logging.INFO)
    with house(receiver.url, webhook_give_up_after_s=1.0) as client, client.events(since=0) as stream:
        request = client.nodes.power("n1", "power on", callback_url=receiver.url + "/x?token=hush")
        event = next(event for event in stream if event.type == "request.webhook.error")
        until(lambda: client.status().webhooks["given_up"] == 1)
        assert client.status().webhooks["waiting"] == 0
        view = client.requests.show(request.id).view

    assert (event.request, event.node, event.node_uuid) == (request.id, None, None)
    assert event.payload == {
        "node": "n1",
        "node_uuid": view.node_uuid,
        "verb": "node.power.set",
        "state": "succeeded",
        "delivery": f"{request.id}.1",
        "url": receiver.url + "/x?******",
        "attempts": len(receiver.taken),
        "reason": "status 500",
    }
    (line,) = [record for record in caplog.records if "request.webhook.error" in record.getMessage()]
    assert line.levelno == logging.WARNING
    for secret in ("hush", SECRET):
        assert secret not in caplog.text


def test_too_many_cost_the_oldest_and_are_told(house: House, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with house(url, webhook_max_waiting=2, webhook_retry_initial_s=30.0, webhook_retry_max_s=60.0) as client:
        requests = [client.nodes.power("n1", "rebooting", callback_url=url) for _ in range(1)]
        for request in requests:
            request.wait(timeout_s=10)
        for target in ("power off", "power on", "power off"):
            requests.append(client.nodes.power("n1", target, callback_url=url))
            requests[-1].wait(timeout_s=10)
        until(lambda: client.status().webhooks["dropped"] == 2)
        with client.events(since=0) as stream:
            told = [next(event for event in stream if event.type == "request.webhook.error") for _ in range(2)]

    assert [event.request for event in told] == [request.id for request in requests[:2]]
    assert all("webhook_max_waiting" in event.payload["reason"] for event in told)


def owed(path: Path) -> list[Any]:
    with opened(path) as store:
        return store.outbox()


@contextmanager
def serving(folder: Path, prefix: str, **changes: float) -> Generator["subprocess.Popen[str]"]:
    """Run `castiron serve` as an operator does."""
    values = {**FAST, "webhook_allowed_prefixes": prefix, "webhook_key_file": key_file(folder), **changes}
    words = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "castiron", "-v", "serve", "--store", str(folder / "castiron.db"), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = (folder / "log").open("a")
    with (
        log,
        subprocess.Popen(
            [*command, "--listen", f"ipc://{folder}/c.ipc"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("castiron: conductor "), (folder / "log").read_text()
            yield process
            process.terminate()
            process.wait(20)
        finally:
            process.kill()


@pytest.mark.slow
def test_a_kill_between_the_end_and_the_call_loses_no_call(tmp_path: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with serving(tmp_path, url) as process, Client(f"ipc://{tmp_path}/c.ipc") as client:
        client.nodes.create("n1", driver="fake", driver_info={})
        request = client.nodes.power("n1", "power on", callback_url=url + "/hook?token=hush")
        assert request.wait(timeout_s=20).state == "succeeded"
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    (before,) = owed(tmp_path / "castiron.db")
    assert "hush" not in repr(before)

    with receiving(port) as receiver, serving(tmp_path, url), Client(f"ipc://{tmp_path}/c.ipc") as client:
        until(lambda: client.status().webhooks["delivered"] == 1, timeout_s=20)
        assert client.requests.show(request.id).state == "succeeded"

    (taken,) = receiver.taken
    assert taken.is_signed_with(SECRET)
    assert taken.headers["webhook-id"] == f"{request.id}.1"
    assert taken.told["attempt"] == before.attempts + 1
    assert taken.told["seq"] == before.seq > 0
    assert owed(tmp_path / "castiron.db") == []
    log = (tmp_path / "log").read_text()
    assert SECRET not in log
    assert "hush" not in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_kill_while_the_receiver_thinks_makes_the_same_call_again(tmp_path: Path, receiver: Receiver) -> None:
    receiver.stall.clear()
    with (
        serving(tmp_path, receiver.url, webhook_timeout_s=30.0) as process,
        Client(f"ipc://{tmp_path}/c.ipc") as client,
    ):
        client.nodes.create("n1", driver="fake", driver_info={})
        request = client.nodes.power("n1", "power on", callback_url=receiver.url)
        until(lambda: len(receiver.taken) == 1, timeout_s=20)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    receiver.stall.set()

    with serving(tmp_path, receiver.url), Client(f"ipc://{tmp_path}/c.ipc") as client:
        until(lambda: client.status().webhooks["delivered"] == 1, timeout_s=20)

    assert {one.headers["webhook-id"] for one in receiver.taken} == {f"{request.id}.1"}
    bodies = [{**json.loads(one.body), "sent_at": 0} for one in receiver.taken]
    assert bodies[0] == bodies[1]
    assert owed(tmp_path / "castiron.db") == []


def test_calls_wait_while_no_url_may_be_called(tmp_path: Path, house: House, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with house(url) as client:
        client.nodes.power("n1", "power on", callback_url=url).wait(timeout_s=10)
        until(lambda: client.status().webhooks["failed"] >= 1)
    with house() as client:
        assert client.status().webhooks == {}
    with receiving(port) as receiver, house(url) as client:
        until(lambda: client.status().webhooks["delivered"] == 1)
    assert len(receiver.taken) == 1


def test_what_is_owed_goes_with_its_request(tmp_path: Path, house: House, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    with house(url) as client:
        client.nodes.power("n1", "power on", callback_url=url).wait(timeout_s=10)
    with opened(tmp_path / "castiron.db") as store:
        assert len(store.outbox()) == 1
        assert prune(store).requests == 1
        assert store.outbox() == []


def prune(store: Store) -> Any:
    (request,) = store.requests(limit=5)
    assert request.ended_at is not None
    return store.prune_requests(type(request.ended_at)(request.ended_at + 1), 10)
