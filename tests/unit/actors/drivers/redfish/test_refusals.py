"""What a BMC's refusal means."""

import json
from typing import Any

import pytest

from castiron.actors.drivers.redfish.wire.line import Answer
from castiron.actors.drivers.redfish.wire.refusals import error_of, message_ids, retry_after_s
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCFault, BMCUnsupported, CastironError
from tests.support.redfish_bmc import refusal

WHERE = {"node": "n1", "address": "bmc1:443"}


def answer(code: int, body: Any = None, **headers: str) -> Answer:
    return Answer(code, headers, b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("code", "message_id", "kind"),
    [
        (401, None, BMCCredentials),
        (403, None, BMCCredentials),
        (404, None, BMCUnsupported),
        (405, None, BMCUnsupported),
        (501, None, BMCUnsupported),
        (409, None, BMCBusy),
        (412, None, BMCBusy),
        (429, None, BMCBusy),
        (503, None, BMCBusy),
        (400, None, BMCFault),
        (418, None, BMCFault),
        (500, None, BMCFault),
        (400, "PropertyValueNotInList", BMCUnsupported),
        (400, "SessionLimitExceeded", BMCBusy),
        (400, "InsufficientPrivilege", BMCCredentials),
        (500, "ServiceTemporarilyUnavailable", BMCBusy),
        (400, "SomethingNew", BMCFault),
    ],
)
def test_a_message_id_says_more_than_a_status(code: int, message_id: str | None, kind: type[CastironError]) -> None:
    error = error_of(answer(code, None if message_id is None else refusal(message_id)), "GET /redfish/v1/", WHERE)

    assert type(error) is kind
    assert error.details["http_status"] == code
    assert error.details["node"] == "n1"


def test_texts_of_a_bmc_are_not_repeated() -> None:
    body = refusal("PropertyValueFormatError", "The value 's3cret' for the property Password is wrong.")

    error = error_of(answer(400, body), "PATCH /redfish/v1/AccountService/Accounts/2", WHERE)

    assert "PropertyValueFormatError" in str(error)
    assert "s3cret" not in str(error.to_wire())


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": 7}', b'{"error": {}}', b'{"error": {"code": {}}}', b"[" * 100_000]
)
def test_any_body_may_come_with_a_refusal(body: bytes) -> None:
    assert message_ids(body) == ()


def test_ids_are_short_few_and_each_once() -> None:
    told = [{"MessageId": f"Base.1.0.{name}"} for name in ("One", "One", "Two", "x" * 65, "<b>", "A", "B", "C")]

    assert message_ids(json.dumps({"error": {"@Message.ExtendedInfo": told}}).encode()) == ("One", "Two", "A", "B")


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ("7", 7.0),
        ("999999", 3600.0),
        ("", None),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("9" * 99, None),
    ],
)
def test_a_wait_is_seconds_and_bounded(told: str, wait_s: float | None) -> None:
    assert retry_after_s(Answer(503, {"retry-after": told}, b"")) == wait_s
