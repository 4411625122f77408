"""What a request will work through: its wishes, checked whole, and made into lists of steps. Pure.

A list that was chosen is done as it was chosen, by priority where one is given; otherwise it is what the catalogue does
by itself, the highest priority first, ties by interface as Ironic breaks them. What is planned is kept with the
request: a catalogue, or a runbook, that changes later changes nothing of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from castiron.actors.core.provision.catalogue import KIND_WORDS, POWERING_OFF, RESERVED, Arg, Catalogue, Known
from castiron.actors.core.provision.courses import stages_of
from castiron.actors.core.provision.steps import NOTHING, Plan, Step
from castiron.transport.errors import PowerOffDisabled, StepInvalid
from castiron.transport.verbs import NodeProvisionSet, StepWish
from castiron.transport.vocabulary import ProvisionTarget, StepKind

INTERFACES: Final = ("vendor", "power", "management", "firmware", "deploy", "bios", "raid")
"""Which goes first where two have the same priority."""

VERIFY_INTERFACES: Final = ("power", "management", "firmware", "inspect", "deploy", "boot", "bios", "raid")
"""The same, for verify steps."""


class Own(NamedTuple):
    """A step that is done without being asked for."""

    interface: str
    step: str
    args: Mapping[str, Any] = NOTHING

    @property
    def key(self) -> tuple[str, str]:
        """As the catalogue has it."""
        return self.interface, self.step


_BOOT: Final = ("management", "set_boot_device")

BY_ITSELF: Final[Mapping[StepKind, tuple[Own, ...]]] = {
    StepKind.VERIFY: (Own("management", "check_bmc"),),
    StepKind.INSPECT: (
        Own("inspect", "read_device_id"),
        Own("inspect", "read_guid"),
        Own("inspect", "read_fru"),
        Own("inspect", "read_sensors"),
    ),
    StepKind.ADOPT: (Own("management", "check_bmc"),),
    StepKind.UNDEPLOY: (Own(RESERVED, "power_off"),),
    StepKind.RESCUE: (Own(*_BOOT, {"boot_device": "pxe"}), Own(RESERVED, "reboot"), Own(RESERVED, "wait")),
    StepKind.UNRESCUE: (Own(*_BOOT, {"boot_device": "disk"}), Own(RESERVED, "reboot")),
}
"""Kind → the steps that are done first, whatever the driver adds."""

NEED_REBOOT: Final = frozenset({StepKind.RESCUE, StepKind.UNRESCUE})
"""Kinds whose own steps are of no use to a machine that must stay on."""


def plan(verb: NodeProvisionSet, catalogue: Catalogue, step_timeout_s: float, *, keep_on: bool = False) -> Plan:
    """Return what a request will work through.

    Args:
        step_timeout_s: for a step that has no time of its own.
        keep_on: the machine must not be powered off: no step does that of itself, and none may be chosen that does.

    Raises:
        StepInvalid: a step is unknown, has wrong arguments, or names others that are not there; nothing is half done.
        PowerOffDisabled: a chosen step would power the machine off.
    """
    if keep_on:
        _check_kept_on(verb)
        _check_needs_no_reboot(verb)
        catalogue = {key: known for key, known in catalogue.items() if key not in POWERING_OFF}
    kinds = stages_of(verb.target)
    return {
        kind.value: [step.to_map() for step in _steps(verb, kind, catalogue, step_timeout_s, is_first=kind is kinds[0])]
        for kind in kinds
    }


def _steps(
    verb: NodeProvisionSet, kind: StepKind, catalogue: Catalogue, step_timeout_s: float, *, is_first: bool
) -> list[Step]:
    if verb.steps is None or not is_first:
        if verb.target is ProvisionTarget.CLEAN:
            raise StepInvalid("Cleaning by hand needs its steps: name them, or a runbook.", details={"path": "$.steps"})
        return _own(kind, catalogue, step_timeout_s)
    return steps_of(verb.steps, kind, catalogue, step_timeout_s)


def steps_of(
    chosen: Sequence[StepWish], kind: StepKind | None, catalogue: Catalogue, step_timeout_s: float
) -> list[Step]:
    """Return the steps of a list that was chosen, in the order in which they are done.

    Args:
        kind: of the list; None: of any kind, nothing is asked about it.

    Raises:
        StepInvalid: as `plan`.
    """
    wishes = list(enumerate(chosen))
    if any(wish.priority is not None for _, wish in wishes):
        wishes.sort(key=lambda one: _rank(kind, one[1].priority or 0, one[1].interface or RESERVED))
    steps = _named(_checked(place, wish, kind, catalogue, step_timeout_s) for place, wish in wishes)
    _check_order(steps, [place for place, _ in wishes])
    _check_single(wishes, catalogue)
    return steps


def _own(kind: StepKind, catalogue: Catalogue, step_timeout_s: float) -> list[Step]:
    """Return what is done if nobody chooses."""
    first = [(catalogue[own.key], own.args) for own in BY_ITSELF.get(kind, ()) if own.key in catalogue]
    more = [
        known for known in catalogue.values() if kind in known.kinds and known.priority > 0 and known.refusal is None
    ]
    more.sort(key=lambda known: _rank(kind, known.priority, known.interface))
    return _named(_step(known, args, step_timeout_s) for known, args in (*first, *((known, NOTHING) for known in more)))


def _rank(kind: StepKind | None, priority: int, interface: str) -> tuple[int, int]:
    order = VERIFY_INTERFACES if kind is StepKind.VERIFY else INTERFACES
    return -priority, order.index(interface) if interface in order else len(order)


def _checked(place: int, wish: StepWish, kind: StepKind | None, catalogue: Catalogue, step_timeout_s: float) -> Step:
    path = f"$.steps[{place}]"
    known = known_of(path, wish, catalogue)
    if kind is not None and kind not in known.kinds:
        raise _invalid(path, wish, f"It is no {kind} step.")
    if known.refusal is not None:
        raise _invalid(path, wish, known.refusal)
    args = _checked_args(f"{path}.args", wish, known)
    step = _step(known, args, step_timeout_s)
    secrets = [name for name in args if known.args[name].is_secret]
    treatment = {
        "args": {name: value for name, value in args.items() if name not in secrets},
        "secret_args": secrets,
        "wish": place if secrets else None,
        "name": wish.name or step.name,
        "priority": step.priority if wish.priority is None else wish.priority,
        "abortable": step.abortable if wish.abortable is None else wish.abortable,
        "timeout_s": wish.timeout_s or step.timeout_s,
        "after": None if wish.after is None else list(wish.after),
        "retries": wish.retries,
        "retry_delay_s": wish.retry_delay_s,
    }
    return Step.from_map({**step.to_map(), **treatment})


def known_of(path: str, wish: StepWish, catalogue: Catalogue) -> Known:
    """Return what is known of a step that is asked for.

    Args:
        path: where it stands in what was asked.

    Raises:
        StepInvalid: there is no such step, or several interfaces have one.
    """
    wanted = (wish.interface or RESERVED, wish.step)
    if wanted in catalogue:
        return catalogue[wanted]
    same = [known for (_, name), known in catalogue.items() if name == wish.step]
    if wish.interface is None and len(same) == 1:
        return same[0]
    if wish.interface is None and same:
        raise _invalid(path, wish, f"Several interfaces have it: {', '.join(known.interface for known in same)}.")
    names = ", ".join(sorted(f"{interface}.{step}" for interface, step in catalogue))
    raise _invalid(path, wish, f"There is no such step. There are: {names}.")


def _checked_args(path: str, wish: StepWish, known: Known) -> dict[str, Any]:
    for name in wish.args:
        if name not in known.args:
            raise _invalid(f"{path}.{name}", wish, f"It takes {', '.join(known.args) or 'no arguments'}.")
    for name, arg in known.args.items():
        if name in wish.args:
            _check_arg(f"{path}.{name}", wish, arg, wish.args[name])
        elif arg.required:
            raise _invalid(f"{path}.{name}", wish, f"It needs {name}: {arg.description}.")
    if known.one_of and sum(bool(wish.args.get(name)) for name in known.one_of) != 1:
        raise _invalid(path, wish, f"It needs exactly one of {', '.join(known.one_of)}.")
    return dict(wish.args)


def _check_arg(path: str, wish: StepWish, arg: Arg, value: object) -> None:
    takes = (int, float) if arg.kind is float else (arg.kind,)
    if not isinstance(value, takes) or (isinstance(value, bool) and arg.kind is not bool):
        raise _invalid(path, wish, f"{_arg_of(path)} is {KIND_WORDS[arg.kind]}: {arg.description}.")
    if arg.choices and value not in arg.choices:
        raise _invalid(path, wish, f"{_arg_of(path)} is one of {', '.join(arg.choices)}.")
    if (
        isinstance(value, str)
        and arg.most is not None
        and not (value.isprintable() and len(value.encode()) <= arg.most)
    ):
        raise _invalid(path, wish, f"It takes at most {arg.most:.0f} bytes, all printable: {arg.description}.")
    if isinstance(value, int | float):
        too_small = arg.least is not None and not value >= arg.least  # NaN is neither
        too_large = arg.most is not None and not value <= arg.most
        if too_small or too_large:
            raise _invalid(path, wish, f"{_arg_of(path)} is {_bounds(arg)}: {arg.description}.")


def _bounds(arg: Arg) -> str:
    if arg.most is None:
        return f"at least {arg.least:g}"
    return f"at most {arg.most:g}" if arg.least is None else f"from {arg.least:g} to {arg.most:g}"


def _arg_of(path: str) -> str:
    return path.rpartition(".")[2]


def _step(known: Known, args: Mapping[str, Any], step_timeout_s: float) -> Step:
    return Step(
        name=known.name,
        interface=known.interface,
        step=known.step,
        priority=known.priority,
        args=args,
        abortable=known.abortable,
        timeout_s=known.timeout_s or step_timeout_s,
        idempotent=known.idempotent,
        has_verify=known.has_verify,
        has_revert=known.has_revert,
        is_blocking=known.is_blocking,
    )


def _check_kept_on(verb: NodeProvisionSet) -> None:
    for place, wish in enumerate(verb.steps or ()):
        if (wish.interface or RESERVED, wish.step) in POWERING_OFF:
            raise PowerOffDisabled(
                f"{wish.step}: {verb.node} must not be powered off, not even for a reboot. Leave the step out.",
                details={"node": verb.node, "path": f"$.steps[{place}]", "step": wish.step},
            )


def _check_needs_no_reboot(verb: NodeProvisionSet) -> None:
    kinds = stages_of(verb.target)
    if verb.steps is None and NEED_REBOOT & set(kinds):
        raise PowerOffDisabled(
            f"{verb.target} reboots the machine, and {verb.node} must not be powered off. Name steps that do without.",
            details={"node": verb.node, "target": verb.target.value},
        )


def _named(steps: Iterable[Step]) -> list[Step]:
    """Give each step a name of its own: the second reboot is reboot#2."""
    named: list[Step] = []
    taken: dict[str, int] = {}
    for step in steps:
        count = taken[step.name] = taken.get(step.name, 0) + 1
        named.append(step if count == 1 else Step.from_map({**step.to_map(), "name": f"{step.name}#{count}"}))
    return named


def _check_order(steps: list[Step], places: list[int]) -> None:
    """Refuse steps that are after others that are not there, or after themselves.

    Args:
        places: where each was asked for.
    """
    names = {step.name for step in steps}
    for place, step in zip(places, steps, strict=True):
        for name in step.after or ():
            if name not in names:
                message = f"{step.name} is to be after {name}, and there is no such step in the list."
                raise StepInvalid(message, details={"path": f"$.steps[{place}].after", "step": step.name})
    before = [{other.name for other in steps[:place]} for place in range(len(steps))]
    left = {step.name: before[place] if step.after is None else set(step.after) for place, step in enumerate(steps)}
    while left:
        ready = [name for name, after in left.items() if not after & left.keys()]
        if not ready:
            message = (
                f"These steps wait for each other: {', '.join(left)}. One without `after` waits for all before it."
            )
            raise StepInvalid(message, details={"path": "$.steps", "step": next(iter(left))})
        for name in ready:
            del left[name]


def _check_single(wishes: Iterable[tuple[int, StepWish]], catalogue: Catalogue) -> None:
    """Refuse a step twice of which a list has one at the most."""
    taken: set[tuple[str, str]] = set()
    for place, wish in wishes:
        known = known_of(f"$.steps[{place}]", wish, catalogue)
        if known.is_single and (known.interface, known.step) in taken:
            raise _invalid(f"$.steps[{place}]", wish, "A list has it once at the most.")
        taken.add((known.interface, known.step))


def _invalid(path: str, wish: StepWish, why: str) -> StepInvalid:
    name = wish.step if wish.interface is None else f"{wish.interface}.{wish.step}"
    return StepInvalid(f"{name}: {why}", details={"path": path, "interface": wish.interface, "step": wish.step})
