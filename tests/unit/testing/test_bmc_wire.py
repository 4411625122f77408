"""The bytes themselves: exchanges known by heart, and whatever a hostile network can send."""

from copy import deepcopy
from random import Random

import pytest

from castiron.testing.bmc import BMCSettings
from tests.support.bmc_bench import SOURCE, Bench, make_bench
from tests.support.console import ALGORITHMS, Console, ipmi_message, open_request, sessionless

GOLDEN = [
    pytest.param(
        "0600ff06 000011be 80 00 00 00",
        "0600ff06 000011be 40 00 00 10  000011be 00000000 81 00 000000000000",
        id="ASF presence ping and pong",
    ),
    pytest.param(
        "0600ff06 000011be 80 2a 00 00",
        "0600ff06 000011be 40 2a 00 10  000011be 00000000 81 00 000000000000",
        id="the pong has the tag of the ping",
    ),
    pytest.param(
        "0600ff07 00 00000000 00000000 09  20 18 c8  81 00 38 8e 04 b5",
        "0600ff07 00 00000000 00000000 10  81 1c 63  20 00 38 00 01 80 04 02 00 00 00 00 21",
        id="Get Channel Authentication Capabilities, asked for IPMI 2.0",
    ),
    pytest.param(
        "0600ff07 00 00000000 00000000 09  20 18 c8  81 00 38 0e 04 35",
        "0600ff07 00 00000000 00000000 10  81 1c 63  20 00 38 00 01 00 04 00 00 00 00 00 a3",
        id="the same in words of IPMI 1.5: no session to be had",
    ),
    pytest.param(
        "0600ff07 00 00000000 00000000 09  20 18 c8  81 04 38 87 04 b8",
        "0600ff07 00 00000000 00000000 08  81 1c 63  20 04 38 cc d8",
        id="a channel that the BMC does not have",
    ),
    pytest.param(
        "0600ff07 06 10 00000000 00000000 2000  00 00 0000 a4a3a2a0"
        " 00 00 00 08 01 000000  01 00 00 08 01 000000  02 00 00 08 00 000000",
        "0600ff07 06 11 00000000 00000000 0800  00 11 0000 a4a3a2a0",
        id="Open Session with suite 2: no cipher suite match",
    ),
    pytest.param(
        "0600ff07 06 10 00000000 00000000 2000  00 00 0000 a4a3a2a0"
        " 00 00 00 08 03 000000  01 00 00 08 04 000000  02 00 00 08 01 000000",
        "0600ff07 06 11 00000000 00000000 2400  00 00 0400 a4a3a2a0 c4bb86c3"
        " 00 00 00 08 03 000000  01 00 00 08 04 000000  02 00 00 08 01 000000",
        id="Open Session with suite 17, and the session id that this seed draws",
    ),
]


@pytest.mark.parametrize(("request_hex", "answer_hex"), GOLDEN)
def test_an_exchange_is_right_to_the_byte(bench: Bench, request_hex: str, answer_hex: str) -> None:
    answer = bench.exchange(bytes.fromhex(request_hex))

    assert answer is not None
    assert answer.hex() == bytes.fromhex(answer_hex).hex()


def test_the_same_seed_and_datagrams_give_the_same_bytes() -> None:
    def recording(seed: int) -> list[bytes | None]:
        bench, answers = make_bench(seed=seed), list[bytes | None]()

        def exchange(datagram: bytes) -> bytes | None:
            answers.append(bench.exchange(datagram))
            return answers[-1]

        console = Console(exchange)
        console.login()
        console.command(0, 2, b"\x01")
        console.command(0, 1)
        return answers

    assert recording(1) == recording(1)
    assert recording(1) != recording(2)


def conversation(suite: int) -> list[tuple[Bench, bytes]]:
    """Every datagram of a login and of some commands, each with the BMC as it was when it arrived."""
    bench = make_bench()
    seen = [(deepcopy(bench), bytes.fromhex("0600ff06000011be80000000")), (deepcopy(bench), sessionless(6, 0x37))]

    def exchange(datagram: bytes) -> bytes | None:
        seen.append((deepcopy(bench), datagram))
        return bench.exchange(datagram)

    console = Console(exchange, suite=suite)
    console.login()
    console.command(0, 2, b"\x01")
    console.command(0, 8, b"\x05\x80\x04\x00\x00\x00")
    return seen


@pytest.mark.parametrize("suite", [3, 17])
def test_datagrams_cut_at_any_length_are_met_with_silence(suite: int) -> None:
    for bench, datagram in conversation(suite):
        for length in range(len(datagram)):
            assert bench.exchange(datagram[:length]) is None, (datagram[5], length)

        assert bench.exchange(datagram) is not None


@pytest.mark.parametrize("suite", [3, 17])
def test_flipped_bits_are_met_without_an_error_and_move_no_machine(suite: int) -> None:
    for before, datagram in conversation(suite):
        for bit in range(len(datagram) * 8):
            bench, flipped = deepcopy(before), bytearray(datagram)
            controls = bench.bmc.device.chassis.control_count
            flipped[bit // 8] ^= 1 << bit % 8

            bench.exchange(bytes(flipped))

            assert bench.bmc.device.chassis.control_count == controls


def test_random_bytes_are_met_without_an_error(bench: Bench) -> None:
    rng = Random(7)
    heads = (
        b"",
        b"\x06\x00\xff\x07",
        b"\x06\x00\xff\x07\x06",
        b"\x06\x00\xff\x07\x06\x10" + bytes(8),
        b"\x06\x00\xff\x06",
    )
    for _ in range(20_000):
        datagram = rng.choice(heads) + rng.randbytes(rng.randrange(80))
        assert len(bench.bmc.receive(datagram, SOURCE, bench.now)) <= 1


def test_genuine_senders_of_nonsense_are_met_without_an_error(bench: Bench) -> None:
    console, rng = Console(bench.exchange), Random(8)
    console.login()
    for _ in range(5_000):
        message = rng.randbytes(rng.randrange(30))
        bench.exchange(console.seal(message))
    for _ in range(5_000):
        netfn, command = rng.choice((0, 6, 0x2C)), rng.choice((1, 2, 4, 8, 9, 0x37, 0x38, 0x3B, 0x3D, 0x54, 0x99))
        if (netfn, command) != (6, 2):
            console.command(netfn, command, rng.randbytes(rng.randrange(20)))


def test_a_padded_payload_that_was_sealed_wrong_is_ignored(bench: Bench) -> None:
    console = Console(bench.exchange)
    console.login()
    genuine = console.seal(ipmi_message(6, 1))
    short = console.seal(b"")  # a sealed nothing: one block of padding

    assert bench.exchange(short) is None
    assert bench.exchange(genuine) is not None


def test_a_datagram_longer_than_any_console_sends_is_ignored(bench: Bench) -> None:
    assert bench.exchange(open_request(ALGORITHMS[3]) + bytes(512)) is None


def test_messages_with_wrong_checksums_or_for_others_are_ignored(bench: Bench) -> None:
    genuine = sessionless(6, 0x38, b"\x8e\x04")

    for at in range(14, len(genuine)):
        wrong = bytearray(genuine)
        wrong[at] ^= 1
        assert bench.exchange(bytes(wrong)) is None
    response = bytearray(genuine)
    response[15:17] = bytes((0x1C, 0xC4))  # odd network function: a response, checksum put right
    assert bench.exchange(bytes(response)) is None


def test_bmcs_of_different_names_have_different_guids() -> None:
    settings = BMCSettings()

    assert make_bench(settings).bmc.device.guid == make_bench(settings).bmc.device.guid
    assert len(make_bench(settings).bmc.device.guid) == 16
