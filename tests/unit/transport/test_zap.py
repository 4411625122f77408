"""Handshakes are judged as RFC 27 says, and whatever is not one is denied."""

from collections.abc import Sequence

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from zmq.utils import z85

from castiron.transport.doors.zap import DOMAIN, VERSION, Gate, Verdict, judge
from castiron.transport.keys.allowlist import Allowed, AllowList
from castiron.transport.vocabulary import Role

KEY, OTHER = (zmq.curve_keypair()[0] for _ in range(2))
ALLOWED = AllowList([Allowed(name="alice", role=Role.READER, public_key=KEY.decode())])


def request(*, key: bytes = z85.decode(KEY), **changes: bytes) -> list[bytes]:
    fields = {
        "version": VERSION,
        "id": b"1",
        "domain": DOMAIN,
        "address": b"127.0.0.1",
        "identity": b"",
        "by": b"CURVE",
    }
    return [*(fields | changes).values(), key]


def test_a_key_of_the_list_is_let_in_and_is_the_user_id() -> None:
    verdict = judge(request(), ALLOWED)

    assert verdict == Verdict((VERSION, b"1", b"200", b"OK", KEY, b""), KEY.decode(), "127.0.0.1", is_let_in=True)


def test_another_key_is_denied_for_good_so_that_its_owner_is_told() -> None:
    verdict = judge(request(key=z85.decode(OTHER)), ALLOWED)

    assert (verdict.reply[2], verdict.reply[4], verdict.is_let_in) == (b"400", b"", False)
    assert verdict.public_key == OTHER.decode()


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [VERSION],
        request()[:-1],
        [*request(), b"more"],
        request(version=b"2.0"),
        request(domain=b""),
        request(by=b"NULL"),
        request(by=b"PLAIN"),
        request(key=b""),
        request(key=KEY),
        request(key=b"x" * 31),
        request(address=b"\xff\xfe"),
    ],
)
def test_what_is_not_what_we_asked_for_is_denied(frames: list[bytes]) -> None:
    verdict = judge(frames, AllowList())

    assert not verdict.is_let_in
    assert verdict.reply[2] in {b"400", b"500"}
    assert len(verdict.reply) == 6


@settings(deadline=None)
@given(st.lists(st.binary(max_size=64) | st.sampled_from(request()), max_size=9))
def test_only_the_one_true_request_is_let_in(frames: Sequence[bytes]) -> None:
    verdict = judge(frames, ALLOWED)

    is_true = len(frames) == 7 and [frames[at] for at in (0, 2, 5, 6)] == [request()[at] for at in (0, 2, 5, 6)]
    assert verdict.is_let_in == is_true
    assert verdict.reply[2] == (b"200" if is_true else verdict.reply[2])
    assert verdict.reply[4] == (KEY if is_true else b"")


def test_a_gate_answers_garbage_and_goes_on() -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    gate = Gate(context)
    asker = context.socket(zmq.DEALER)
    asker.connect("inproc://zeromq.zap.01")
    denied: list[Verdict] = []
    for frames in ([], [b""], [b"x" * 1000] * 20, request(), request(key=z85.decode(OTHER))):
        asker.send_multipart([b"", *(frames or [b""])])

    gate.turn(ALLOWED, denied.append)

    codes = [asker.recv_multipart()[3] for _ in range(5)]
    assert codes == [b"500", b"500", b"500", b"200", b"400"]
    assert len(denied) == 4
    assert gate.let_in == {KEY.decode()}
    asker.close(linger=0)
    gate.close()
    context.term()
