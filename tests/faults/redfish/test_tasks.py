"""BMCs that answer 202 Accepted: what they make of a request is followed to its end, within the call's time."""

import gc
from typing import Any

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, SetBootDevice, SetPower
from castiron.actors.drivers.operations import ResetBMC
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.settings import read_settings
from castiron.actors.drivers.redfish.wire.line import Answer
from castiron.actors.drivers.redfish.wire.session import Session, World
from castiron.actors.drivers.redfish.wire.tasks import follow
from castiron.actors.drivers.redfish.wire.tls import Contexts
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCError, BMCFault, BMCUnreachable, BMCUnsupported
from castiron.transport.vocabulary import Applied, BootDevice, Instant, PowerControl, PowerState
from tests.support.deadline import until
from tests.support.driver_calls import Caller
from tests.support.redfish_bmc import MANAGER, RESET, SYSTEM, RedfishBMC, refusal
from tests.support.redfish_faults import MONITOR, becomes_a_task, hang, status
from tests.support.sushy import running_sushy

ON = SetPower(PowerControl.ON)
DOES: dict[str, Any] = {"ResetType": "On"}
NOTHING = (204, None)


def task(state: str, *ids: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return an answer that shows a task."""
    told = [{"MessageId": f"Base.1.18.{each}", "Message": "not with s3cret"} for each in ids]
    return 200, {"@odata.id": MONITOR, "TaskState": state, "Messages": told, **more}


ENDS_WELL = {
    "nothing": NOTHING,
    "a task that is over": task("Completed", "Success"),
    "what it made": (200, {"Id": "1"}),
}


@pytest.mark.parametrize("ends", ENDS_WELL.values(), ids=list(ENDS_WELL))
def test_a_task_is_followed_until_it_ends(bmc: RedfishBMC, caller: Caller, ends: tuple[int, Any]) -> None:
    target = caller.target(bmc.driver_info)
    bmc.next(becomes_a_task(ends, looks=2, does=DOES), "POST", RESET)

    assert caller.submit(target, ON).value() is None

    assert (bmc.controls, bmc.count("GET", MONITOR), bmc.count("POST", RESET)) == (["On"], 3, 1)
    assert caller.submit(target, GetPower()).value() is PowerState.ON


def test_a_monitor_that_shows_the_task_itself_is_asked_until_that_is_over(bmc: RedfishBMC, caller: Caller) -> None:
    states = iter(["Pending", "Running", "Stopping", "Completed"])
    bmc.next(becomes_a_task(NOTHING), "POST", RESET)
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()
    ticket = caller.submit(target, ON)
    until(lambda: MONITOR in bmc.tasks)
    bmc.tasks[MONITOR] = lambda: (*task(next(states)), {})

    assert ticket.value() is None
    assert bmc.count("GET", MONITOR) >= 4


def test_a_change_may_be_a_task_too(bmc: RedfishBMC, caller: Caller) -> None:
    setting = BootSetting(BootDevice.PXE, uefi=True)
    boot = {
        "BootSourceOverrideEnabled": "Once",
        "BootSourceOverrideTarget": "Pxe",
        "BootSourceOverrideMode": "UEFI",
    }
    target = caller.target(bmc.driver_info)
    bmc.next(becomes_a_task(NOTHING, looks=1, does={"Boot": boot}), "PATCH")

    assert caller.submit(target, SetBootDevice(setting)).value() is None
    assert caller.submit(target, GetBootDevice()).value() == setting


FAILS: dict[str, tuple[tuple[int, Any], type[BMCError], str, Applied]] = {
    "exception": (task("Exception", "PropertyValueConflict"), BMCFault, "PropertyValueConflict", Applied.NO),
    "cancelled": (task("Cancelled", "TaskCancelled"), BMCFault, "TaskCancelled", Applied.NO),
    "killed": (task("Killed"), BMCFault, "ended as Killed", Applied.UNKNOWN),
    "critical": (
        task("Completed", "InternalError", TaskStatus="Critical"),
        BMCFault,
        "InternalError",
        Applied.UNKNOWN,
    ),
    "refused": (
        (400, refusal("ActionNotSupported", "not with s3cret")),
        BMCUnsupported,
        "ActionNotSupported",
        Applied.NO,
    ),
    "failed": ((500, refusal("InternalError")), BMCFault, "InternalError", Applied.UNKNOWN),
    "gone": ((404, refusal("ResourceMissingAtURI")), BMCFault, "knows nothing of its task", Applied.UNKNOWN),
    "not to be seen": ((403, refusal("InsufficientPrivilege")), BMCCredentials, "may not", Applied.UNKNOWN),
    "elsewhere": ((307, None), BMCFault, "307", Applied.UNKNOWN),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_task_that_fails_is_told_with_the_names_of_the_bmc_s_messages(
    bmc: RedfishBMC, caller: Caller, name: str
) -> None:
    ends, kind, told, applied = FAILS[name]
    bmc.next(becomes_a_task(ends, looks=1), "POST", RESET)
    target = caller.target(bmc.driver_info)

    failure = caller.submit(target, ON).failure()

    assert (type(failure.error), failure.applied) == (kind, applied)
    assert told in str(failure.error)
    assert "s3cret" not in str(failure.error.to_wire())
    assert failure.error.details["node"] == "node"
    assert bmc.count("POST", RESET) == 1
    assert caller.submit(target, GetPower()).value() is PowerState.OFF


def test_a_task_that_does_not_end_in_time_is_in_doubt_and_nobody_asks_further(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(becomes_a_task(NOTHING, looks=1000), "POST", RESET)
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()

    failure = caller.submit(target, ON, 1.5).failure()

    assert (type(failure.error), failure.applied) == (BMCBusy, Applied.UNKNOWN)
    assert MONITOR in str(failure.error)
    asked = bmc.count("GET", MONITOR)
    assert asked > 0
    assert caller.submit(target, GetPower()).value() is PowerState.OFF
    assert bmc.count("GET", MONITOR) == asked
    assert bmc.controls == []


def test_a_bmc_says_when_to_look_again_and_is_looked_at_once_before_the_end(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(becomes_a_task(NOTHING, looks=0, does=DOES, Retry_After="3600"), "POST", RESET)
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()

    assert caller.submit(target, ON, 2.0).value() is None

    assert bmc.count("GET", MONITOR) == 1


def test_a_bmc_that_is_busy_or_asks_for_a_login_meanwhile_is_asked_again(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(becomes_a_task(NOTHING, looks=1, does=DOES), "POST", RESET)
    bmc.next(status(503, refusal("ServiceTemporarilyUnavailable")), path=MONITOR)
    bmc.next(status(401, refusal("NoValidSession")), path=MONITOR)

    assert caller.submit(caller.target(bmc.driver_info), ON).value() is None

    assert (bmc.controls, bmc.logins) == (["On"], 2)


def test_a_monitor_that_hangs_or_is_elsewhere_leaves_the_call_in_doubt(bmc: RedfishBMC, caller: Caller) -> None:
    target = caller.target(bmc.driver_info)
    bmc.next(becomes_a_task(NOTHING, looks=5), "POST", RESET)
    bmc.next(hang, path=MONITOR)
    hangs = caller.submit(target, ON, 1.0).failure()
    bmc.next(becomes_a_task(NOTHING, at="https://203.0.113.9/taskmon/1"), "POST", RESET)
    elsewhere = caller.submit(target, ON).failure()

    assert (type(hangs.error), hangs.applied) == (BMCUnreachable, Applied.UNKNOWN)
    assert (type(elsewhere.error), elsewhere.applied) == (BMCFault, Applied.UNKNOWN)


def test_a_bmc_that_names_no_monitor_has_taken_the_request(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(status(202, {"TaskState": "New"}), "POST", RESET)

    assert caller.submit(caller.target(bmc.driver_info), ON).value() is None


def test_a_restart_of_the_bmc_is_not_followed(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(becomes_a_task(NOTHING, looks=1000), "POST", f"{MANAGER}/Actions/Manager.Reset")

    assert caller.submit(caller.target(bmc.driver_info), ResetBMC()).value() is None
    assert bmc.count("GET", MONITOR) == 0


def test_a_forgotten_node_ends_the_wait_at_once(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(becomes_a_task(NOTHING, looks=1000, Retry_After="3600"), "POST", RESET)
    target = caller.target(bmc.driver_info)
    ticket = caller.submit(target, ON, 3600)
    until(lambda: bmc.count("POST", RESET) == 1)

    caller.driver.forget(target.node)
    caller.driver.stop(5)

    assert ticket.failure().applied is Applied.UNKNOWN
    assert caller.driver.counters()["running"] == 0
    gc.collect()  # a connection that was left open says so


@pytest.mark.simulators
def test_a_task_of_the_emulator_is_understood(clock: SystemClock) -> None:
    with running_sushy() as bmc:
        session = Session(read_settings(bmc.driver_info), World(clock, Contexts(), Tally()), {})
        session.begin(Instant(clock.now() + 10))
        shown = "/redfish/v1/TaskService/Tasks/42"

        follow(session, Answer(202, {"location": shown}, b""), f"POST {SYSTEM}")

        assert f"GET {shown}" in bmc.log
        session.close_line()
