"""Messages that fit: made from the table of verbs and from the golden vectors, so that new verbs join by themselves.

Every value comes from the shape of its field; names of nodes and ids of requests from small pools, so that messages
meet each other. Nothing here is wrong on purpose: that is for mutations.py.
"""

import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from msgspec import inspect as shape

from castiron.transport.frames import HEADER, REQUEST_FRAMES
from castiron.transport.verbs import VERBS
from tests.support.golden import vectors

Dice = random.Random

NODES: Final = tuple(f"n{number}" for number in range(1, 17))
"""The names that valid messages use."""

BRIEF_S: Final = (0.001, 0.01, 0.1)
"""What a valid message waits for at the most: an answer to everything must come within a batch."""

GOLDEN: Final = [one.parts[2] for one in vectors() if len(one.parts) == REQUEST_FRAMES and one.parts[0] == HEADER]

STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"step": "power_on"},
    {"step": "reboot", "args": {"soft": True, "hard_fallback": True}, "abortable": True},
    {"step": "wait", "args": {"seconds": 0.01}, "name": "pause", "timeout_s": 0.1},
    {"step": "check_bmc", "interface": "management", "priority": 50, "retries": 1, "retry_delay_s": 0.01},
    {"step": "set_boot_device", "interface": "management", "args": {"boot_device": "pxe"}, "after": []},
    {"step": "check_power_state", "args": {"power_state": "power on"}, "timeout_s": 0.01},
)
"""None that waits for somebody: nobody would call."""

RUNBOOKS: Final = tuple(f"CUSTOM_BOOK_{number}" for number in range(1, 5))
"""The names of runbooks that valid messages use."""

DRIVER_INFO: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"fake_latency_s": "0.001"},
    {"fake_fault": "busy", "fake_fault_count": 1},
    {"fake_fault": "broken"},
    {"fake_latency_s": None, "fake_fault": None},
)

ATTRIBUTES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"rack": "r1", "slot": 7},
    {"cpus": {"count": 64, "features": ["vmx", "aes"]}, "weight": 1.5, "spare": None},
    {"note": "x" * 500, "rack": None},
)


def request_id(number: int) -> str:
    """Return the id that the conductor under fire gives to the so-manieth thing that needs one."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def of_field(name: str, dice: Dice, number: int) -> Any:
    """Return a value for a field whose name says more than its type; KeyError if it does not."""
    choose: Mapping[str, Callable[[], Any]] = {
        "node": lambda: dice.choice(NODES),
        "name": lambda: dice.choice([*NODES, *RUNBOOKS]),
        "runbook": lambda: dice.choice(RUNBOOKS),
        "nodes": lambda: dice.choice([dice.sample(NODES, dice.randrange(1, 4)), ["n[1-4]"], ["n[2-9/2]", "n1"]]),
        "request": lambda: request_id(dice.randrange(1, number + 2)),
        "driver": lambda: "fake",
        "driver_info": lambda: dict(dice.choice(DRIVER_INFO)),
        "timeout_s": lambda: dice.choice(BRIEF_S),
        "revision": lambda: dice.randrange(1, 9),
        "resource_class": lambda: dice.choice(["baremetal", "gpu"]),
        "candidate_nodes": lambda: dice.sample(NODES, dice.randrange(1, 4)),
        "allocation": lambda: request_id(dice.randrange(1, number + 2)),
        "uuid": lambda: request_id(number),
        "traits": lambda: dice.choice([[], ["HW_CPU_X86_VMX"], ["CUSTOM_RACK_7", "HW_NIC_SRIOV"], list(RUNBOOKS)]),
        "order": lambda: {"verb": "node.power.set", "target": dice.choice(["power on", "power off"]), "again": True},
        "bulk": lambda: request_id(dice.randrange(1, number + 2)),
        "steps": lambda: deepcopy(dice.sample(STEPS, dice.randrange(1, 4))),
        "stagger_s": lambda: dice.choice(BRIEF_S),
        "per": lambda: "properties.rack",
        "undo": lambda: True,
        "types": lambda: [dice.choice(["node.*", "*.end", "node.power_set.*"])],
    }
    return choose[name]()


def value(kind: shape.Type, dice: Dice) -> Any:
    """Return a value that fits a type."""
    if isinstance(kind, shape.Metadata):
        return value(kind.type, dice)
    if isinstance(kind, shape.UnionType):
        return value(dice.choice([one for one in kind.types if not isinstance(one, shape.CustomType)]), dice)
    make = MAKERS.get(type(kind))
    return make(kind, dice) if make else "anything"


def _whole(kind: Any, dice: Dice) -> int:
    least = kind.ge or 0
    return dice.randrange(least, min(least + 50, 1000 if kind.le is None else kind.le) + 1)


MAKERS: Final[Mapping[type[shape.Type], Callable[[Any, Dice], Any]]] = {
    shape.NoneType: lambda _, __: None,
    shape.BoolType: lambda _, dice: dice.random() < 0.5,
    shape.IntType: _whole,
    shape.FloatType: lambda _, dice: dice.choice(BRIEF_S),
    shape.StrType: lambda _, dice: dice.choice(NODES),
    shape.LiteralType: lambda kind, dice: dice.choice(kind.values),
    shape.EnumType: lambda kind, dice: dice.choice([one.value for one in kind.cls]),
    shape.ListType: lambda kind, dice: [value(kind.item_type, dice) for _ in range(dice.randrange(1, 3))],
    shape.DictType: lambda _, dice: deepcopy(dice.choice(ATTRIBUTES)),
}


ALWAYS: Final = frozenset({"undo"})
"""Fields that are always filled in: a conductor that drains would refuse what is to be tried."""

FIELDS: Final[Mapping[str, tuple[shape.Field, ...]]] = {
    tag: one.fields
    for tag, one in ((tag, shape.type_info(verb)) for tag, verb in VERBS.items())
    if isinstance(one, shape.StructType)
}
"""The fields of each verb."""


def fields(dice: Dice, number: int) -> dict[str, Any]:
    """Return a message's map: any verb, its required fields, some of the others."""
    tag = dice.choice([*VERBS])
    filled: dict[str, Any] = {"verb": tag}
    for field in FIELDS[tag]:
        if field.required or field.encode_name in ALWAYS or dice.random() < 0.3:
            try:
                filled[field.encode_name] = of_field(field.encode_name, dice, number)
            except KeyError:
                filled[field.encode_name] = value(field.type, dice)
    return filled
