"""The private names of pyghmi that the engine leans on.

If one of these fails, read session.py, or areas.py and sensors.py of the operations, before pinning anew.
"""

import inspect
import random
from typing import Any

import pytest
from pyghmi.constants import Health
from pyghmi.ipmi import fru, sdr
from pyghmi.ipmi.private import constants
from pyghmi.ipmi.private import session as pyghmi_session

from castiron.actors.drivers.ipmi.sessions import session as ours
from castiron.actors.drivers.ipmi.settings import read_settings

Stock: Any = pyghmi_session.Session

SIGNATURES = {
    "_get_channel_auth_cap": ["self"],
    "_got_channel_auth_cap": ["self", "response"],
    "_handle_ipmi_packet": ["self", "data", "sockaddr", "qent"],
    "_initsession": ["self"],
    "_open_rmcpplus_request": ["self"],
    "_parse_ipmi_payload": ["self", "payload"],
    "_req_priv_level": ["self"],
    "_send_ipmi_net_payload": [
        "self",
        "netfn",
        "command",
        "data",
        "code",
        "bridge_request",
        "retry",
        "delay_xmit",
        "timeout",
        "rslun",
    ],
    "_xmit_packet": ["self", "retry", "delay_xmit", "timeout"],
    "onlogon": ["self", "parameter"],
}

OVERRIDDEN = {
    "__init__",
    "__new__",
    "_got_channel_auth_cap",
    "_initsession",
    "_req_priv_level",
    "_xmit_packet",
    "onlogon",
}
"""What our subclass takes over, and nothing else of pyghmi's."""


def made() -> ours.Session:
    settings = read_settings({"ipmi_address": "192.0.2.7", "ipmi_username": "u", "ipmi_password": "p"})
    rng = random.Random(1)
    return ours.Session(settings, lambda _: True, lambda: rng.randrange(1, 2**32 - 1))


@pytest.mark.parametrize("name", SIGNATURES)
def test_pyghmi_has_the_methods_in_the_shape_that_we_know(name: str) -> None:
    assert list(inspect.signature(getattr(Stock, name)).parameters) == SIGNATURES[name]


def test_we_override_what_we_say_and_no_more() -> None:
    shared = {name for name in vars(ours.Session) if name in vars(Stock) and callable(getattr(Stock, name))}

    assert shared == OVERRIDDEN


def test_our_own_names_are_not_pyghmis() -> None:
    session = made()
    stock: Any = object.__new__(Stock)
    own = {"_transmit", "_new_id", "_suite", "_news", "_has_left", "_again", "_channel", "_is_let_in"}

    assert own <= vars(session).keys()
    assert not any(hasattr(stock, name) for name in own)
    assert not any(hasattr(Stock, name) for name in ("probe", "open", "request", "close", "resend", "feed"))


@pytest.mark.parametrize(
    ("name", "initial"),
    [
        ("sessioncontext", None),
        ("sequencenumber", 0),
        ("sessionid", 0),
        ("authtype", 0),
        ("ipmiversion", 1.5),
        ("lastpayload", None),
        ("attemptedhash", 256),
        ("k1", None),
    ],
)
def test_a_session_begins_with_the_attributes_that_we_read_or_write(name: str, initial: Any) -> None:
    assert getattr(made(), name) == initial


def test_what_pyghmi_keeps_to_call_back_after_a_probe_is_what_ours_gives_it() -> None:
    class Keeping(ours.Session):
        ipmicallback: Any = None  # an attribute that pyghmi writes, as in its own sessions

    session = Keeping(read_settings({"ipmi_address": "192.0.2.7"}), lambda _: True, lambda: 7)
    session.probe()

    given: Any = made().ipmicallback
    assert session.ipmicallback.__func__ is given.__func__


def test_each_session_has_an_id_and_a_tag_of_its_own() -> None:
    rng = random.Random(3)
    settings = read_settings({"ipmi_address": "192.0.2.7"})
    sessions = [ours.Session(settings, lambda _: True, lambda: rng.randrange(1, 2**32 - 1)) for _ in range(20)]

    assert len({session.localsid for session in sessions}) == 20
    assert len({session.rmcptag for session in sessions}) > 10
    assert all(session.rmcptag + 3 < 256 for session in sessions)


def test_the_states_of_a_login_have_the_names_that_we_match() -> None:
    source = inspect.getsource(Stock)

    for state in ("OPENSESSION", "EXPECTINGRAKP2", "EXPECTINGRAKP4", "ESTABLISHED"):
        assert f"self.sessioncontext = '{state}'" in source or f'self.sessioncontext = "{state}"' in source


def test_pyghmi_numbers_payloads_as_the_standard_does() -> None:
    assert constants.payload_types["rmcpplusopenresponse"] == 0x11
    assert constants.payload_types["rakp2"] == 0x13
    assert constants.payload_types["rakp4"] == 0x15


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (fru.FRU, "_decode_tlv", ["self", "offset", "lang"]),
        (fru.FRU, "__init__", ["self", "rawdata", "ipmicmd", "fruid", "sdr"]),
        (sdr.SDREntry, "__init__", ["self", "entrybytes", "event_consts", "reportunsupported", "mfg_id", "prod_id"]),
        (sdr.SDREntry, "decode_sensor_reading", ["self", "ipmicmd", "reading"]),
        (sdr.SDREntry, "decode_formula", ["self", "entry"]),
    ],
    ids=str,
)
def test_pyghmi_decodes_by_the_methods_that_we_know(owner: Any, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_pyghmis_healths_are_bits_and_the_worst_the_highest() -> None:
    assert (Health.Ok, Health.Warning, Health.Critical, Health.Failed) == (0, 1, 2, 4)
