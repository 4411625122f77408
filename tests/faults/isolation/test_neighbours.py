"""30 % of 500 nodes do badly in each of the ways there are, and the others go on as if they were not there.

What is ill hangs until the healthy ones were looked at, and is shown to hang still when they have been.
"""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from castiron.testing import Faults
from castiron.transport.verbs import NodeCreate, NodeDelete
from tests.faults.isolation.conftest import BMCS, LONG_S, NEWCOMERS, PLACES, Ward
from tests.support.deadline import until
from tests.support.redfish_bmc import SYSTEM, running_redfish_bmc

pytestmark = pytest.mark.timeout(150)

SLOW_S = 2.0
HANGING = 3 * PLACES
"""Three times as many as have a place."""


def test_silent_bmcs(ward: Ward) -> None:
    with ward.trouble(Faults(silent=True)):
        requests = [ward.power(number) for number in ward.ill]

        ward.goes_on()

        assert ward.open_requests == len(requests), "they were not silent"
    until(lambda: ward.open_requests == 0, timeout_s=LONG_S)


def test_slow_bmcs(ward: Ward) -> None:
    with ward.trouble(Faults(slow_s=SLOW_S)):
        requests = [ward.power(number) for number in ward.ill]
        request = ward.power(ward.healthy[-1])

        assert request.wait(timeout_s=LONG_S).state == "succeeded"
        assert ward.open_requests > len(requests) / 2, "it came last, and ended first"
        ward.goes_on()
    until(lambda: ward.open_requests == 0, timeout_s=LONG_S)


def test_bmcs_that_do_not_end_a_login(ward: Ward) -> None:
    ward.send([NodeDelete(node=f"n{number}") for number in ward.ill])
    with ward.trouble(Faults(ignores_logins=True)):
        ward.send(ward.creations(ward.ill))
        until(lambda: ward.client.status().drivers["ipmi"]["waiting"] >= len(ward.ill), timeout_s=LONG_S)

        ward.send(ward.creations(range(BMCS, BMCS + NEWCOMERS)))

        until(lambda: ward.sessions() == len(ward.healthy) + NEWCOMERS, timeout_s=LONG_S)
        ward.goes_on()
    until(lambda: ward.sessions() == BMCS + NEWCOMERS, timeout_s=LONG_S)


def test_redfish_bmcs_that_hang(ward: Ward) -> None:
    with running_redfish_bmc() as bmc, ExitStack() as stack:
        deaf = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(HANGING)]
        infos: list[dict[str, str | int | float | bool | None]] = [
            {"redfish_address": f"127.0.0.1:{each.getsockname()[1]}"} for each in deaf
        ]
        ward.send([NodeCreate(name=f"deaf{at}", driver="redfish", driver_info=info) for at, info in enumerate(infos)])
        orders = [ward.client.nodes.power(f"deaf{at}", "power on") for at in range(HANGING)]
        ward.client.nodes.create("sane", driver="redfish", driver_info=bmc.driver_info)

        ward.goes_on()

        until(lambda: bmc.count("GET", SYSTEM) >= 2, timeout_s=LONG_S)
        assert ward.client.nodes.power("sane", "power on").wait(timeout_s=LONG_S).state == "succeeded"
        assert ward.open_requests == len(orders), "they did not hang"
        ward.send([NodeDelete(node=f"deaf{at}", force=True) for at in range(HANGING)])
        ward.send([NodeDelete(node="sane", force=True)])


def test_steps_that_hang(ward: Ward, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    hangs: Any = {"interface": "test", "step": "twice", "args": {"path": str(tmp_path / "log"), "gate": str(gate)}}
    rest: Any = {"step": "wait", "args": {"seconds": 0}}
    provision = ward.client.provision
    for number in (*ward.ill[:HANGING], ward.healthy[-2]):
        assert provision.set(f"n{number}", "manage").wait(timeout_s=LONG_S).state == "succeeded"
    runs = [provision.set(f"n{number}", "clean", steps=[hangs]) for number in ward.ill[:HANGING]]

    ward.goes_on()

    quick = provision.set(f"n{ward.healthy[-2]}", "clean", steps=[rest])  # which needs no thread
    assert quick.wait(timeout_s=LONG_S).state == "succeeded"
    assert ward.open_requests == len(runs), "they did not hang"
    gate.unlink()
    until(lambda: ward.open_requests == 0, timeout_s=LONG_S)


def test_webhooks_receivers_that_hang(ward: Ward) -> None:
    for number in ward.ill[:HANGING]:
        ward.power(number, callback_url=ward.hanging.url)
    until(lambda: len(ward.hanging.taken) > 0, timeout_s=LONG_S)

    ward.goes_on()

    called = ward.power(ward.healthy[-3], callback_url=ward.receiver.url)
    until(lambda: any(one.told["request"] == called.id for one in ward.receiver.taken), timeout_s=LONG_S)
    assert ward.client.status().webhooks["waiting"] >= HANGING - PLACES, "they were answered"
    ward.hanging.stall.set()
