"""Conditions on a node's fields, as they are typed and as they hold; and the order of lists."""

from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.replies import MASK, NodeView, RequestSummary
from castiron.transport.selection.conditions import MAX_CONDITIONS, Condition, Op, check, chooser
from castiron.transport.selection.fields import kind_of, kinds, value_of
from castiron.transport.selection.order import MAX_MARKER, Order
from castiron.transport.selection.text import parsed
from castiron.transport.vocabulary import Fault, PowerState, ProvisionState, RequestState
from tests.support.memory_listing import holds, looked_up

PLAIN = NodeView(
    uuid="11111111-0000-4000-8000-000000000001",
    name="n1",
    driver="ipmi",
    driver_info={"ipmi_address": "10.0.0.7", "ipmi_port": 623, "ipmi_password": MASK},
    properties={"cpus": 8, "gpu": True, "location": {"rack": "r1", "u.top": 4}, "traits": ["fast", "big"], "a.b": "x"},
    extra={},
    power_state=PowerState.ON,
    power_state_at=1000.0,
    target_power_state=None,
    provision_state=ProvisionState.ENROLL,
    target_provision_state=None,
    maintenance=True,
    maintenance_reason="fan broken",
    fault=None,
    last_error=None,
    power_state_change_timeout_s=None,
    soft_power_off_timeout_s=None,
    power_check_interval_s=None,
    power_check_failures=0,
    created_at=900.0,
    updated_at=950.0,
    revision=3,
    active_request=RequestSummary(
        id="r", verb="node.power.set", requester="ipc", state=RequestState.RUNNING, accepted_at=1.0
    ),
    accepts=["node.set"],
)


def is_chosen(*typed: str, view: NodeView = PLAIN) -> bool:
    return chooser(parsed(typed))(partial(getattr, view))


@pytest.mark.parametrize(
    "typed",
    [
        "power_state=power on",
        "power_state!=power off",
        " power_state = power on ",
        "power_state in power off, power on",
        "power_state~power*",
        "power_state!=null",
        "fault=null",
        "fault=",
        "fault!=power failure",
        "target_power_state=unknown",
        "maintenance=true",
        "maintenance=yes",
        "maintenance!=no",
        "driver_info.ipmi_address=10.0.*",
        "driver_info.ipmi_address!=10.1.*",
        "driver_info.ipmi_address~10.0.[0-9].?",
        "driver_info.ipmi_port=623",
        "driver_info.ipmi_port~62*",
        "driver_info.ipmi_username=null",
        "properties.cpus>=8",
        "properties.cpus<9.5",
        "properties.cpus>7",
        "properties.cpus<=8",
        "properties.gpu=true",
        "properties.gpu~tr*",
        "properties.location.rack=r1",
        "properties.location.u.top=4",
        "properties.a.b=x",
        "properties.traits=fast",
        "properties.traits!=slow",
        "properties.traits~b*",
        "extra=null",
        "extra.nothing.at.all=null",
        "queued_requests=null",
        "active_request.verb=node.power.*",
        "accepts=node.set",
        "revision>2",
        "name>=n0",
        "maintenance_reason==fan broken",
    ],
)
def test_what_holds_of_a_node(typed: str) -> None:
    assert is_chosen(typed)
    assert holds(parsed([typed])[0], PLAIN)


@pytest.mark.parametrize(
    "typed",
    [
        "power_state=null",
        "power_state=unknown",
        "power_state=POWER*",
        "power_state in power off",
        "fault~*",
        "fault=*",
        "maintenance=false",
        "properties.cpus>8",
        "properties.cpus>ten",
        "properties.gpu=1",
        "properties.gpu>0",
        "properties.location=r1",
        "properties.location~*r1*",
        "properties.traits=null",
        "extra.nothing<1",
        "maintenance_reason==fan*",
        "active_request=null",
        "properties.cpus=inf",
    ],
)
def test_what_does_not_hold_of_it(typed: str) -> None:
    assert not is_chosen(typed)
    assert not holds(parsed([typed])[0], PLAIN)


def test_all_conditions_must_hold() -> None:
    assert is_chosen("name=n1", "maintenance=true")
    assert not is_chosen("name=n1", "maintenance=false")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("power_stat=power on", "Did you mean power_state?"),
        ("ipmi_address=1", "There are: uuid, name,"),
        ("state=x", "Did you mean"),
        ("driver_info.=1", "no field"),
        ("name.first=1", "no field"),
        ("active_request.colour=1", "no field"),
        ("power_state=on", "it is never 'on'. It is 'power on', 'power off', or nil."),
        ("power_state=power onn", "Did you mean 'power on'?"),
        ("fault in null,actor failur", "Did you mean 'actor failure'?"),
        ("maintenance=maybe", "it is true or false, never 'maybe'"),
        ("revision>three", "it is a number, never 'three'"),
        ("power_state", "is not a condition"),
        ("=power on", "is not a condition"),
        ("name<null", "compares numbers, or texts"),
    ],
)
def test_what_makes_no_sense_is_refused(typed: str, message: str) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        parsed([typed])

    assert message in refused.value.message
    assert refused.value.details["path"].startswith("$.where")


@pytest.mark.parametrize(
    "condition",
    [
        Condition(field="name", op=Op.IN, value="n1"),
        Condition(field="name", op=Op.EQUAL, value=["n1"]),
        Condition(field="name", op=Op.LIKE, value=3),
        Condition(field="properties.gpu", op=Op.LESS, value=True),
    ],
)
def test_an_operator_and_a_value_that_do_not_go_together_are_refused(condition: Condition) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        check([condition])

    assert refused.value.details == {"path": "$.where[0].value"}


def test_conditions_are_bounded() -> None:
    with pytest.raises(ArgumentInvalid, match="17 conditions are too many"):
        parsed(["name=n1"] * (MAX_CONDITIONS + 1))


@pytest.mark.parametrize("name", kinds())
def test_every_field_is_known_and_found(name: str) -> None:
    kind_of(name, "$")

    assert value_of(partial(getattr, PLAIN), name) == getattr(PLAIN, name)


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["8", "true", "false", "", "null", "10.0.0.1", "1e3", " 8 ", "a*b", "nan", "r1"]),
        st.text(max_size=6),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner)),
    max_leaves=6,
)
SCALARS: st.SearchStrategy[Any] = VALUES.filter(lambda value: not isinstance(value, list | dict))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    op = draw(st.sampled_from(Op))
    field = draw(st.sampled_from(["extra.a", "extra.a.b", "extra.b", "extra", "properties.a"]))
    if op is Op.IN:
        return Condition(field=field, op=op, value=draw(st.lists(SCALARS, min_size=1, max_size=3)))
    if op in {Op.LIKE, Op.UNLIKE}:
        return Condition(field=field, op=op, value=draw(st.sampled_from(["*", "", "tr*", "?", "[a-z]*", "*.0*", "8"])))
    if op in {Op.EQUAL, Op.UNEQUAL}:
        return Condition(field=field, op=op, value=draw(SCALARS))
    return Condition(
        field=field, op=op, value=draw(SCALARS.filter(lambda one: one is not None and one not in {True, False}))
    )


@given(conditions(), st.dictionaries(st.sampled_from(["a", "b", "a.b"]), VALUES, max_size=3))
@example(Condition(field="extra.a", value=1), {"a": True})
def test_a_condition_holds_as_a_naive_reading_says(condition: Condition, extra: dict[str, Any]) -> None:
    view = structs.replace(PLAIN, extra=extra)
    check([condition])

    assert chooser([condition])(partial(getattr, view)) == holds(condition, view)


@given(conditions(), VALUES)
def test_a_negation_holds_wherever_its_opposite_does_not(condition: Condition, value: Any) -> None:
    opposite = {Op.EQUAL: Op.UNEQUAL, Op.LIKE: Op.UNLIKE}.get(condition.op)
    if opposite is not None:
        look = partial(getattr, structs.replace(PLAIN, extra={"a": value}))

        assert chooser([condition])(look) != chooser([structs.replace(condition, op=opposite)])(look)


@given(st.text())
def test_any_text_is_a_condition_or_an_argument(text: str) -> None:
    try:
        (condition,) = parsed([text])
    except ArgumentInvalid:
        return
    chooser([condition])(partial(getattr, PLAIN))


@given(VALUES, st.booleans())
def test_a_mark_is_where_its_node_stands(value: Any, descending: bool) -> None:
    order = Order("extra.a", descending=descending)
    look = partial(getattr, structs.replace(PLAIN, extra={"a": value}))

    assert order.behind(order.marker(look)) == order.key(look)
    assert len(order.marker(look)) <= MAX_MARKER


def test_a_long_text_makes_no_long_mark() -> None:
    look = partial(getattr, structs.replace(PLAIN, extra={"a": "\U0001f600" * 10_000}))

    assert len(Order("extra.a").marker(look)) <= MAX_MARKER


@pytest.mark.parametrize(
    "marker", ["", "n1", "[]", "[1]", "[1, 2]", '[{}, "u"]', "{", "[" * 5000, '"ab"', '["a", null]']
)
def test_what_is_no_mark_is_refused(marker: str) -> None:
    with pytest.raises(ArgumentInvalid) as refused:
        Order("uuid").behind(marker)

    assert refused.value.details == {"path": "$.marker"}


def test_requests_have_an_order_too_and_a_mark() -> None:
    order = Order("active_request")
    look = partial(getattr, PLAIN)

    assert order.behind(order.marker(look)) == order.key(look)
    assert order.place(look) < order.place(partial(getattr, structs.replace(PLAIN, active_request=None)))


def test_an_order_by_nothing_that_a_node_has_is_refused() -> None:
    with pytest.raises(ArgumentInvalid, match="Did you mean name"):
        Order("nam")


def test_the_naive_look_finds_what_the_other_finds() -> None:
    for path in ("properties.location.rack", "properties.a.b", "active_request.verb", "extra.x", "name"):
        assert looked_up(PLAIN, path) == value_of(partial(getattr, PLAIN), path)
    assert Fault.POWER_FAILURE not in kinds()["power_state"].words
