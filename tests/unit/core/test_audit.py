"""What a change was: old and new values by name, no secret, and never too much."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castiron.actors.core.audit import MAX_CHANGES, MAX_VALUE_CHARACTERS, told_changes
from castiron.transport.codec import encode_published
from castiron.transport.events import MAX_EVENT_BYTES, EventView
from castiron.transport.replies import MASK
from tests.support.store_records import PASSWORD, plain_node

NODE = plain_node(properties={"cpus": 4, "rack": "r1"}, extra={})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "n2"}, {"name": {"from": "n1", "to": "n2"}}),
        ({"properties": {"cpus": 8, "rack": "r1"}}, {"properties.cpus": {"from": 4, "to": 8}}),
        ({"properties": {"cpus": 4}}, {"properties.rack": {"from": "r1", "to": None}}),
        ({"extra": {"deep": {"a": [1]}}}, {"extra.deep": {"from": None, "to": {"a": [1]}}}),
        (
            {"power_state_change_timeout_s": 5.0},
            {"power_state_change_timeout_s": {"from": None, "to": 5.0}},
        ),
        (
            {"driver_info": {**NODE.driver_info, "ipmi_address": "127.0.0.2"}, "bmc_address": "127.0.0.2:623"},
            {"driver_info.ipmi_address": {"from": "127.0.0.1", "to": "127.0.0.2"}},
        ),
        (
            {"driver_info": {**NODE.driver_info, "ipmi_password": "new"}},
            {"driver_info.ipmi_password": {"from": MASK, "to": MASK}},
        ),
        (
            {"driver_info": {"ipmi_k_g": "new"}, "secret_keys": frozenset({"ipmi_k_g"})},
            {
                "driver_info.ipmi_address": {"from": "127.0.0.1", "to": None},
                "driver_info.ipmi_k_g": {"from": None, "to": MASK},
                "driver_info.ipmi_password": {"from": MASK, "to": None},
            },
        ),
    ],
)
def test_what_changed_is_told_by_name_before_and_after(changes: dict[str, Any], told: dict[str, Any]) -> None:
    assert told_changes(NODE, changes) == told


def test_what_is_long_is_cut_and_told_so() -> None:
    told = told_changes(NODE, {"name": "x" * 1000})["name"]["to"]

    assert told == "x" * MAX_VALUE_CHARACTERS + "… (1000 characters)"


def test_what_is_much_is_cut_and_told_so() -> None:
    told = told_changes(NODE, {"extra": {f"k{number:03}": number for number in range(256)}})

    assert len(told) == MAX_CHANGES + 1
    assert told["…"] == {"from": None, "to": f"{256 - MAX_CHANGES} more"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.text(min_size=1, max_size=255), json_values, max_size=100))
def test_whatever_changes_the_event_can_be_sent_and_has_no_secret(extra: dict[str, Any]) -> None:
    info = {**NODE.driver_info, "ipmi_password": f"{PASSWORD}2"}

    told = told_changes(NODE, {"extra": extra, "driver_info": info})

    event = encode_published(EventView(seq=1, type="node.update.end", at=0.0, payload={"changes": told}))
    assert len(event) < MAX_EVENT_BYTES / 4
    assert PASSWORD.encode() not in event
