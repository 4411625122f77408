"""A console that is logged into a BMC on a bench."""

from tests.support.bmc_bench import Bench
from tests.support.console import Console

PING = bytes.fromhex("0600ff06000011be80000000")


UP, DOWN, CYCLE = b"\x01", b"\x00", b"\x02"
OK, ON, OFF = b"\x00", 1, 0


def logged_in(bench: Bench) -> Console:
    console = Console(bench.exchange)
    console.login()
    return console


def power_of(console: Console) -> int:
    answer = console.command(0, 1)
    assert answer[0] == 0
    return answer[1] & 1
