"""Who gets in, who does not, and what they are told."""

import pytest

from castiron.testing.bmc import BMCSettings, Privilege
from tests.support.bmc_bench import Bench, make_bench
from tests.support.console import ALGORITHMS, CONSOLE_ID, Console, Refused, Silent, open_request, plus

STATUS = 1  # of the payload that begins at byte 16


def open_status(bench: Bench, algorithms: tuple[int, int, int]) -> int:
    answer = bench.exchange(open_request(algorithms))
    assert answer is not None
    return answer[16 + STATUS]


@pytest.mark.parametrize("suite", [3, 17])
@pytest.mark.parametrize("k_g", [b"", b"the key of the site"], ids=["no K_g", "K_g"])
def test_a_console_that_knows_the_secrets_gets_in(suite: int, k_g: bytes) -> None:
    bench = make_bench(BMCSettings(username="op", password="secret", k_g=k_g))
    console = Console(bench.exchange, username="op", password="secret", suite=suite, k_g=k_g)

    console.login()

    assert console.command(0, 1) == b"\x00\x20\x00\x40"
    assert bench.bmc.device.login_count == 1


@pytest.mark.parametrize("suite", [3, 17])
def test_a_wrong_password_shows_in_the_proof_of_the_bmc_and_frees_the_slot(bench: Bench, suite: int) -> None:
    with pytest.raises(Refused) as refused:
        Console(bench.exchange, password="wrong", suite=suite).login()

    assert (refused.value.step, refused.value.status) == ("rakp 2", 0x0F)
    assert list(bench.bmc.device.sessions) == []


def test_a_wrong_proof_is_told_so_and_frees_the_slot(bench: Bench) -> None:
    console = Console(bench.exchange)
    console.open()
    assert bench.exchange(console.rakp_1()) is not None

    answer = bench.exchange(plus(0x14, b"\x07\0\0\0" + console.managed_id.to_bytes(4, "little") + bytes(32)))

    assert answer is not None
    assert answer[5] == 0x15
    assert answer[16:] == b"\x07\x0f\0\0" + CONSOLE_ID.to_bytes(4, "little")
    assert list(bench.bmc.device.sessions) == []


def test_a_wrong_k_g_shows_in_the_session_key() -> None:
    bench = make_bench(BMCSettings(k_g=b"right"))

    with pytest.raises(Refused, match="session key"):
        Console(bench.exchange, k_g=b"wrong").login()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"username": "nobody"}, 0x0D),
        ({"username": "admin "}, 0x0D),
        ({"username": "a name of 17 byte"}, 0x0C),
        ({"level": 5}, 0x0A),
        ({"level": 0}, 0x0A),
    ],
)
def test_rakp_1_is_refused_with_the_status_of_its_reason(bench: Bench, change: dict[str, str], status: int) -> None:
    with pytest.raises(Refused) as refused:
        Console(bench.exchange, **change).login()  # type: ignore[arg-type]  # a table of either field

    assert refused.value.status == status


def test_a_user_gets_no_higher_level_than_its_own() -> None:
    bench = make_bench(BMCSettings(privilege=Privilege.OPERATOR))

    with pytest.raises(Refused) as refused:
        Console(bench.exchange, level=4).login()
    assert refused.value.status == 0x0A

    console = Console(bench.exchange, level=3)
    console.login(privilege=3)
    assert console.command(6, 0x3B, b"\x04") == b"\x81"


@pytest.mark.parametrize(
    ("algorithms", "status"),
    [
        ((0, 0, 0), 0x11),  # suite 0, the door that must stay shut
        ((1, 1, 0), 0x11),  # suite 2
        ((3, 4, 0), 0x11),  # suite 16
        ((1, 4, 1), 0x11),  # each exists, not together
        ((4, 1, 1), 0x04),
        ((1, 5, 1), 0x05),
        ((1, 1, 4), 0x10),
    ],
)
def test_algorithms_that_are_not_offered_are_refused(
    bench: Bench, algorithms: tuple[int, int, int], status: int
) -> None:
    assert open_status(bench, algorithms) == status


@pytest.mark.parametrize(("offered", "refused"), [(3, 17), (17, 3)])
def test_a_bmc_offers_only_the_suites_it_was_given(offered: int, refused: int) -> None:
    bench = make_bench(BMCSettings(cipher_suites=(offered,)))

    assert open_status(bench, ALGORITHMS[refused]) == 0x11
    assert open_status(bench, ALGORITHMS[offered]) == 0


def test_a_proposal_without_algorithms_leaves_the_choice_to_the_bmc(bench: Bench) -> None:
    blocks = b"".join(bytes((kind, 0, 0, 0, 0, 0, 0, 0)) for kind in range(3))

    answer = bench.exchange(plus(0x10, b"\x07\0\0\0" + bytes(4) + blocks))

    assert answer is not None
    assert [answer[16 + at] for at in (1, 16, 24, 32)] == [0, *ALGORITHMS[3]]


def test_a_malformed_proposal_is_an_illegal_parameter(bench: Bench) -> None:
    swapped = b"".join(bytes((kind, 0, 0, 8, 1, 0, 0, 0)) for kind in (1, 0, 2))

    for proposals in (swapped, swapped[:-1], b""):
        answer = bench.exchange(plus(0x10, b"\x07\0\0\0" + bytes(4) + proposals))
        assert answer is not None
        assert answer[16 + STATUS] == 0x12


def test_what_is_too_short_to_answer_is_met_with_silence(bench: Bench) -> None:
    for request, least_bytes in ((0x10, 8), (0x12, 28), (0x14, 8)):
        assert bench.exchange(plus(request, bytes(least_bytes - 1))) is None
        assert bench.exchange(plus(request, bytes(least_bytes))) is not None


def test_unknown_session_ids_are_told_so(bench: Bench) -> None:
    for request in (0x12, 0x14):
        answer = bench.exchange(plus(request, b"\x07\0\0\0" + b"\x01\x02\x03\x04" + bytes(20)))
        assert answer is not None
        assert answer[16:18] == b"\x07\x02"


def test_a_full_table_refuses_and_an_ended_session_makes_room() -> None:
    bench = make_bench(BMCSettings(session_slots=2))
    first, second = Console(bench.exchange), Console(bench.exchange)
    first.login()
    second.login()

    with pytest.raises(Refused) as refused:
        Console(bench.exchange).login()
    assert (refused.value.step, refused.value.status) == ("open session", 0x01)

    assert first.command(6, 0x3C, first.managed_id.to_bytes(4, "little")) == b"\x00"
    Console(bench.exchange).login()
    with pytest.raises(Silent):
        first.command(6, 1)


def test_abandoned_logins_make_room_and_established_sessions_never_do() -> None:
    bench = make_bench(BMCSettings(session_slots=2))
    kept = Console(bench.exchange)
    kept.login()

    for _ in range(20):
        Console(bench.exchange).open()

    assert kept.command(6, 1)[0] == 0
    assert len(list(bench.bmc.device.sessions)) == 2


def test_each_answer_of_a_login_can_be_asked_for_again(bench: Bench) -> None:
    lost: list[bytes] = []

    def twice(datagram: bytes) -> bytes | None:
        first, second = bench.exchange(datagram), bench.exchange(datagram)
        if datagram[5] in {0x12, 0x14}:
            assert first == second
            lost.append(datagram)
        return second

    console = Console(twice)
    console.open()
    console.rakp()
    console.exchange = bench.exchange

    assert len(lost) == 2
    assert console.command(6, 1)[0] == 0
    assert bench.bmc.device.login_count == 1


def test_an_established_session_cannot_be_taken_over_by_a_second_rakp(bench: Bench) -> None:
    console = Console(bench.exchange)
    console.login()

    answer = bench.exchange(console.rakp_1())
    assert answer is not None
    assert answer[16 + STATUS] == 0x02

    answer = bench.exchange(plus(0x14, b"\x07\0\0\0" + console.managed_id.to_bytes(4, "little") + bytes(32)))
    assert answer is not None
    assert answer[16 + STATUS] == 0x0F
    assert console.command(6, 1)[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": ""},
        {"username": "x" * 17},
        {"password": "x" * 21},
        {"k_g": b"x" * 21},
        {"cipher_suites": ()},
        {"cipher_suites": (3, 12)},
        {"session_slots": 0},
        {"session_slots": 64},
    ],
    ids=str,
)
def test_settings_that_no_bmc_could_have_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        BMCSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_settings_keep_their_secrets_out_of_sight() -> None:
    shown = repr(BMCSettings(password="hush", k_g=b"hushhush"))

    assert "hush" not in shown
