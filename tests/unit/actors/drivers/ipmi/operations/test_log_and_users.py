"""The event log's erasure, and passwords, request by request."""

import dataclasses
from typing import get_args

import pytest

from castiron.actors.drivers.base import Extra, Operation
from castiron.actors.drivers.findings import PasswordCheck, SELInfo
from castiron.actors.drivers.ipmi.operations.sel import MAX_POLLS, MAX_TRIES, POLL_S
from castiron.actors.drivers.ipmi.operations.table import OPERATIONS
from castiron.actors.drivers.ipmi.sessions.exchange import Nonsense, Refused, Request, Unable
from castiron.actors.drivers.operations import (
    WORDS,
    CheckUserPassword,
    ClearSEL,
    GetSELInfo,
    Identify,
    SetUserPassword,
    VerifyCredentials,
    said,
)
from castiron.testing.bmc import Event, User
from tests.support.talks import Desk, talk

SECRET = "s3cret-word"
HOT = Event(0x01, 1, 0x01, b"\x59")


def sent(desk: Desk, command: int) -> list[Request]:
    return [request for request in desk.asked if request.command == command]


class TestEventLog:
    def test_an_erasure_is_begun_once_and_watched_to_its_end(self, desk: Desk) -> None:
        desk.device.log.add(HOT, desk.now)
        desk.device.log.erase_s = 3 * POLL_S

        assert desk.talk(ClearSEL()) is None

        begun, *looks = sent(desk, 0x47)
        assert (begun.acts, begun.data[2:]) == (True, b"CLR\xaa")
        assert [(look.acts, look.after_s, look.data[2:]) for look in looks] == [(False, POLL_S, b"CLR\x00")] * 3
        assert len(desk.device.log) == 0

    def test_a_reservation_that_an_event_ended_is_made_anew(self, desk: Desk) -> None:
        def eventful(request: Request) -> bytes:
            if request.command == 0x47 and len(desk.device.log) < 2:
                desk.device.log.add(HOT, desk.now)
            return desk(request)

        talk(ClearSEL(), eventful)

        assert desk.device.log.erase_count == 1
        assert len(sent(desk, 0x42)) == 3

    def test_a_log_that_is_never_left_alone_is_told_and_in_doubt(self, desk: Desk) -> None:
        def noisy(request: Request) -> bytes:
            if request.command == 0x47:
                desk.device.log.add(HOT, desk.now)
            return desk(request)

        with pytest.raises(Refused) as raised:
            talk(ClearSEL(), noisy)

        assert (raised.value.code, raised.value.is_in_doubt) == (0xC5, True)
        assert len(sent(desk, 0x47)) == MAX_TRIES
        assert desk.device.log.erase_count == 0

    def test_events_during_an_erasure_cost_a_reservation_and_no_second_erasure(self, desk: Desk) -> None:
        desk.device.log.erase_s = 5 * POLL_S

        def eventful(request: Request) -> bytes:
            if request.after_s and len(desk.device.log) < 2:
                desk.device.log.add(HOT, desk.now)
            return desk(request)

        talk(ClearSEL(), eventful)

        assert desk.device.log.erase_count == 1

    def test_an_erasure_without_end_is_given_up(self, desk: Desk) -> None:
        desk.device.log.erase_s = 1e9

        with pytest.raises(Nonsense, match="erasure"):
            desk.talk(ClearSEL())
        assert len(sent(desk, 0x47)) == MAX_POLLS + 1

    def test_a_log_without_reservations_is_cleared(self) -> None:
        def without(request: Request) -> bytes:
            if request.command == 0x42:
                return b"\xc1"
            assert request.data[:2] == b"\0\0"
            return b"\0\x01"

        assert talk(ClearSEL(), without)[0] is None

    def test_what_a_log_says_of_itself(self) -> None:
        answer = b"\0\x51\x03\x00\x10\x00\x01\x00\x00\x00\xff\xff\xff\xff\x82"

        found = talk(GetSELInfo(), lambda _: answer)[0]

        assert found == SELInfo(entry_count=3, free_bytes=16, has_overflowed=True, added_at=1.0, erased_at=None)


class TestUsers:
    @pytest.mark.parametrize(("length", "size", "mark"), [(1, 16, 0), (16, 16, 0), (17, 20, 0x80), (20, 20, 0x80)])
    def test_a_password_goes_in_the_form_that_holds_it(self, desk: Desk, length: int, size: int, mark: int) -> None:
        password = "p" * length

        assert desk.talk(SetUserPassword("admin", password)) is None

        (request,) = sent(desk, 0x47)
        assert request.data == bytes((2 | mark, 2)) + password.encode().ljust(size, b"\0")
        assert (request.acts, request.once) == (True, False)
        assert desk.device.password_of(b"admin") == password.encode()

    @pytest.mark.parametrize("is_long", [False, True])
    def test_a_password_is_compared_in_the_form_in_which_it_is_kept(self, desk: Desk, is_long: bool) -> None:
        desk.device.users.add(User(b"guest", b"word", is_long=is_long))

        assert desk.talk(CheckUserPassword("guest", "word")) is PasswordCheck.MATCHES
        assert desk.talk(CheckUserPassword("guest", "Word")) is PasswordCheck.DIFFERS
        assert not any(request.acts for request in desk.asked)

    @pytest.mark.parametrize("name", ["nobody", "guest"])
    def test_a_name_that_is_not_of_one_user_is_refused_before_anything_is_changed(self, desk: Desk, name: str) -> None:
        for _ in range(2):
            desk.device.users.add(User(b"guest", b"word"))

        with pytest.raises(Unable, match=name):
            desk.talk(SetUserPassword(name, SECRET))
        assert not sent(desk, 0x47)

    def test_a_bmc_that_names_no_free_ids_is_searched_to_its_end(self, desk: Desk) -> None:
        for name in (b"a", b"b", b"c"):
            desk.device.users.add(User(name, b"word"))

        def refusing(request: Request) -> bytes:
            return b"\xcc" if request.command == 0x46 and request.data[0] in {3, 4} else desk(request)

        talk(SetUserPassword("c", SECRET), refusing)

        assert desk.device.password_of(b"c") == SECRET.encode()

    def test_a_refusal_is_told(self, desk: Desk) -> None:
        def refusing(request: Request) -> bytes:
            return b"\xc7" if request.command == 0x47 else desk(request)

        with pytest.raises(Refused) as raised:
            talk(SetUserPassword("admin", SECRET), refusing)
        assert SECRET not in repr(raised.value)
        assert SECRET not in repr(raised.value.request)


class TestAll:
    @pytest.mark.parametrize("password", ["", "p" * 21, "é" * 11, "a\0b"])
    @pytest.mark.parametrize("kind", [SetUserPassword, CheckUserPassword])
    def test_a_password_that_no_bmc_keeps_is_refused_and_not_repeated(
        self, kind: type[SetUserPassword], password: str
    ) -> None:
        with pytest.raises(ValueError, match="1 to 20 bytes") as raised:
            kind("admin", password)
        assert not password or password not in str(raised.value)

    @pytest.mark.parametrize("duration_s", [-1, 256])
    def test_a_lamp_is_lit_for_a_byte_of_seconds(self, duration_s: int) -> None:
        with pytest.raises(ValueError, match="duration_s"):
            Identify(duration_s)

    def test_every_operation_is_carried_out_and_can_be_told(self) -> None:
        assert set(OPERATIONS) == set(get_args(Operation))
        assert set(WORDS) == set(get_args(Extra))

    @pytest.mark.parametrize(
        "operation",
        [
            SetUserPassword("admin", SECRET),
            CheckUserPassword("admin", SECRET),
            VerifyCredentials({"ipmi_password": SECRET}),
        ],
        ids=lambda operation: type(operation).__name__,
    )
    def test_a_secret_is_told_to_nobody(self, operation: Extra) -> None:
        for text in (repr(operation), str(operation), repr(said(operation))):
            assert SECRET not in text
        assert SECRET in str(dataclasses.asdict(operation))
        hash(operation)
