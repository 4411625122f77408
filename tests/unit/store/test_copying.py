"""Copies of records are what `dataclasses.replace` would have made, or refused to make."""

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from castiron.actors import core
from castiron.actors.core.effects import AcquirePermit
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import RequestID


@dataclass(frozen=True, slots=True)
class _Base:
    first: int


@dataclass(frozen=True, slots=True)
class _Derived(_Base):
    second: str = "two"


@dataclass(frozen=True, slots=True)
class _Careful:
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("fewer than none")


@dataclass(frozen=True)
class _Open:
    count: int

    @cached_property
    def double(self) -> int:
        return 2 * self.count


class _Struct(Struct, frozen=True, kw_only=True):
    count: int = 1
    name: str = "one"


def test_a_struct_is_copied_by_its_library() -> None:
    one = _Struct()
    assert (replace(one, count=2), one) == (_Struct(count=2), _Struct())
    with pytest.raises(TypeError, match="weight"):
        replace(one, weight=3)  # type: ignore[call-arg]  # the type checker says so, too


def test_a_copy_differs_in_what_was_changed_and_leaves_the_record_as_it_was() -> None:
    wish = AcquirePermit(RequestID("r1"), "node.power.set", requester="ada")
    changes: dict[str, Any] = {"verb": "node.provision.set", "target": "active", "requester": ""}
    assert replace(wish, **changes) == dataclasses.replace(wish, **changes)
    assert wish == AcquirePermit(RequestID("r1"), "node.power.set", requester="ada")


def test_the_fields_of_a_base_are_copied_too() -> None:
    assert replace(_Derived(1), second="three") == _Derived(1, "three")
    assert replace(_Derived(1, "three"), first=2) == _Derived(2, "three")


def test_a_class_that_looks_at_its_values_still_does() -> None:
    with pytest.raises(ValueError, match="fewer than none"):
        replace(_Careful(1), count=-1)


def test_what_a_record_has_worked_out_is_not_copied() -> None:
    record = _Open(1)
    assert (record.double, replace(record, count=4).double) == (2, 8)


@pytest.mark.parametrize("record", [_Derived(1), _Careful(1), _Open(1)])
def test_a_field_that_there_is_not_is_refused(record: _Derived | _Careful | _Open) -> None:
    changes: dict[str, Any] = {"third": 3}
    with pytest.raises(TypeError, match="third"):
        replace(record, **changes)


def test_what_decides_copies_structs_and_records_alike() -> None:
    """`dataclasses.replace` refuses a struct when it is called, and no type checker says so."""
    decisions = (Path(core.__file__).parent).rglob("*.py")
    refusing = [
        path.name for path in decisions if re.search(r"from dataclasses import .*\breplace\b", path.read_text())
    ]
    assert refusing == []
