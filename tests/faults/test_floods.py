"""A BMC that floods at full speed, from a process of its own, while its neighbours act, and get all their answers.

Its garbage arrives at the one socket through which it was spoken to. Until it is muted there the neighbours who share
that socket may lose datagrams in the kernel and ask again; they get their answers all the same, in their order.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Generator

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import GetPower, SetPower, Target
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.actors.drivers.ipmi.wire.network import MAX_BATCH
from castiron.testing import BMCFarm
from castiron.transport.vocabulary import PowerControl, PowerState
from tests.support.deadline import until
from tests.support.driver_calls import Caller, Ticket
from tests.support.relay import Relay, running_relay

NEIGHBOURS = 12
ROUNDS = 20

FLOOD = """
import os, socket, sys
stream = socket.socket(fileno=int(sys.argv[1]))
target = ("127.0.0.1", int(sys.argv[2]))
noise = [os.urandom(size) for size in range(0, 300, 7)]
garbage = noise + [b"\\x06\\x00\\xff\\x07" + one for one in noise]
print("floods", flush=True)
while os.getppid() == int(sys.argv[3]):
    for datagram in garbage:
        stream.sendto(datagram, target)
"""
"""Sends through the BMC's own socket, so that the garbage comes from its address; ends with the test's process."""


@pytest.fixture
def caller() -> Generator[Caller]:
    clock = SystemClock()
    driver = IPMIDriver(clock, timing=Timing(waits_s=(0.5, 0.5, 0.5)), rng=random.Random(1))
    yield Caller(driver, clock)
    driver.stop(5)
    clock.stop(5)


@pytest.fixture
def flood() -> Generator[Callable[[Relay], subprocess.Popen[bytes]]]:
    """Have a BMC flood whoever spoke to it last, until the end of the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(relay: Relay) -> subprocess.Popen[bytes]:
        assert relay.client is not None
        descriptor = relay.fileno()
        command = [sys.executable, "-c", FLOOD, str(descriptor), str(relay.client[1]), str(os.getpid())]
        processes.append(subprocess.Popen(command, pass_fds=[descriptor], stdout=subprocess.PIPE))
        assert processes[-1].stdout is not None
        assert processes[-1].stdout.readline() == b"floods\n"
        return processes[-1]

    yield begin
    for process in processes:
        with process:
            process.kill()


def garbage_in_a_round(caller: Caller, targets: list[Target]) -> int:
    """Return how many datagrams were dropped while each of these was asked something."""
    before = caller.driver.counters()
    for target in targets:
        caller.submit(target, GetPower()).value()
    after = caller.driver.counters()
    return sum(after[name] - before[name] for name in ("dropped", "stray"))


def test_neighbours_of_a_bmc_that_floods_get_every_answer_in_their_order(
    caller: Caller, flood: Callable[[Relay], subprocess.Popen[bytes]]
) -> None:
    with BMCFarm(bmcs=NEIGHBOURS + 1) as farm, running_relay((farm[0].address, farm.port)) as relay:
        address, port = relay.address
        info = {**farm[0].driver_info, "ipmi_address": address, "ipmi_port": port}
        flooding = caller.target(info, "flooding")
        caller.submit(flooding, GetPower()).value()
        neighbours = [caller.target(bmc.driver_info, bmc.name) for bmc in list(farm)[1:]]
        for one in neighbours:
            caller.submit(one, GetPower()).value()
        caller.ended.clear()

        flood(relay)
        of: list[list[Ticket]] = [[] for _ in neighbours]
        for _ in range(ROUNDS):
            for tickets, target in zip(of, neighbours, strict=True):
                tickets += [caller.submit(target, SetPower(PowerControl.ON)), caller.submit(target, GetPower())]
            for tickets in of:
                assert tickets[-1].value() is PowerState.ON
        counters = caller.driver.counters()

        # It is muted: from some moment on its garbage is not even read, while its neighbours get their answers.
        until(lambda: caller.driver.counters()["floods"] == 1)
        until(lambda: garbage_in_a_round(caller, neighbours) == 0)

        place = {id(ticket): number for number, ticket in enumerate(caller.ended)}
        for tickets, bmc in zip(of, list(farm)[1:], strict=True):
            places = [place[id(ticket)] for ticket in tickets]
            assert places == sorted(places)
            assert len(bmc.controls) == ROUNDS  # a full buffer may have cost a session, never a control
        assert counters["dropped"] + counters["stray"] > 20 * MAX_BATCH, "it was no flood"
        assert caller.driver.is_alive()


def test_a_bmc_that_has_flooded_is_asked_again_once_it_is_sane(
    caller: Caller, flood: Callable[[Relay], subprocess.Popen[bytes]]
) -> None:
    with BMCFarm(bmcs=1) as farm, running_relay((farm[0].address, farm.port)) as relay:
        address, port = relay.address
        target = caller.target({**farm[0].driver_info, "ipmi_address": address, "ipmi_port": port})
        caller.submit(target, GetPower()).value()
        process = flood(relay)
        until(lambda: caller.driver.counters()["muted"] == 1)

        process.kill()
        process.wait()

        assert caller.submit(target, GetPower()).value() is PowerState.OFF  # through a fresh login
        assert farm[0].login_count == 2
