"""Forged answers are wrong in the one way that they say, and look right in all others."""

import random
import struct
from dataclasses import dataclass

import pytest

from castiron.testing.bmc import Faults, Forgery
from castiron.testing.bmc.forgery import LATE_S, forge
from castiron.testing.bmc.wire.suite import SUITES, Seal
from tests.support.bmc_bench import SOURCE, Bench, make_bench
from tests.support.console import (
    ALGORITHMS,
    CODE_BYTES,
    CONSOLE_ID,
    Console,
    Silent,
    ipmi_message,
    open_request,
    plus,
    sessionless,
)

STATUS_OFF = b"\x00\x20\x00\x40"
PROBE = sessionless(6, 0x38, b"\x8e\x04")
PLAIN = plus(0x00, ipmi_message(6, 0x38, b"\x8e\x04"))
OPEN = open_request(ALGORITHMS[17])
SUITE_IDS = [3, 17]


@dataclass
class Opened:
    """A sealed datagram, taken apart by its console."""

    is_genuine: bool
    session_id: int
    sequence: int
    message: bytes


def opened(console: Console, datagram: bytes) -> Opened:
    cut = len(datagram) - CODE_BYTES[console.suite]
    is_genuine = datagram[cut:] == console.hmac(console.k1, datagram[4:cut])[: CODE_BYTES[console.suite]]
    kind, payload_type, session_id, sequence, length = struct.unpack_from("<BBIIH", datagram, 4)
    assert (kind, payload_type) == (6, 0xC0)
    plain = console._cipher(datagram[16:32]).decryptor().update(datagram[32 : 16 + length])
    message = plain[: -plain[-1] - 1]
    assert sum(message[:3]) & 0xFF == sum(message[3:]) & 0xFF == 0
    return Opened(is_genuine, session_id, sequence, message)


def logged_in(bench: Bench, suite: int = 17) -> Console:
    console = Console(bench.exchange, suite=suite)
    console.login()
    return console


def forged(bench: Bench, console: Console, *forgeries: Forgery) -> bytes:
    """Return what a forger answers to Get Chassis Status."""
    bench.bmc.faults = Faults(forgeries=forgeries)
    answer = bench.exchange(console.seal(ipmi_message(0, 1)))
    assert answer is not None
    return answer


@pytest.mark.parametrize("suite", SUITE_IDS)
class TestInsideASession:
    def test_another_session_s_id_is_sealed_with_this_session_s_keys(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)

        answer = opened(console, forged(bench, console, Forgery.SESSION))

        assert answer.session_id not in {0, CONSOLE_ID}
        assert (answer.is_genuine, answer.sequence, answer.message[6:-1]) == (True, 2, STATUS_OFF)

    def test_the_other_session_is_a_real_one_where_there_is_one(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)
        logged_in(bench)
        for session, session_id in zip(bench.bmc.device.sessions, (CONSOLE_ID, 77), strict=True):
            session.console_id = session_id

        assert opened(console, forged(bench, console, Forgery.SESSION)).session_id == 77

    def test_a_sequence_number_is_far_outside_the_window(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)

        answers = [opened(console, forged(bench, console, Forgery.SEQUENCE)) for _ in range(50)]

        assert all(answer.is_genuine and answer.session_id == CONSOLE_ID for answer in answers)
        far = [min(answer.sequence, -answer.sequence & 0xFFFF_FFFF) for answer in answers if answer.sequence]
        assert min(far) > 1000
        assert 0 < len(far) < 50

    def test_an_answer_to_another_request_has_the_other_one_s_number(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)

        answer = opened(console, forged(bench, console, Forgery.REQUEST))

        assert (answer.is_genuine, answer.session_id, answer.sequence) == (True, CONSOLE_ID, 2)
        assert answer.message[4] >> 2 != 0
        assert answer.message[4] & 3 == 0
        assert answer.message[6:-1] == STATUS_OFF

    def test_wrong_integrity_is_the_right_answer_with_a_wrong_proof(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)

        answer = opened(console, forged(bench, console, Forgery.INTEGRITY))

        assert (answer.is_genuine, answer.session_id, answer.sequence) == (False, CONSOLE_ID, 2)
        assert answer.message[6:-1] == STATUS_OFF

    def test_a_truncated_answer_is_the_beginning_of_the_right_one(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)
        whole = len(bench.exchange(console.seal(ipmi_message(0, 1))) or b"")

        lengths = {len(forged(bench, console, Forgery.TRUNCATED)) for _ in range(200)}

        assert max(lengths) == whole - 1
        assert min(lengths) < 5

    def test_a_late_answer_is_right_and_minutes_late(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)

        answer = forged(bench, console, Forgery.LATE)

        assert console.unseal(answer) == STATUS_OFF
        assert bench.delay_s == LATE_S >= 60

    def test_a_forger_carries_out_what_it_is_asked(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)
        bench.bmc.faults = Faults(forgeries=tuple(Forgery))

        assert bench.exchange(console.seal(ipmi_message(0, 2, b"\x01"))) is not None

        assert bench.bmc.device.chassis.control_count == 1

    def test_the_end_of_a_session_can_be_forged_too(self, bench: Bench, suite: int) -> None:
        console = logged_in(bench, suite)
        bench.bmc.faults = Faults(forgeries=(Forgery.SESSION,))

        answer = bench.exchange(console.seal(ipmi_message(6, 0x3C, struct.pack("<I", console.managed_id))))

        assert answer is not None
        assert opened(console, answer).session_id != CONSOLE_ID
        assert bench.bmc.device.sessions.established(bench.now) == []


def difference(request: bytes, forgery: Forgery) -> set[int]:
    """Return where a forged answer differs from the right one."""
    right = make_bench().exchange(request)
    wrong = make_bench(faults=Faults(forgeries=(forgery,))).exchange(request)
    assert right is not None
    assert wrong is not None
    assert len(right) == len(wrong)
    return {at for at, (one, other) in enumerate(zip(right, wrong, strict=True)) if one != other}


class TestOutsideASession:
    @pytest.mark.parametrize(
        ("request_", "forgery", "where"),
        [
            (PROBE, Forgery.SESSION, {9, 10, 11, 12}),
            (PROBE, Forgery.SEQUENCE, {5, 6, 7, 8}),
            (PROBE, Forgery.REQUEST, {18, 29}),
            (PROBE, Forgery.INTEGRITY, {29}),
            (PLAIN, Forgery.SESSION, {6, 7, 8, 9}),
            (PLAIN, Forgery.SEQUENCE, {10, 11, 12, 13}),
            (PLAIN, Forgery.REQUEST, {20, 31}),
            (PLAIN, Forgery.INTEGRITY, {31}),
            (OPEN, Forgery.SESSION, {20, 21, 22, 23}),
            (OPEN, Forgery.SEQUENCE, {16}),
            (OPEN, Forgery.REQUEST, {16}),
            (OPEN, Forgery.INTEGRITY, {51}),
            (OPEN, Forgery.LATE, set[int]()),
        ],
        ids=str,
    )
    def test_the_same_fields_are_wrong(self, request_: bytes, forgery: Forgery, where: set[int]) -> None:
        assert difference(request_, forgery) == where

    def test_a_forged_message_has_checksums_that_fit(self) -> None:
        answer = make_bench(faults=Faults(forgeries=(Forgery.REQUEST,))).exchange(PROBE)

        assert answer is not None
        assert sum(answer[14:17]) & 0xFF == sum(answer[17:]) & 0xFF == 0


def test_as_many_answers_are_forged_as_asked_for(bench: Bench) -> None:
    console = logged_in(bench)
    bench.bmc.faults = Faults(forgeries=(Forgery.INTEGRITY,), forge_percent=25)

    answers = [opened(console, bench.exchange(console.seal(ipmi_message(0, 1))) or b"") for _ in range(1_000)]

    assert sum(not answer.is_genuine for answer in answers) == pytest.approx(250, rel=0.15)


def test_a_silent_forger_is_silent() -> None:
    bench = make_bench(faults=Faults(silent=True, forgeries=tuple(Forgery), flood_count=10))

    with pytest.raises(Silent):
        Console(bench.exchange).open()


def test_no_datagram_makes_a_forger_fail(bench: Bench) -> None:
    rng = random.Random(5)
    console = logged_in(bench)
    bench.bmc.faults = Faults(
        forgeries=tuple(Forgery), forge_percent=50, flood_count=3, duplicate_percent=20, reorder_percent=20
    )
    whole = [PROBE, PLAIN, OPEN, console.rakp_1()]

    for number in range(3_000):
        datagram = bytearray(whole[number % 4] if number % 5 else console.seal(ipmi_message(0, number % 16)))
        for _ in range(rng.randrange(3)):
            datagram[rng.randrange(len(datagram))] ^= 1 << rng.randrange(8)
        bench.bmc.receive(bytes(datagram), SOURCE, bench.now)

    bench.bmc.faults = Faults()
    bench.bmc.receive(PROBE, SOURCE, bench.now)  # overtakes what still waits for that
    assert logged_in(bench).command(0, 1)[0] == 0


def test_a_seal_of_another_session_is_refused_aloud() -> None:
    """A fault of the simulator's own must not look like a fault that was asked for."""
    bench = make_bench()
    console = logged_in(bench)
    answer = bench.exchange(console.seal(ipmi_message(0, 1)))
    assert answer is not None

    with pytest.raises(ValueError, match="not one of this session's"):
        forge(Forgery.SESSION, answer, Seal(SUITES[3], b"key"), 1, random.Random(1))
