"""Endpoints: the default, and what may be used."""

import socket
from pathlib import Path

import pytest

from castiron.transport.clients.awaitable.conversation import AwaitableConversation
from castiron.transport.clients.blocking.conversation import BlockingConversation
from castiron.transport.endpoint import (
    MAX_PATH_BYTES,
    Endpoint,
    default_endpoint,
    parse_endpoint,
    probe,
    unanswered,
    why_silent,
)
from castiron.transport.errors import EndpointRefused


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({"CASTIRON_ENDPOINT": "tcp://127.0.0.1:1", "XDG_RUNTIME_DIR": "/run/user/1"}, "tcp://127.0.0.1:1"),
        ({"XDG_RUNTIME_DIR": "/run/user/1", "HOME": "/home/u"}, "ipc:///run/user/1/castiron/conductor.ipc"),
        ({"CASTIRON_ENDPOINT": "", "HOME": "/home/u"}, "ipc:///home/u/.castiron/conductor.ipc"),
    ],
)
def test_the_default_is_what_the_environment_makes_it(environment: dict[str, str], endpoint: str) -> None:
    assert default_endpoint(environment) == endpoint


def test_without_a_home_the_system_knows_one() -> None:
    assert default_endpoint({}) == f"ipc://{Path.home()}/.castiron/conductor.ipc"


@pytest.mark.parametrize(
    ("text", "endpoint", "shown"),
    [
        ("ipc:///a/b", Endpoint(path="/a/b"), "ipc:///a/b"),
        ("tcp://127.0.0.1:80", Endpoint(address="127.0.0.1", port=80), "tcp://127.0.0.1:80"),
        ("tcp://127.9.8.7:65535", Endpoint(address="127.9.8.7", port=65535), "tcp://127.9.8.7:65535"),
        ("tcp://localhost:*", Endpoint(address="127.0.0.1", port=0), "tcp://127.0.0.1:0"),
        ("tcp://[::1]:0", Endpoint(address="::1", port=0), "tcp://[::1]:0"),
        ("tcp://*:5570", Endpoint(address="0.0.0.0", port=5570), "tcp://0.0.0.0:5570"),
        ("tcp://[::]:5570", Endpoint(address="::", port=5570), "tcp://[::]:5570"),
        ("tcp://192.0.2.7:1", Endpoint(address="192.0.2.7", port=1), "tcp://192.0.2.7:1"),
        ("tcp://[fe80::1%eth0]:1", Endpoint(address="fe80::1%eth0", port=1), "tcp://[fe80::1%eth0]:1"),
        ("tcp://conductor.example.org:1", Endpoint(address="conductor.example.org", port=1), None),
    ],
)
def test_an_endpoint_is_read_and_shown(text: str, endpoint: Endpoint, shown: str | None) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == (shown or text)


@pytest.mark.parametrize(
    ("told", "reached", "seen"),
    [
        ("tcp://0.0.0.0:2", "tcp://192.0.2.7:1", "tcp://192.0.2.7:2"),
        ("tcp://[::]:2", "tcp://example.org:1", "tcp://example.org:2"),
        ("tcp://192.0.2.8:2", "tcp://192.0.2.7:1", "tcp://192.0.2.8:2"),
        ("ipc:///a", "ipc:///b", "ipc:///a"),
    ],
)
def test_a_conductor_that_listens_everywhere_is_found_where_it_was_reached(told: str, reached: str, seen: str) -> None:
    assert str(parse_endpoint(told).seen_from(parse_endpoint(reached))) == seen


@pytest.mark.parametrize(
    "text",
    [
        *("", "conductor", "udp://127.0.0.1:1", "inproc://a", "ipc://", "ipc://@abstract", "ipc://*", "ipc://a\0b"),
        *("tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1"),
        *("tcp://127.0.0.1:٣", "tcp://127.0.0.1:" + "9" * 5000, "tcp://:1", "tcp://a b:1", "tcp://-a:1", "tcp://a/b:1"),
        *("tcp://[::g]:1", "tcp://" + "a" * 300 + ":1", "tcp://é:1", "tcp://a;eth0:1"),
    ],
)
def test_what_must_not_be_used_is_refused_and_the_right_form_shown(text: str) -> None:
    with pytest.raises(EndpointRefused, match=r"tcp://127\.0\.0\.1:PORT") as caught:
        parse_endpoint(text)

    assert caught.value.details == {"endpoint": text}


def test_a_path_that_the_kernel_would_cut_is_refused() -> None:
    longest = "/" + "é" * ((MAX_PATH_BYTES - 1) // 2)

    assert parse_endpoint(f"ipc://{longest}").path == longest
    with pytest.raises(EndpointRefused, match="shorter"):
        parse_endpoint(f"ipc://{longest}x")


def test_it_is_seen_whether_somebody_listens(tmp_path: Path) -> None:
    endpoint = Endpoint(path=str(tmp_path / "door"))
    assert isinstance(probe(endpoint), FileNotFoundError)
    assert "castiron serve" in why_silent(endpoint)
    with socket.socket(socket.AF_UNIX) as stream:
        stream.bind(str(endpoint.path))
        assert isinstance(probe(endpoint), ConnectionRefusedError)
        stream.listen()
        assert probe(endpoint) is None
        assert "does not answer" in why_silent(endpoint)


def test_it_is_seen_whether_somebody_listens_on_tcp() -> None:
    with socket.socket() as stream:
        stream.bind(("127.0.0.1", 0))
        endpoint = Endpoint(address="127.0.0.1", port=stream.getsockname()[1])
        assert probe(endpoint) is not None
        stream.listen()
        assert probe(endpoint) is None


def test_on_a_loop_a_silent_endpoint_is_looked_at_on_this_machine_only_and_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[float | None] = []
    settimeout = socket.socket.settimeout

    def watched(self: socket.socket, timeout_s: float | None) -> None:
        waits.append(timeout_s)
        settimeout(self, timeout_s)

    monkeypatch.setattr(socket.socket, "settimeout", watched)
    for elsewhere in ("tcp://conductor.example:4711", "tcp://192.0.2.1:4711"):
        assert "was not looked at" in why_silent(parse_endpoint(elsewhere), may_block=False)
    assert waits == []

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        here = [f"ipc://{tmp_path}/nobody.ipc", f"tcp://127.0.0.1:{held.getsockname()[1]}"]
        told = [why_silent(parse_endpoint(one), may_block=False) for one in here]

    assert all(one.startswith("Nothing listens there") for one in told), told
    assert waits == [0, 0]


def test_what_an_awaitable_client_says_of_a_silent_conductor_is_told_without_waiting(tmp_path: Path) -> None:
    assert not AwaitableConversation.may_block
    assert BlockingConversation.may_block
    told = unanswered(parse_endpoint(f"ipc://{tmp_path}/nobody.ipc"), "Nothing was sent", None, may_block=False)

    assert told.message.startswith(f"Nothing was sent (endpoint ipc://{tmp_path}/nobody.ipc). Nothing listens there")
