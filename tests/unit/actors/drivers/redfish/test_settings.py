"""driver_info of the redfish driver: what is taken, and what is told where it is not."""

from typing import Any

import pytest

from castiron.actors.drivers.redfish.settings import check, read_settings
from castiron.transport.errors import ArgumentInvalid

DIGITS = "ab" * 32


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bmc1", "https://bmc1:443"),
        ("BMC1.example.", "https://bmc1.example:443"),
        ("192.0.2.7:8443", "https://192.0.2.7:8443"),
        ("https://192.0.2.7", "https://192.0.2.7:443"),
        ("HTTPS://192.0.2.7/", "https://192.0.2.7:443"),
        ("2001:db8::1", "https://[2001:db8::1]:443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_has_one_spelling_and_reads_back_as_itself(given: str, kept: str) -> None:
    info = check({"redfish_address": given})

    assert info.info == {"redfish_address": kept}
    assert check(info.info) == info
    assert info.bmc_address == kept.removeprefix("https://")


@pytest.mark.parametrize(
    "given",
    [
        "http://bmc1",
        "https://admin:word@bmc1",
        "https://bmc1/redfish/v1",
        "https://bmc1?x=1",
        "bmc1:0",
        "bmc1:99999",
        "bmc 1",
        "https://",
        "https://[::1",
        "",
        7,
        None,
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(given: Any) -> None:
    with pytest.raises(ArgumentInvalid, match="redfish_address must be") as raised:
        check({"redfish_address": given})

    assert raised.value.details == {"path": "$.driver_info.redfish_address"}
    assert "word" not in str(raised.value).replace("password", "")


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("redfish_verify_ca", "False", False),
        ("redfish_verify_ca", True, True),
        ("redfish_verify_ca", "/etc/ssl/bmcs.pem", "/etc/ssl/bmcs.pem"),
        ("redfish_fingerprint", DIGITS.upper(), DIGITS),
        ("redfish_fingerprint", "sha256:" + ":".join(["AB"] * 32), DIGITS),
        ("redfish_system_id", "/redfish/v1/Systems/1/", "/redfish/v1/Systems/1"),
        ("redfish_auth_type", "Session", "session"),
    ],
)
def test_values_are_converted(key: str, given: Any, kept: Any) -> None:
    assert check({"redfish_address": "bmc1", key: given}).info[key] == kept


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("redfish_verify_ca", "maybe"),
        ("redfish_verify_ca", "bmcs.pem"),
        ("redfish_verify_ca", 1),
        ("redfish_fingerprint", DIGITS[:-1]),
        ("redfish_fingerprint", "g" * 64),
        ("redfish_system_id", "1"),
        ("redfish_system_id", "/redfish/v1/Systems/../x"),
        ("redfish_system_id", "/redfish/v1/Systems/1?x"),
        ("redfish_system_id", "https://bmc2/redfish/v1/Systems/1"),
        ("redfish_auth_type", "digest"),
        ("redfish_username", "a" * 257),
        ("redfish_password", "a\0b"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(key: str, given: Any) -> None:
    with pytest.raises(ArgumentInvalid) as raised:
        check({"redfish_address": "bmc1", key: given})

    assert raised.value.details["path"] == f"$.driver_info.{key}"


def test_nothing_is_verified_less_than_by_default_unless_it_is_said() -> None:
    settings = read_settings({"redfish_address": "bmc1"})

    assert (settings.verify, settings.fingerprint, settings.auth) == (True, None, "auto")


def test_a_fingerprint_and_authorities_are_not_taken_together() -> None:
    with pytest.raises(ArgumentInvalid, match="decides alone"):
        check({"redfish_address": "bmc1", "redfish_fingerprint": DIGITS, "redfish_verify_ca": False})


def test_machines_that_share_a_bmc_are_told_apart() -> None:
    first, second = (
        check({"redfish_address": "bmc1", "redfish_system_id": f"/redfish/v1/Systems/{number}"}) for number in (1, 2)
    )

    assert first.bmc_address != second.bmc_address


def test_secrets_are_named_and_not_shown() -> None:
    info = check({"redfish_address": "bmc1", "redfish_password": "s3cret"})

    assert info.secret_keys == {"redfish_password"}
    assert "s3cret" not in repr(info) + repr(read_settings(info.info))
