"""A step: what is to be done to a machine as one thing, how, and how long it may take. Plain data.

Made by whoever plans the work (`planning`), kept with its request, carried out by `driving`. May come in: another term
of a step. Must not: what a step does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Self

from castiron.store.records import Fragment

Plan = Mapping[str, Sequence[Mapping[str, Any]]]
"""Kind of steps → the steps, as they are stored: what a request will work through."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """Return no arguments: a factory, as Python 3.11 takes a mappingproxy for a mutable default."""
    return NOTHING


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a list, with everything that whoever carries it out must know."""

    name: str
    """Unique in its list: "power.reboot", and "power.reboot#2" for the second one."""
    interface: str
    step: str
    priority: int = 0
    args: Mapping[str, Any] = field(default_factory=nothing, repr=False)
    """Kept out of repr: a step may be given a password."""
    secret_args: tuple[str, ...] = ()
    """Names of arguments that are not in `args`: they stay with the request's own arguments, encrypted at rest."""
    wish: int | None = None
    """Its place in the list that was asked for, where those are; None: nobody chose it."""
    abortable: bool = True
    timeout_s: float = 600.0
    """For each attempt."""
    idempotent: bool = False
    """Doing it twice is as good as doing it once."""
    has_verify: bool = False
    """Whoever carries it out can tell whether it was done."""
    has_revert: bool = False
    """Whoever carries it out can take it back."""
    is_blocking: bool = False
    """It runs in a worker; otherwise nobody waits in a thread for it."""
    after: tuple[str, ...] | None = None
    """Names of the steps that must have succeeded; None: all before it in the list."""
    retries: int = 0
    """How often it is tried again."""
    retry_delay_s: float = 0.0

    @cached_property
    def stored(self) -> Fragment:
        """As it is stored, which it is with each commit of its list."""
        return Fragment(self.to_map())

    def to_map(self) -> dict[str, Any]:
        """Return it as it is stored: what differs from the rule."""
        told = {name: getattr(self, name) for name in _NAMES}
        return {key: _plain(value) for key, value in told.items() if value != _RULE.get(key, _UNSET)}

    @classmethod
    def from_map(cls, told: Mapping[str, Any]) -> Self:
        """Rebuild a stored one; words of a newer castiron are left out."""
        values: dict[str, Any] = {key: value for key, value in told.items() if key in _NAMES}
        after = told.get("after")
        values["after"] = None if after is None else tuple(after)
        values["secret_args"] = tuple(told.get("secret_args", ()))
        return cls(**values)


def has_secrets(plan: Plan) -> bool:
    """Return whether a step of a plan is given a secret."""
    return any(step.get("secret_args") for steps in plan.values() for step in steps)


_NAMES: Final = {item.name: None for item in fields(Step)}
"""In their order."""

_UNSET: Final = object()
_RULE: Final[Mapping[str, Any]] = {
    item.name: NOTHING if item.name == "args" else item.default
    for item in fields(Step)
    if item.name not in {"name", "interface", "step"}
}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [*value]  # pyright: ignore[reportUnknownVariableType] - names
    return {**value} if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownVariableType]
