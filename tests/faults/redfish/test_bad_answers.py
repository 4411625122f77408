"""BMCs that answer late, in part, too much, or something else: each ends one call in time, with what is known of it."""

import logging
from typing import Any

import pytest

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import BootSetting, GetBootDevice, GetPower, NotDone, SetBootDevice, SetPower
from castiron.actors.drivers.operations import ClearSEL
from castiron.actors.drivers.redfish import RedfishDriver
from castiron.actors.drivers.redfish.counters import Tally
from castiron.actors.drivers.redfish.settings import read_settings
from castiron.actors.drivers.redfish.wire.session import Session, World
from castiron.actors.drivers.redfish.wire.tls import Contexts
from castiron.transport.errors import (
    BMCBusy,
    BMCCertificate,
    BMCCredentials,
    BMCFault,
    BMCUnreachable,
    BMCUnsupported,
    CastironError,
)
from castiron.transport.vocabulary import Applied, BootDevice, Instant, PowerControl, PowerState
from tests.support.certificates import make_certificate
from tests.support.driver_calls import Caller
from tests.support.redfish_bmc import ENTRIES, MANAGER, RESET, SESSIONS, SYSTEM, Fault, RedfishBMC, refusal
from tests.support.redfish_faults import cut, drip, endless, hang, hang_inside, lost, status, truncated

ON = SetPower(PowerControl.ON)

ELSEWHERE = status(307, None, Location="https://203.0.113.9/redfish/v1/Systems/1")
SECRET = "h0rse-battery"
CIRCLES = status(307, None, Location=SYSTEM)

ANSWERS: list[tuple[str, Fault, type[CastironError]]] = [
    ("hang", hang, BMCUnreachable),
    ("hang in the answer", hang_inside, BMCUnreachable),
    ("drip", drip, BMCUnreachable),
    ("truncated", truncated, BMCFault),
    ("no JSON object", status(200, b"[]"), BMCFault),
    ("no text at all", status(200, b"\xff\xfe\x00"), BMCFault),
    ("deep", status(200, b"[" * 100_000), BMCFault),
    ("endless", endless, BMCFault),
    ("elsewhere", ELSEWHERE, BMCFault),
    ("in circles", CIRCLES, BMCFault),
    ("failed", status(500, refusal("InternalError")), BMCFault),
    ("not there", status(404), BMCUnsupported),
    ("not allowed", status(403, refusal("InsufficientPrivilege")), BMCCredentials),
    ("in use", status(400, refusal("ResourceInUse")), BMCBusy),
    ("no power state", status(200, b"{}"), BMCFault),
    ("strange power state", status(200, b'{"PowerState": ["On"]}'), BMCFault),
]


@pytest.mark.parametrize(("fault", "kind"), [each[1:] for each in ANSWERS], ids=[each[0] for each in ANSWERS])
def test_a_bad_answer_is_told_and_the_next_call_works(
    bmc: RedfishBMC, caller: Caller, fault: Fault, kind: type[CastironError]
) -> None:
    target = caller.target(bmc.driver_info)
    bmc.next(fault, count=9 if fault is CIRCLES else 1)

    failure = caller.submit(target, GetPower(), 0.6).failure()

    assert type(failure.error) is kind
    assert failure.applied is Applied.NO
    assert failure.error.details["node"] == "node"
    bmc.released.set()
    if fault is not CIRCLES:
        assert caller.submit(target, GetPower()).value() is PowerState.OFF


def test_a_connection_that_is_cut_is_no_answer(bmc: RedfishBMC, caller: Caller) -> None:
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()
    bmc.next(cut, count=2)

    assert isinstance(caller.submit(target, GetPower()).failure().error, BMCUnreachable)


def test_what_only_reads_is_asked_once_more_over_a_new_connection(bmc: RedfishBMC, caller: Caller) -> None:
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()

    bmc.drop_connections()

    assert caller.submit(target, GetPower()).value() is PowerState.OFF
    assert (bmc.connections, bmc.logins) == (2, 1)


def test_an_answer_has_an_end(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(endless)

    assert "more than 4 MB" in str(caller.submit(caller.target(bmc.driver_info), GetPower()).failure().error)


def test_silence_is_not_asked_again(bmc: RedfishBMC, clock: SystemClock) -> None:
    session = Session(read_settings(bmc.driver_info), World(clock, Contexts(), Tally()), {})
    session.begin(Instant(clock.now() + 10))
    session.get(SYSTEM)
    bmc.next(hang)

    session.begin(Instant(clock.now() + 0.2))
    with pytest.raises(BMCUnreachable):
        session.get(SYSTEM)

    assert bmc.count("GET", SYSTEM) == 2
    session.close_line()


def test_a_wait_that_the_bmc_asks_for_is_passed_on(bmc: RedfishBMC, caller: Caller) -> None:
    bmc.next(status(503, refusal("ServiceTemporarilyUnavailable"), Retry_After="7"))

    error = caller.submit(caller.target(bmc.driver_info), GetPower()).failure().error

    assert isinstance(error, BMCBusy)
    assert error.retry_after_s == 7.0
    assert error.details["http_status"] == 503


class TestActing:
    def test_a_reset_whose_answer_is_lost_is_unknown_and_not_sent_again(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.next(lost("POST", RESET, {"ResetType": "On"}), "POST", RESET)
        target = caller.target(bmc.driver_info)

        failure = caller.submit(target, ON).failure()

        assert isinstance(failure.error, BMCUnreachable)
        assert failure.applied is Applied.UNKNOWN
        assert caller.submit(target, GetPower()).value() is PowerState.ON
        assert bmc.controls == ["On"]

    def test_a_reset_that_hangs_is_unknown_at_its_deadline(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.next(hang, "POST", RESET)
        target = caller.target(bmc.driver_info)
        caller.submit(target, GetPower()).value()

        failure = caller.submit(target, ON, 0.4).failure()

        assert isinstance(failure.error, BMCUnreachable)
        assert failure.applied is Applied.UNKNOWN
        assert bmc.count("POST", RESET) == 1

    @pytest.mark.parametrize(
        ("code", "message_id", "applied"),
        [
            (400, "ActionParameterValueNotInList", Applied.NO),
            (403, "InsufficientPrivilege", Applied.NO),
            (404, "ResourceMissingAtURI", Applied.NO),
            (503, "ServiceTemporarilyUnavailable", Applied.NO),
            (500, "InternalError", Applied.UNKNOWN),
            (504, "InternalError", Applied.UNKNOWN),
        ],
    )
    def test_a_refused_reset_says_whether_it_was_done(
        self, bmc: RedfishBMC, caller: Caller, code: int, message_id: str, applied: Applied
    ) -> None:
        bmc.next(status(code, refusal(message_id)), "POST", RESET)
        target = caller.target(bmc.driver_info)

        assert caller.submit(target, ON).failure().applied is applied
        assert bmc.count("POST", RESET) == 1
        # What was known of one call is not known of the next.
        bmc.next(hang)
        assert caller.submit(target, GetPower(), 0.3).failure().applied is Applied.NO

    def test_what_was_done_before_a_refusal_stays_in_doubt(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        bmc.events = 3
        bmc.next(lambda _: False, path=ENTRIES)
        bmc.next(status(503), path=ENTRIES)

        assert caller.submit(target, ClearSEL()).failure().applied is Applied.UNKNOWN

    def test_a_log_that_is_not_cleared_is_told(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.events = 3
        bmc.next(status(204), "POST", f"{MANAGER}/LogServices/SEL/Actions/LogService.ClearLog")

        failure = caller.submit(caller.target(bmc.driver_info), ClearSEL()).failure()

        assert isinstance(failure.error, BMCFault)
        assert failure.applied is Applied.UNKNOWN

    def test_a_redirected_reset_is_not_sent_elsewhere(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.next(ELSEWHERE, "POST", RESET)

        failure = caller.submit(caller.target(bmc.driver_info), ON).failure()

        assert isinstance(failure.error, BMCFault)
        assert failure.applied is Applied.NO

    def test_a_tag_that_a_bmc_does_not_take_back_hinders_no_change(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        setting = BootSetting(BootDevice.CDROM, uefi=True)
        bmc.next(status(412, refusal("PreconditionFailed")), "PATCH")

        assert caller.submit(target, SetBootDevice(setting)).value() is None
        assert caller.submit(target, GetBootDevice()).value() == setting
        bmc.next(status(412, refusal("PreconditionFailed")), "PATCH", count=2)
        failure = caller.submit(target, SetBootDevice(setting)).failure()
        assert (type(failure.error), failure.applied) == (BMCBusy, Applied.NO)

    def test_an_idle_connection_that_ended_costs_no_reset(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        caller.submit(target, GetPower()).value()
        bmc.drop_connections()

        assert caller.submit(target, ON).value() is None
        assert bmc.controls == ["On"]


class TestSessions:
    def test_a_session_is_used_again_and_deleted_at_the_end(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        for _ in range(5):
            caller.submit(target, GetPower()).value()
        assert (len(bmc.sessions), bmc.logins, bmc.connections) == (1, 1, 1)

        caller.driver.stop(5)

        assert bmc.sessions == {}
        assert bmc.asked[-1] == f"DELETE {SESSIONS}/1"

    def test_a_session_that_has_expired_is_opened_anew_also_before_a_reset(
        self, bmc: RedfishBMC, caller: Caller
    ) -> None:
        target = caller.target(bmc.driver_info)
        caller.submit(target, GetPower()).value()

        bmc.expire_sessions()
        assert caller.submit(target, ON).value() is None
        bmc.next(status(401, refusal("NoValidSession")), "POST", RESET)
        assert caller.submit(target, SetPower(PowerControl.OFF)).value() is None

        assert (bmc.logins, bmc.controls) == (3, ["On", "ForceOff"])

    def test_a_forgotten_node_s_session_is_deleted(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        caller.submit(target, GetPower()).value()

        caller.driver.forget(target.node)
        caller.driver.stop(5)

        assert bmc.sessions == {}

    def test_other_credentials_get_another_session_and_the_old_one_is_deleted(
        self, bmc: RedfishBMC, caller: Caller
    ) -> None:
        bmc.users["second"] = "word"
        caller.submit(caller.target(bmc.driver_info), GetPower()).value()
        other = {**bmc.driver_info, "redfish_username": "second", "redfish_password": "word"}

        caller.submit(caller.target(other, generation=2), GetPower()).value()
        caller.driver.stop(5)

        assert (bmc.logins, bmc.sessions) == (2, {})

    def test_a_bmc_without_a_free_session_says_so(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.max_sessions = 0

        error = caller.submit(caller.target(bmc.driver_info), GetPower()).failure().error

        assert isinstance(error, BMCBusy)
        assert "no session left" in str(error)

    def test_a_bmc_without_sessions_is_asked_with_the_password_each_time(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.has_sessions = False
        target = caller.target(bmc.driver_info)

        assert [caller.submit(target, GetPower()).value() for _ in range(3)] == [PowerState.OFF] * 3
        assert bmc.logins == 0
        assert caller.driver.counters()["logins"] == 1

    def test_where_a_session_is_asked_for_nothing_else_will_do(self, bmc: RedfishBMC, caller: Caller) -> None:
        bmc.has_sessions = False
        target = caller.target({**bmc.driver_info, "redfish_auth_type": "session"})

        assert isinstance(caller.submit(target, GetPower()).failure().error, BMCUnsupported)

    def test_a_machine_that_hangs_leaves_no_session_behind(self, bmc: RedfishBMC, caller: Caller) -> None:
        target = caller.target(bmc.driver_info)
        caller.submit(target, GetPower()).value()
        bmc.next(hang)
        caller.submit(target, GetPower(), 0.3).failure()

        assert caller.submit(target, GetPower()).value() is PowerState.OFF
        caller.driver.stop(5)

        assert (bmc.logins, bmc.sessions) == (1, {})


class TestCertificates:
    def without(self, info: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {**{key: value for key, value in info.items() if key != "redfish_verify_ca"}, **more}

    def test_a_certificate_that_nobody_known_has_signed_is_refused(self, bmc: RedfishBMC, caller: Caller) -> None:
        failure = caller.submit(caller.target(self.without(bmc.driver_info)), ON).failure()

        assert isinstance(failure.error, BMCCertificate)
        assert failure.applied is Applied.NO
        assert "redfish_verify_ca" in str(failure.error)
        assert bmc.asked == []

    def test_the_pinned_certificate_is_right_and_another_is_not(
        self, bmc: RedfishBMC, caller: Caller, tmp_path: Any
    ) -> None:
        right = self.without(bmc.driver_info, redfish_fingerprint=bmc.certificate.fingerprint)
        wrong = self.without(bmc.driver_info, redfish_fingerprint=make_certificate(tmp_path).fingerprint)

        assert caller.submit(caller.target(right), GetPower()).value() is PowerState.OFF
        error = caller.submit(caller.target(wrong, "other"), GetPower()).failure().error

        assert isinstance(error, BMCCertificate)
        assert error.details["fingerprint"] == bmc.certificate.fingerprint

    def test_verification_is_off_where_that_was_asked_for(self, bmc: RedfishBMC, caller: Caller) -> None:
        trusting = self.without(bmc.driver_info, redfish_verify_ca="false")

        assert caller.submit(caller.target(trusting), GetPower()).value() is PowerState.OFF

    def test_another_host_s_certificate_is_refused(self, bmc: RedfishBMC, caller: Caller) -> None:
        elsewhere = {**bmc.driver_info, "redfish_address": f"localhost:{bmc.port}"}

        assert isinstance(caller.submit(caller.target(elsewhere), GetPower()).failure().error, BMCCertificate)

    def test_authorities_that_cannot_be_read_are_told(self, bmc: RedfishBMC, caller: Caller) -> None:
        info = {**bmc.driver_info, "redfish_verify_ca": "/nonexistent/ca.pem"}

        assert isinstance(caller.submit(caller.target(info), GetPower()).failure().error, BMCCertificate)


def test_no_secret_is_in_any_error_or_log_line(
    bmc: RedfishBMC, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    info = {**bmc.driver_info, "redfish_password": SECRET}
    with caplog.at_level(logging.DEBUG):
        outcome = caller.submit(caller.target(info), GetPower()).failure()

    assert isinstance(outcome.error, BMCCredentials)
    told = repr(outcome) + str(outcome.error.to_wire()) + caplog.text
    assert SECRET not in told
    assert "token-" not in told


def test_counts_are_of_what_happened(bmc: RedfishBMC, caller: Caller, driver: RedfishDriver) -> None:
    target = caller.target(bmc.driver_info)
    caller.submit(target, GetPower()).value()
    bmc.next(hang)
    # Long enough to begin on any machine: what has not begun by its deadline is not late, but has not had its turn.
    assert isinstance(caller.submit(target, GetPower(), 1.0).outcome(), NotDone)

    counts = driver.counters()

    assert (counts["logins"], counts["sessions"], counts["late"], counts["logins_failed"]) == (1, 1, 1, 0)
