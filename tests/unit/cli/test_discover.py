"""`castiron node discover`: who is found, how fast they are asked, and that nobody else is. Loopback alone."""

import json
import signal
import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from castiron.actors.drivers.ipmi.probing.packets import ping
from castiron.actors.drivers.ipmi.probing.sweeping import MAX_ADDRESSES, Sweep, TooMany, hosts_of
from castiron.testing import BMCFarm, Faults
from castiron.testing.bmc.wire import rmcp
from tests.unit.cli.conftest import Run, Spawn
from tests.unit.cli.terminal import everything, on_terminal

NETWORK = "127.101.7.0/28"


@pytest.fixture
def farm() -> Generator[BMCFarm]:
    with BMCFarm(bmcs=5, network=NETWORK) as made:
        yield made


def words(farm: BMCFarm, *more: str) -> tuple[str, ...]:
    return ("node", "discover", NETWORK, "--port", str(farm.port), "--wait", "0.3", *more)


def test_those_that_answer_are_listed_in_order(run: Run, farm: BMCFarm) -> None:
    farm[2].set_faults(Faults(silent=True))

    result = run(*words(farm, "--format", "json"))

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [one["address"] for one in found] == [f"127.101.7.{number}" for number in (1, 2, 4, 5)]
    assert all(one["port"] == farm.port and one["speaks_ipmi"] and one["response_ms"] >= 0 for one in found)
    assert result.stderr == "castiron: 4 of 14 addresses answered.\n"


def test_people_get_a_table(run: Run, farm: BMCFarm) -> None:
    lines = run(*words(farm, "--tries", "1")).stdout.splitlines()

    assert lines[0].split() == ["ADDRESS", "PORT", "IPMI", "RESPONSE"]
    assert lines[1].split()[:3] == ["127.101.7.1", str(farm.port), "yes"]
    assert len(lines) == 6


def test_an_empty_network_has_nobody(run: Run) -> None:
    result = run("node", "discover", "127.101.8.0/30", "--port", "9", "--wait", "0.1")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "castiron: 0 of 2 addresses answered.\n"


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("10.0.0.0/8", "ask a part of it"),
        ("n1", "Write a network as"),
        ("224.0.0.0/24", "no network of machines"),
        ("0.0.0.0/30", "no network of machines"),
        ("fe80::/64", "ask a part of it"),
    ],
)
def test_what_is_no_network_or_too_large_is_refused_before_anything_is_sent(run: Run, network: str, told: str) -> None:
    result = run("node", "discover", network)

    assert (result.exit_code, result.stdout) == (64, "")
    assert told in result.stderr


def test_networks_overlap_without_harm_and_have_no_broadcast() -> None:
    assert [str(host) for host in hosts_of(["127.0.0.8/30", "127.0.0.9", "::1"])] == ["127.0.0.9", "127.0.0.10", "::1"]


def test_many_networks_together_are_bounded_too() -> None:
    with pytest.raises(TooMany):
        hosts_of([f"127.{number}.0.0/17" for number in range(3)])
    assert len(hosts_of(["127.1.0.0/16"])) == MAX_ADDRESSES - 2


class Time:
    """Seconds that pass when somebody waits for them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.0001
        return self.now


def test_pings_are_paced_and_what_was_late_is_not_made_up_for() -> None:
    """A listener counts what came while the clock says how much may have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.101.9.1", 0))
        time = Time()
        sweep = Sweep(
            hosts_of(["127.101.9.0/24"]),
            port=listener.getsockname()[1],
            rate_per_s=100,
            tries=1,
            wait_s=0.001,
            now=time,
        )
        steps = sweep.run()
        for seconds in (0.05, 0.5, 0.52):
            time.now = seconds
            before = sweep.asked
            while time.now < seconds + 0.005:
                next(steps)

            assert sweep.asked - before <= 3, "a pause is no debt"


def test_an_answer_of_somebody_who_was_not_asked_is_not_believed() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        asked.bind(("127.101.9.1", 0))
        asked.settimeout(5)
        stranger.bind(("127.101.9.2", asked.getsockname()[1]))
        sweep = Sweep(hosts_of(["127.101.9.1"]), port=asked.getsockname()[1], rate_per_s=1000, tries=1, wait_s=2)
        with ThreadPoolExecutor(1) as aside:
            look = aside.submit(lambda: [step for step in sweep.run() if step is not None])
            datagram, source = asked.recvfrom(64)
            stranger.sendto(rmcp.build_pong(0), source)
            asked.sendto(b"nonsense", source)
            asked.sendto(rmcp.build_pong(0), source)

            found = look.result(20)

    assert datagram == ping(0)
    assert [one.address for one in found] == ["127.101.9.1"]


def test_an_interrupted_look_tells_what_it_has_found(spawn: Spawn) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        first.bind(("127.101.9.1", 0))
        second.bind(("127.101.9.2", first.getsockname()[1]))
        first.settimeout(20)
        second.settimeout(20)
        port = str(first.getsockname()[1])
        process = spawn("node", "discover", "127.101.9.0/30", "--port", port, "--rate", "2", "--format", "json")
        first.sendto(rmcp.build_pong(0), first.recvfrom(64)[1])
        second.recvfrom(64)
        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=20)

    assert (process.returncode, [one["address"] for one in json.loads(out)]) == (130, ["127.101.9.1"])
    assert "Interrupted. 2 of 2 were asked." in err


def test_progress_is_drawn_on_a_terminal(farm: BMCFarm) -> None:
    with on_terminal(*words(farm), streams=("stderr",)) as (process, terminal):
        seen = everything(terminal)

    assert process.returncode == 0
    assert "14 of 14 asked, " in seen
