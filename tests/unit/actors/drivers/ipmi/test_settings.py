"""driver_info of the ipmi driver: what passes, what does not, and that no secret shows in either."""

from typing import Any

import pytest

from castiron.actors.drivers.ipmi.settings import check, read_settings
from castiron.actors.drivers.ipmi.wire.address import literal_address, spell_address, spell_host
from castiron.transport.errors import ArgumentInvalid

MINIMAL = {"ipmi_address": "192.0.2.7"}


def test_only_the_address_is_required() -> None:
    checked = check(MINIMAL)

    assert checked.info == MINIMAL
    assert checked.bmc_address == "192.0.2.7:623"
    assert checked.secret_keys == {"ipmi_password", "ipmi_k_g"}
    with pytest.raises(ArgumentInvalid) as raised:
        check({})
    assert raised.value.details == {"path": "$.driver_info.ipmi_address"}


def test_defaults_are_filled_in_for_the_engine_and_not_for_the_store() -> None:
    settings = read_settings(MINIMAL)

    assert (settings.port, settings.privilege, settings.cipher_suites) == (623, 4, (17, 3))
    assert (settings.username, settings.password, settings.k_g) == (b"", b"", None)
    assert not settings.on_demand
    assert settings.min_command_interval_s == 0


def test_numbers_may_come_as_text_as_command_lines_give_them() -> None:
    given = {**MINIMAL, "ipmi_port": "6230", "ipmi_cipher_suite": "3", "min_command_interval_s": "0.5"}

    info = check(given).info

    assert (info["ipmi_port"], info["ipmi_cipher_suite"], info["min_command_interval_s"]) == (6230, 3, 0.5)
    assert check(info).info == info


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ipmi_port", 0),
        ("ipmi_port", 65536),
        ("ipmi_port", "six"),
        ("ipmi_port", True),
        ("ipmi_port", 6.5),
        ("ipmi_port", "٦٢٣"),
        ("ipmi_username", "x" * 17),
        ("ipmi_username", "ü" * 9),
        ("ipmi_username", 7),
        ("ipmi_password", "x" * 21),
        ("ipmi_password", "a\0b"),
        ("ipmi_cipher_suite", 0),
        ("ipmi_cipher_suite", 8),
        ("ipmi_priv_level", "ROOT"),
        ("ipmi_session", "sometimes"),
        ("ipmi_k_g", "x" * 21),
        ("ipmi_k_g", "0xabc"),
        ("ipmi_k_g", "0x" + "ab" * 21),
        ("ipmi_k_g", "zz" * 20),
        ("ipmi_k_g", 5),
        ("min_command_interval_s", -1),
        ("min_command_interval_s", "nan"),
        ("min_command_interval_s", None),
        ("ipmi_address", ""),
        ("ipmi_address", "a b"),
        ("ipmi_address", "-a.example"),
        ("ipmi_address", "127.1"),
        ("ipmi_address", "256.0.0.1"),
        ("ipmi_address", "x" * 254),
        ("ipmi_address", 7),
    ],
)
def test_a_wrong_value_is_refused_by_its_path_and_not_repeated(key: str, value: Any) -> None:
    with pytest.raises(ArgumentInvalid) as raised:
        check({**MINIMAL, key: value})

    assert raised.value.details == {"path": f"$.driver_info.{key}"}
    assert len(str(value)) < 4 or str(value) not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("key", "nearest"), [("ipmi_adress", "ipmi_address"), ("ipmi_pasword", "ipmi_password"), ("impi_port", "ipmi_port")]
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(key: str, nearest: str) -> None:
    with pytest.raises(ArgumentInvalid, match=f"Did you mean {nearest}") as raised:
        check({**MINIMAL, key: "hunter2hunter2"})

    assert raised.value.details == {"path": f"$.driver_info.{key}", "nearest": nearest}
    assert "hunter2" not in str(raised.value)


def test_settings_do_not_show_their_secrets() -> None:
    settings = read_settings({**MINIMAL, "ipmi_password": "hunter2", "ipmi_k_g": "gatekeeper"})

    assert "hunter2" not in repr(settings)
    assert "gatekeeper" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "read"),
    [("0x0102", b"\1\2"), ("01" * 20, b"\1" * 20), ("text", b"text"), ("0X0A", b"\n"), ("", None)],
)
def test_a_key_is_hexadecimal_or_text(key: str, read: bytes | None) -> None:
    assert read_settings({**MINIMAL, "ipmi_k_g": key}).k_g == read


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("BMC-7.Rack1.Example.", "bmc-7.rack1.example"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[::1]", "::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (" bmc ", "bmc"),
    ],
)
def test_a_host_has_one_spelling(given: str, spelled: str) -> None:
    assert spell_host(given) == spelled
    assert spell_host(spelled) == spelled


def test_an_ipv6_address_is_bracketed_before_its_port() -> None:
    assert spell_address("::1", 623) == "[::1]:623"
    assert check({"ipmi_address": "::1"}).bmc_address == "[::1]:623"


def test_literals_become_socket_addresses_as_recvfrom_spells_them() -> None:
    assert literal_address("127.0.0.1", 623) == (2, ("127.0.0.1", 623))
    assert literal_address("::1", 623) == (10, ("::1", 623, 0, 0))
    assert literal_address("fe80::1%lo", 623) == (10, ("fe80::1", 623, 0, 1))
    assert literal_address("bmc.example", 623) is None
    with pytest.raises(OSError, match="no interface"):
        literal_address("fe80::1%nowhere", 623)
