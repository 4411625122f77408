"""The steps of a runbook: as they are asked for, as they are stored, as they are shown. Pure.

An argument that is a secret is taken out of its step and stands apart, so that what is left can be shown to anybody.
May come in: another term of a stored step. Must not: which steps there are (`provision.catalogue`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from castiron.actors.core.provision.catalogue import Catalogue
from castiron.actors.core.provision.planning import known_of, steps_of
from castiron.store.records import RunbookRecord
from castiron.transport.errors import StepInvalid
from castiron.transport.replies import MASK
from castiron.transport.verbs import RunbookStep, StepWish, step_map
from castiron.transport.vocabulary import StepKind

StepMap = Mapping[str, Any]
Secrets = Mapping[str, Mapping[str, Any]]


class Stored(NamedTuple):
    """Steps as a record has them."""

    steps: tuple[StepMap, ...]
    secrets: Secrets


def checked(given: Sequence[RunbookStep], catalogue: Catalogue, before: RunbookRecord | None = None) -> Stored:
    """Return a list of steps as it is stored, checked whole.

    Args:
        given: as it was asked for.
        catalogue: the steps that there are.
        before: the runbook that has the secrets for which a mask was sent back; None: a mask is refused.

    Raises:
        StepInvalid: a step is unknown, has wrong arguments, a name that another has, or is after what is not there or
            waits for it; or no kind of list takes all of them. details.path says which, in the list as it was given.
    """
    _check_orders(given)
    places = _in_order(given)
    steps = [given[place] for place in places]
    try:
        planned = steps_of(steps, None, catalogue, step_timeout_s=1.0)  # whoever uses it knows the time
    except StepInvalid as error:
        raise _where_given(error, places) from None
    _check_names(given, catalogue)
    _check_kinds(given, catalogue)
    secret = {step.wish: step.secret_args for step in planned if step.wish is not None}
    kept = _secrets_of(before)
    public: list[StepMap] = []
    secrets: dict[str, Mapping[str, Any]] = {}
    for place, (key, told) in enumerate(_keyed([step_map(step) for step in steps])):
        names = secret.get(place, ())
        if names:
            path = f"$.steps[{places[place]}].args"
            secrets[str(place)] = {name: _unmasked(told, name, kept.get(key, {}), path) for name in names}
        public.append(_without(told, names))
    return Stored(tuple(public), secrets)


def shown(record: RunbookRecord) -> list[dict[str, Any]]:
    """Return a runbook's steps with a mask in the place of each secret."""
    return [_joined(step, dict.fromkeys(record.secrets.get(str(at), ()), MASK)) for at, step in enumerate(record.steps)]


def wishes_of(record: RunbookRecord) -> list[StepWish]:
    """Return a runbook's steps as a request asks for them, secrets in the clear."""
    whole = (_joined(step, record.secrets.get(str(place), {})) for place, step in enumerate(record.steps))
    return [StepWish(**{name: value for name, value in step.items() if name != "order"}) for step in whole]


def kinds_of(record: RunbookRecord, catalogue: Catalogue) -> list[StepKind]:
    """Return the kinds of lists that a stored runbook can be now; none, if a step is not known any more."""
    try:
        return _common_kinds(wishes_of(record), catalogue)
    except StepInvalid:
        return []


def _common_kinds(steps: Sequence[StepWish], catalogue: Catalogue) -> list[StepKind]:
    known = [known_of(f"$.steps[{place}]", step, catalogue).kinds for place, step in enumerate(steps)]
    return [kind for kind in StepKind if all(kind in kinds for kinds in known)]


def _check_kinds(given: Sequence[RunbookStep], catalogue: Catalogue) -> None:
    for place, step in enumerate(given):
        if not _common_kinds(given[: place + 1], catalogue):
            kinds = ", ".join(sorted(known_of("", step, catalogue).kinds))
            raise _invalid(
                f"$.steps[{place}]", step, f"It is of {kinds}, and those before it are not: no list has both"
            )


def _check_orders(given: Sequence[RunbookStep]) -> None:
    if all(step.order is None for step in given):
        return
    for place, step in enumerate(given):
        if step.order is None:
            raise _invalid(f"$.steps[{place}].order", step, "Other steps have an order: give one to all, or to none")
        if step.priority is not None:
            raise _invalid(f"$.steps[{place}].priority", step, "These go by their order: leave the priority out")


def _check_names(given: Sequence[RunbookStep], catalogue: Catalogue) -> None:
    own = Counter(step.name or known_of("", step, catalogue).name for step in given)
    for place, step in enumerate(given):
        if step.name is not None and own[step.name] > 1:
            raise _invalid(f"$.steps[{place}].name", step, f"Another step is called {step.name}")


def _plain_name(step: StepWish) -> str:
    return step.step if step.interface is None else f"{step.interface}.{step.step}"


def _in_order(given: Sequence[RunbookStep]) -> list[int]:
    """Return the places of the steps in the order in which they are done, a priority aside."""
    return sorted(range(len(given)), key=lambda place: (given[place].order or 0, place))


def _where_given(error: StepInvalid, places: Sequence[int]) -> StepInvalid:
    """Return an error with its path in the list as it was given."""
    beginning, opened, rest = str(error.details.get("path", "")).partition("[")
    number, closed, end = rest.partition("]")
    if opened and closed and number.isdecimal():
        error.details["path"] = f"{beginning}[{places[int(number)]}]{end}"
    return error


def _keyed(steps: Sequence[StepMap]) -> Iterator[tuple[tuple[Any, ...], StepMap]]:
    """Yield each step with what it is known by, wherever it stands: which it is, and of those alike the how manieth."""
    alike: Counter[tuple[Any, ...]] = Counter()
    for step in steps:
        key = (step.get("interface"), step["step"], step.get("name"))
        alike[key] += 1
        yield (*key, alike[key]), step


def _secrets_of(before: RunbookRecord | None) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    if before is None:
        return {}
    return {key: before.secrets.get(str(place), {}) for place, (key, _) in enumerate(_keyed(before.steps))}


def _unmasked(step: StepMap, name: str, kept: Mapping[str, Any], path: str) -> Any:
    value = step["args"][name]
    if value != MASK:
        return value
    if name not in kept:
        message = f"{step['step']}: {MASK} stands for a secret that is stored, and none is. Give the secret itself."
        details = {"path": f"{path}.{name}", "interface": step.get("interface"), "step": step["step"]}
        raise StepInvalid(message, details=details)
    return kept[name]


def _without(step: StepMap, names: Sequence[str]) -> StepMap:
    return _with_args(step, {name: value for name, value in step.get("args", {}).items() if name not in names})


def _joined(step: StepMap, secrets: Mapping[str, Any]) -> dict[str, Any]:
    return _with_args(step, {**step.get("args", {}), **secrets})


def _with_args(step: StepMap, args: Mapping[str, Any]) -> dict[str, Any]:
    bare = {name: value for name, value in step.items() if name != "args"}
    return {**bare, "args": dict(args)} if args else bare


def _invalid(path: str, step: StepWish, why: str) -> StepInvalid:
    details = {"path": path, "interface": step.interface, "step": step.step}
    return StepInvalid(f"{_plain_name(step)}: {why}.", details=details)
