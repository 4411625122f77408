"""Requests as things, in a whole conductor: one key is one execution, also over a restart; waits; taking back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from castiron.actors.conductor import Conductor
from castiron.actors.settings import Settings
from castiron.cli.main import main
from castiron.testing import BMCFarm, running_conductor
from castiron.testing.bmc import Faults
from castiron.testing.bmc.codes import ChassisAction
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import ConductorOverloaded, RequestEnded, RequestNotFound, RequestReused, RequestStarted
from castiron.transport.replies import RequestView
from castiron.transport.verbs import NodePowerSet, RequestAbort, RequestCancel, RequestShow, RequestWait, Verb
from castiron.transport.vocabulary import PowerTarget, ReplyWish
from tests.support.deadline import until
from tests.support.talking import Talking

CHECKLESS = Settings(sync_power_state_interval_s=0)
KEY = "a-key-of-mine"
REBOOT: dict[str, Any] = {"node": "n1", "target": PowerTarget.REBOOT}

pytestmark = pytest.mark.castiron(nodes=2, settings=CHECKLESS, impatient=False)


def ask(conductor: Conductor, verb: Verb, timeout_s: float = 10.0) -> RequestView:
    with Talking(conductor.endpoint) as conversation:
        return conversation.ask(verb, RequestView, timeout_s)


def test_the_same_key_is_the_same_request_for_as_long_as_it_is_kept(bmc_farm: BMCFarm, tmp_path: Path) -> None:
    store = tmp_path / "castiron.db"
    with running_conductor(store=store, settings=CHECKLESS) as conductor:
        with conductor.client() as client:
            client.nodes.create("n1", driver_info=bmc_farm[0].driver_info)
        first = ask(conductor, NodePowerSet(key=KEY, replies=ReplyWish.FINAL, **REBOOT))
        again = ask(conductor, NodePowerSet(key=KEY, **REBOOT))
        waited = ask(conductor, NodePowerSet(key=KEY, replies=ReplyWish.FINAL, **REBOOT))

    with running_conductor(store=store, settings=CHECKLESS) as conductor:
        after_restart = ask(conductor, NodePowerSet(key=KEY, replies=ReplyWish.FINAL, **REBOOT))
        with pytest.raises(RequestReused) as refusal:
            ask(conductor, NodePowerSet(node="n1", target=PowerTarget.OFF, key=KEY))
        another = ask(conductor, NodePowerSet(key="another-key", replies=ReplyWish.FINAL, **REBOOT))

    assert first == again == waited == after_restart
    assert (first.state, first.key) == ("succeeded", KEY)
    assert refusal.value.details["request"] == first.id
    assert another.id != first.id
    assert [control.action for control in bmc_farm[0].controls] == [
        ChassisAction.POWER_UP,
        ChassisAction.POWER_DOWN,
        ChassisAction.POWER_UP,
    ]  # it was off at first


def test_whoever_joins_a_running_request_hears_its_end_and_keeps_their_key(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    bmc_farm[0].set_faults(Faults(slow_s=0.2))
    first = ask(castiron_conductor, NodePowerSet(key="the-first", **REBOOT))

    joined = ask(castiron_conductor, NodePowerSet(key="the-second", replies=ReplyWish.FINAL, **REBOOT))
    later = ask(castiron_conductor, NodePowerSet(key="the-second", **REBOOT))

    assert (joined.id, joined.state, joined.merged) == (first.id, "succeeded", 1)
    assert later.id == first.id
    assert castiron_client.status().requests.waiters == 0


@pytest.mark.castiron(settings=replace(CHECKLESS, max_running_actions=1, command_timeout_s=1.0))
def test_what_waits_for_a_permit_can_be_cancelled_and_what_runs_aborted(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    bmc_farm[0].set_faults(Faults(silent=True))
    runs = ask(castiron_conductor, NodePowerSet(**REBOOT))
    until(lambda: castiron_client.requests.show(runs.id).state == "running")
    waits = ask(castiron_conductor, NodePowerSet(node="n2", target=PowerTarget.ON))
    assert ask(castiron_conductor, RequestShow(request=waits.id)).position == 1

    cancelled = ask(castiron_conductor, RequestCancel(request=waits.id))
    assert (cancelled.state, (cancelled.error or {})["code"]) == ("cancelled", "request.cancelled")
    with pytest.raises(RequestStarted):
        ask(castiron_conductor, RequestCancel(request=runs.id))

    aborted = ask(castiron_conductor, RequestAbort(request=runs.id))
    assert (aborted.state, (aborted.error or {})["code"]) == ("failed", "request.aborted")
    assert (aborted.error or {})["details"]["power_state"] is None
    assert castiron_client.nodes.show("n1").target_power_state is None
    for verb in (RequestCancel(request=runs.id), RequestAbort(request=waits.id)):
        with pytest.raises(RequestEnded):
            ask(castiron_conductor, verb)
    with pytest.raises(RequestNotFound):
        ask(castiron_conductor, RequestAbort(request="nonsense"))
    assert bmc_farm[1].controls == []


def test_an_aborted_request_answers_all_who_wait_for_it(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    bmc_farm[0].set_faults(Faults(late_power_s=60.0))
    request = castiron_client.nodes.power("n1", "power on")
    until(lambda: len(bmc_farm[0].controls) == 1)

    aborted = ask(castiron_conductor, RequestAbort(request=request.id))
    waited = ask(castiron_conductor, RequestWait(request=request.id))

    assert waited == aborted
    assert (aborted.error or {})["details"]["power_state"] == "power off"  # seen after the abort
    assert (aborted.error or {})["applied"] == "yes"
    assert aborted.aborted_by is not None


@pytest.mark.castiron(settings=replace(CHECKLESS, max_running_actions=1))
def test_an_abort_of_what_waits_is_answered_once(
    castiron_conductor: Conductor, castiron_client: Client, bmc_farm: BMCFarm
) -> None:
    bmc_farm[0].set_faults(Faults(silent=True))
    ask(castiron_conductor, NodePowerSet(**REBOOT))
    waits = ask(castiron_conductor, NodePowerSet(node="n2", target=PowerTarget.ON))

    aborted = ask(castiron_conductor, RequestAbort(request=waits.id))

    assert aborted.state == "cancelled"
    assert castiron_client.status().transport["doubled"] == 0
    assert castiron_client.status().requests.waiters == 0


@pytest.mark.castiron(nodes=1, driver="fake", settings={"max_open_requests": 1})
def test_an_equal_request_joins_where_there_is_no_room_for_another(
    castiron_conductor: Conductor, castiron_client: Client
) -> None:
    castiron_client.nodes.set_maintenance("n1")
    first = castiron_client.nodes.power("n1", "power on", hold=True)
    with Client(castiron_conductor.endpoint, patience_s=0) as hasty:
        joined = hasty.nodes.power("n1", "power on", hold=True)
        with pytest.raises(ConductorOverloaded):
            hasty.nodes.power("n1", "power off", hold=True, policy="after")

    assert joined.id == first.id


@pytest.mark.parametrize("word", ["cancel", "abort"])
@pytest.mark.castiron(nodes=1, driver="fake", timeout_s=30)
def test_taking_back_is_rehearsed_on_the_command_line(
    castiron_conductor: Conductor, castiron_client: Client, word: str
) -> None:
    castiron_client.nodes.set_maintenance("n1")
    waits = castiron_client.nodes.power("n1", "power on", hold=True)
    shell = CliRunner(env={"CASTIRON_ENDPOINT": castiron_conductor.endpoint})
    told = shell.invoke(main, ["request", word, waits.id, "--dry-run"])
    unknown = shell.invoke(main, ["request", word, "nonsense", "--dry-run"])

    assert castiron_client.requests.show(waits.id).state == "queued"

    assert told.stdout == f"{waits.id}: n1: It would be cancelled; the machine has not been touched.\n"
    assert (told.exit_code, unknown.exit_code) == (0, 66)
