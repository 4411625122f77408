"""Sessions end when they should, and carry each datagram once."""

import pytest

from castiron.testing.bmc.wire.session import SequenceWindow, SessionTable
from castiron.testing.bmc.wire.suite import SUITES, Seal
from tests.support.bmc_bench import SOURCE, Bench
from tests.support.console import Console, Refused, Silent, ipmi_message

SESSION_IDLE_S = 60


def logged_in(bench: Bench, suite: int = 17) -> Console:
    console = Console(bench.exchange, suite=suite)
    console.login()
    return console


def test_a_session_lasts_as_long_as_it_is_used(bench: Bench) -> None:
    console = logged_in(bench)

    for _ in range(10):
        bench.now += SESSION_IDLE_S
        assert console.command(6, 1)[0] == 0


def test_an_idle_session_is_gone_without_a_word(bench: Bench) -> None:
    console = logged_in(bench)

    bench.now += SESSION_IDLE_S + 0.001

    with pytest.raises(Silent):
        console.command(6, 1)
    assert bench.bmc.device.sessions.established(bench.now) == []


def test_a_login_that_takes_too_long_has_to_begin_again(bench: Bench) -> None:
    console = Console(bench.exchange)
    console.open()

    bench.now += SESSION_IDLE_S + 0.001

    with pytest.raises(Refused) as refused:
        console.rakp()
    assert refused.value.status == 0x02


def test_each_step_of_a_login_counts_as_use(bench: Bench) -> None:
    def slowly(datagram: bytes) -> bytes | None:
        bench.now += SESSION_IDLE_S - 1
        return bench.exchange(datagram)

    console = Console(slowly)
    console.login()

    assert console.command(6, 1)[0] == 0


def test_a_table_full_of_sessions_that_have_run_out_has_room() -> None:
    table = SessionTable(slots=2)
    ids = iter([5, 0, 5, 6, 5])  # 0 is no id, and 5 is taken until its session has run out

    def opened(now: float) -> int | None:
        session = table.open(lambda: next(ids), console_id=1, suite=SUITES[3], nonce=b"", source=SOURCE, now=now)
        if session is None:
            return None
        session.establish(Seal(SUITES[3], b"key"))
        return session.managed_id

    assert [opened(0), opened(1), opened(60)] == [5, 6, None]
    assert opened(60.5) == 5
    assert [session.managed_id for session in table] == [6, 5]


def test_what_was_sealed_by_other_rules_does_not_open() -> None:
    seal = Seal(SUITES[17], b"key")
    vector = bytes(16)
    datagram = seal.close(1, 1, b"message", vector)
    sealed = datagram[16:48]

    assert seal.open(sealed) == b"message"
    for wrong in (b"", vector, sealed[:-1], sealed + b"x", bytes(15) + b"\x01" + sealed[16:]):
        assert seal.open(wrong) is None


def test_a_cold_reset_from_outside_is_the_same_as_the_command(bench: Bench) -> None:
    console = logged_in(bench)

    bench.bmc.cold_reset()

    with pytest.raises(Silent):
        console.command(6, 1)


def test_a_cold_reset_forgets_the_sessions_and_not_the_machine(bench: Bench) -> None:
    console, other = logged_in(bench), logged_in(bench)
    assert console.command(0, 2, b"\x01") == b"\x00"

    assert console.command(6, 2) == b"\x00"

    for forgotten in (console, other):
        with pytest.raises(Silent):
            forgotten.command(6, 1)
    assert logged_in(bench).command(0, 1)[1] & 1 == 1


def test_a_datagram_is_carried_out_once(bench: Bench) -> None:
    console = logged_in(bench)
    datagram = console.seal(ipmi_message(0, 2, b"\x01"))

    assert bench.exchange(datagram) is not None
    assert bench.exchange(datagram) is None
    assert bench.bmc.device.chassis.control_count == 1


def test_answers_are_numbered_in_order(bench: Bench) -> None:
    console = logged_in(bench)

    for _ in range(5):
        console.command(6, 1)

    assert console.replies_seen == [1, 2, 3, 4, 5, 6]  # the first answered Set Session Privilege Level


def test_a_number_far_ahead_or_behind_is_ignored(bench: Bench) -> None:
    console = logged_in(bench)
    message = ipmi_message(6, 1)

    assert bench.exchange(console.seal(message, sequence=17)) is None
    assert bench.exchange(console.seal(message, sequence=16)) is not None
    assert bench.exchange(console.seal(message, sequence=31)) is not None
    assert bench.exchange(console.seal(message, sequence=15)) is None
    assert bench.exchange(console.seal(message, sequence=17)) is not None
    assert bench.exchange(console.seal(message, sequence=0)) is None


def test_the_window_takes_each_number_once_and_wraps() -> None:
    window = SequenceWindow()
    assert [window.admit(number) for number in (0, 2, 1, 2, 1, 3)] == [False, True, True, False, False, True]

    for number in range(4, 1 << 32, 15 * (1 << 20)):  # leaps that are never admitted
        assert not window.admit(number + 64)
    number = 3
    while number < 3 * 15:
        number += 15
        assert window.admit(number)


def test_the_window_goes_past_the_largest_number() -> None:
    window = SequenceWindow()
    window._highest = 0xFFFF_FFFE

    assert [window.admit(number) for number in (0xFFFF_FFFF, 0, 1, 0xFFFF_FFFF, 2)] == [True, False, True, False, True]


@pytest.mark.parametrize("suite", [3, 17])
def test_what_was_changed_on_the_way_is_ignored_and_the_session_lives(bench: Bench, suite: int) -> None:
    console = logged_in(bench, suite)
    genuine = console.seal(ipmi_message(0, 2, b"\x01"))

    for at in range(4, len(genuine)):
        for bit in (0x01, 0x80):
            changed = bytearray(genuine)
            changed[at] ^= bit
            assert bench.exchange(bytes(changed)) is None, at

    assert bench.bmc.device.chassis.control_count == 0
    assert bench.exchange(genuine) is not None


def test_unencrypted_datagrams_are_ignored_inside_a_session(bench: Bench) -> None:
    console = logged_in(bench)
    sealed = bytearray(console.seal(ipmi_message(6, 1)))

    for payload_type in (0x00, 0x40, 0x80, 0xC1):
        sealed[5] = payload_type
        assert bench.exchange(bytes(sealed)) is None


def test_session_info_tells_who_is_logged_in(bench: Bench) -> None:
    first, second = logged_in(bench), logged_in(bench)

    own = second.command(6, 0x3D, b"\x00")
    assert own[:7] == bytes((0, 2, 16, 2, 2, 4, 0x11))
    assert own[7:11] == bytes((127, 0, 0, 1))
    assert first.command(6, 0x3D, b"\x00")[1] == 1
    assert first.command(6, 0x3D, b"\x02") == own
    assert first.command(6, 0x3D, b"\x03") == bytes((0, 0, 16, 2))


def test_only_an_administrator_closes_the_session_of_another(bench: Bench) -> None:
    victim, user = logged_in(bench), Console(bench.exchange)
    user.login(privilege=2)
    named = victim.managed_id.to_bytes(4, "little")

    assert user.command(6, 0x3C, named) == b"\xd4"
    assert user.command(6, 0x3B, b"\x04") == b"\x00\x04"
    assert user.command(6, 0x3C, b"\x01\x02\x03\x04") == b"\x87"
    assert user.command(6, 0x3C, named) == b"\x00"
    with pytest.raises(Silent):
        victim.command(6, 1)
