"""Calls that a real conductor makes: once, signed, in order, with what became of the request."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodeBootDeviceSet, NodePowerSet
from castiron.transport.vocabulary import Policy, PowerTarget, RequestState, TraceWord
from tests.faults.webhooks.conftest import House
from tests.support.deadline import until
from tests.support.receiver import OTHER_SECRET, SECRET, Receiver, Taken, key_file

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "webhooks.md"


def settled(client: Client) -> bool:
    figures = client.status().webhooks
    return bool(figures["waiting"] == 0 and figures["in_flight"] == 0)


def ask(client: Client, verb: NodePowerSet | NodeBootDeviceSet) -> RequestView:
    ((_, view),) = client.send_many([verb])
    assert isinstance(view, RequestView), view
    return view


def test_a_request_that_succeeds_is_told_once_with_a_right_signature(house: House, receiver: Receiver) -> None:
    with house(receiver.url + "/hooks") as client:
        request = client.nodes.power("n1", "power on", callback_url=receiver.url + "/hooks/n1?token=hush")
        until(lambda: len(receiver.taken) == 1)
        until(lambda: settled(client))
        view = client.requests.show(request.id).view
        node = client.nodes.show("n1")
        status = client.status()
        (end,) = [e for e in client.nodes.history("n1") if e.type == "node.power_set.end"]

    (taken,) = receiver.taken
    assert taken.path == "/hooks/n1?token=hush"
    assert taken.headers["content-type"] == "application/json"
    assert taken.is_signed_with(SECRET)
    assert abs(int(taken.headers["webhook-timestamp"]) - time.time()) < 300
    assert taken.headers["webhook-id"] == taken.told["delivery"] == f"{request.id}.1"
    assert taken.told == {
        "delivery": f"{request.id}.1",
        "attempt": 1,
        "sent_at": taken.told["sent_at"],
        "conductor": status.conductor,
        "seq": end.seq,
        "request": request.id,
        "node": "n1",
        "node_uuid": node.uuid,
        "verb": "node.power.set",
        "state": "succeeded",
        "requester": view.requester,
        "accepted_at": view.accepted_at,
        "ended_at": view.ended_at,
        "result": view.result,
        "error": None,
        "power_state": "power on",
        "target_power_state": None,
    }
    assert status.webhooks["delivered"] == 1
    assert status.queues["webhooks"].setting == "webhook_max_waiting"
    assert view.callback_urls == [receiver.url + "/hooks/n1?******"]


def test_a_failure_is_told_with_its_error(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        client.nodes.create("n2", driver="fake", driver_info={"fake_fault": "credentials"})
        request = client.nodes.boot_device("n2", callback_url=receiver.url)
        until(lambda: len(receiver.taken) == 1)
        error = client.requests.show(request.id).view.error

    assert receiver.taken[0].told["state"] == "failed"
    assert receiver.taken[0].told["error"] == error
    assert receiver.taken[0].told["error"]["code"] == "bmc.credentials"


def test_however_a_request_ends_it_is_told(house: House, receiver: Receiver) -> None:
    url = receiver.url

    def power(target: PowerTarget, **terms: Any) -> NodePowerSet:
        return NodePowerSet(node="slow", target=target, callback_url=url, **terms)

    with house(url) as client:
        client.nodes.create("slow", driver="fake", driver_info={"fake_power_delay_s": "0.6"})
        running = ask(client, power(PowerTarget.ON))
        superseded = ask(client, power(PowerTarget.OFF, policy=Policy.AFTER))
        expired = ask(client, power(PowerTarget.REBOOT, policy=Policy.AFTER, deadline_at=time.time() + 0.2))
        until(lambda: client.requests.show(expired.id).state == "expired")
        last = ask(client, power(PowerTarget.SOFT_OFF, policy=Policy.SUPERSEDE))
        cancelled = ask(client, power(PowerTarget.ON, policy=Policy.AFTER))
        assert cancelled.id not in {running.id, last.id}
        client.nodes.set_maintenance("slow", reason="test")
        client.nodes.delete("slow", force=True)
        every = {one.id for one in (running, superseded, expired, last, cancelled)}
        until(lambda: {one.told["request"] for one in receiver.taken} == every)
        until(lambda: settled(client))
        states = {one: client.requests.show(one).state for one in every}

    assert {one.told["request"]: one.told["state"] for one in receiver.taken} == states
    assert {RequestState.EXPIRED, RequestState.CANCELLED, RequestState.FAILED} <= set(states.values())
    assert len(receiver.taken) == len(every)


def test_each_who_asked_for_the_same_is_called(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        client.nodes.create("slow", driver="fake", driver_info={"fake_power_delay_s": "0.4"})
        ids = {
            ask(client, NodePowerSet(node="slow", target=PowerTarget.ON, callback_url=f"{receiver.url}/{who}")).id
            for who in ("a", "b", "a")
        }
        until(lambda: len(receiver.taken) == 2)
        until(lambda: settled(client))

    assert len(ids) == 1
    assert sorted((one.path, one.headers["webhook-id"][-2:]) for one in receiver.taken) == [("/a", ".1"), ("/b", ".2")]


def test_a_requests_trace_tells_of_its_calls(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        request = client.nodes.power("n1", "power on", callback_url=receiver.url + "/hooks?token=hush")
        until(lambda: client.requests.trace(request.id).entries[-1].word is TraceWord.DELIVERED)
        trace = client.requests.trace(request.id).entries

    ended, called, delivered = trace[-3:]
    assert ended.word is TraceWord.ENDED
    assert (called.word, called.count) == (TraceWord.CALLED, 1)
    assert 200 <= called.details["status"] < 300
    assert called.details["host"] == receiver.url
    assert delivered.details == {"delivery": f"{request.id}.1"}
    assert "hush" not in str(trace)


def test_calls_come_in_the_order_of_their_events(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        for number in range(20):
            client.nodes.create(f"m{number}", driver="fake", driver_info={"fake_latency_s": "0.001,0.02"})
        verbs = [NodePowerSet(node=f"m{n}", target=PowerTarget.ON, callback_url=receiver.url) for n in range(20)]
        assert all(isinstance(view, RequestView) for _, view in client.send_many(verbs))
        until(lambda: len(receiver.taken) == 20)

    seqs = [one.told["seq"] for one in receiver.taken]
    assert seqs == sorted(seqs)


@pytest.mark.parametrize("url", ["/hooksx", "/hooks/../x", ""])
def test_what_is_not_allowed_is_refused_before_anything_is_stored(house: House, receiver: Receiver, url: str) -> None:
    with house(receiver.url + "/hooks") as client:
        with pytest.raises(ArgumentInvalid, match="callback_url: ") as refused:
            client.nodes.power("n1", "power on", callback_url=receiver.url + url)
        assert refused.value.details["path"] == "$.callback_url"
        assert not client.requests.list()


def test_where_nothing_is_allowed_the_refusal_says_what_to_set(house: House, receiver: Receiver) -> None:
    with house() as client:
        with pytest.raises(ArgumentInvalid, match="webhook_allowed_prefixes"):
            client.nodes.power("n1", "power on", callback_url=receiver.url)
        assert client.status().webhooks == {}
        assert "webhooks" not in client.status().threads


def test_a_receiver_may_check_with_either_secret_while_one_takes_over(
    house: House, receiver: Receiver, tmp_path: Path
) -> None:
    with house(receiver.url, webhook_key_file=str(key_file(tmp_path, SECRET, OTHER_SECRET))) as client:
        client.nodes.power("n1", "power on", callback_url=receiver.url)
        until(lambda: len(receiver.taken) == 1)

    assert receiver.taken[0].is_signed_with(SECRET)
    assert receiver.taken[0].is_signed_with(OTHER_SECRET)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guides_python_checks_a_real_call(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        client.nodes.power("n1", "power on", callback_url=receiver.url)
        until(lambda: len(receiver.taken) == 1)
    (taken,) = receiver.taken
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)

    assert names["checked"](taken.headers, taken.body, f"whsec_{SECRET}", now=time.time())["node"] == "n1"
    for wrong in (
        (taken.headers, taken.body + b" ", f"whsec_{SECRET}", time.time()),
        (taken.headers, taken.body, f"whsec_{OTHER_SECRET}", time.time()),
        (taken.headers, taken.body, f"whsec_{SECRET}", time.time() + 301),
        ({**taken.headers, "webhook-id": "other"}, taken.body, f"whsec_{SECRET}", time.time()),
    ):
        with pytest.raises(ValueError, match=r"."):
            names["checked"](*wrong[:3], now=wrong[3])


def test_the_guides_openssl_makes_the_same_signature(house: House, receiver: Receiver, tmp_path: Path) -> None:
    with house(receiver.url) as client:
        client.nodes.power("n1", "power on", callback_url=receiver.url)
        until(lambda: len(receiver.taken) == 1)
    taken: Taken = receiver.taken[0]
    (tmp_path / "body.json").write_bytes(taken.body)
    (script,) = [one for one in blocks("bash") if "openssl dgst" in one]
    environment = {
        "PATH": "/usr/bin:/bin",
        "ID": taken.headers["webhook-id"],
        "TIMESTAMP": taken.headers["webhook-timestamp"],
        "SECRET": f"whsec_{SECRET}",
    }

    made = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, check=True)

    assert made.stdout.decode().strip() == taken.headers["webhook-signature"]


def test_the_command_line_asks_to_be_called(house: House, receiver: Receiver) -> None:
    with house(receiver.url) as client:
        words = ["node", "power", "on", "n1", "--wait", "--callback-url", receiver.url + "/cli", "--format", "json"]
        made = subprocess.run(
            [sys.executable, "-m", "castiron", *words, "--endpoint", client.endpoint],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert made.returncode == 0, made.stderr
        until(lambda: len(receiver.taken) == 1)

    assert receiver.taken[0].path == "/cli"
    assert json.dumps(receiver.taken[0].told["request"])[1:-1] in made.stdout
