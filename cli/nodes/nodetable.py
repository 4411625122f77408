"""How a node looks: as a row among others, and alone with everything that is known about it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from castiron.cli.output.render import age, moment, power_word, word
from castiron.transport.replies import AlarmView, LockView, NodeView, RequestSummary
from castiron.transport.selection.fields import kind_of, value_of

SHORT: Final = ("NAME", "POWER", "TARGET", "SEEN", "PROVISION", "MAINTENANCE", "REQUEST")
LONG: Final = (*SHORT, "UUID", "DRIVER", "ADDRESS", "REVISION", "FAULT", "LAST ERROR")


def as_counted(views: Sequence[NodeView]) -> list[NodeView]:
    """Return nodes sorted as people count: n2 before n10."""
    from castiron.transport.ranges import natural_order  # noqa: PLC0415 - 15 ms that JSON output does without

    by_name = {view.name: view for view in views}
    return [by_name[name] for name in natural_order(by_name)]


def node_row(view: NodeView, now: float, *, is_long: bool) -> list[str]:
    """Return a node's cells, under SHORT or LONG."""
    row = [
        view.name,
        power_word(view.power_state),
        word(view.target_power_state),
        age(view.power_state_at, now),
        view.provision_state,
        word(view.maintenance),
        "-" if view.active_request is None else _doing(view.active_request),
    ]
    if not is_long:
        return row
    return [*row, view.uuid, view.driver, _address(view), str(view.revision), word(view.fault), word(view.last_error)]


def fields_of(view: NodeView, columns: Sequence[str]) -> list[Any]:
    """Return what a node has in these fields.

    Raises:
        ArgumentInvalid: a node has no such field.
    """
    for name in columns:
        kind_of(name, "--fields")
    return [value_of(partial(getattr, view), name) for name in columns]


def _doing(request: RequestSummary) -> str:
    return f"{request.verb} ({request.step or request.state})"


def _address(view: NodeView) -> str:
    """Return the BMC's address as the driver_info of IPMI has it."""
    address, port = (view.driver_info.get(f"ipmi_{part}") for part in ("address", "port"))
    return word(address) if port is None else f"{word(address)}:{port}"


def node_lines(view: NodeView, now: float) -> dict[str, str]:
    """Return everything that is known about a node, by the names that JSON output has, too."""
    lines = {
        "name": view.name,
        "uuid": view.uuid,
        "power_state": power_word(view.power_state),
        "power_state_at": moment(view.power_state_at, now),
        "target_power_state": word(view.target_power_state),
        "provision_state": str(view.provision_state),
        "target_provision_state": word(view.target_provision_state),
        "maintenance": word(view.maintenance),
        "maintenance_reason": word(view.maintenance_reason),
        "protected": _guard(view.protected, view.protected_reason),
        "retired": _guard(view.retired, view.retired_reason),
        "disable_power_off": word(view.disable_power_off),
        "lock": "-" if view.lock is None else _lock(view.lock, now),
        "resource_class": word(view.resource_class),
        "traits": ", ".join(view.traits) or "-",
        "allocation_uuid": word(view.allocation_uuid),
        "fault": word(view.fault),
        "last_error": word(view.last_error),
        "driver": view.driver,
    }
    for group in ("driver_info", "properties", "extra"):
        lines |= {f"{group}.{key}": word(value) for key, value in sorted(getattr(view, group).items())}
    return lines | {
        "power_state_change_timeout_s": word(view.power_state_change_timeout_s),
        "soft_power_off_timeout_s": word(view.soft_power_off_timeout_s),
        "power_check_interval_s": word(view.power_check_interval_s),
        "sensor_data_interval_s": word(view.sensor_data_interval_s),
        "alarms": ", ".join(_alarm(rule, alarm, now) for rule, alarm in view.alarms.items()) or "-",
        "power_check_failures": str(view.power_check_failures),
        "power_check_pace": str(view.power_check_pace),
        "power_check_due_at": moment(view.power_check_due_at, now),
        "created_at": moment(view.created_at, now),
        "updated_at": moment(view.updated_at, now),
        "revision": str(view.revision),
        "active_request": "-" if view.active_request is None else _request(view.active_request, now),
        "queued_requests": "; ".join(_request(one, now) for one in view.queued_requests) or "-",
        "accepts": ", ".join(view.accepts) or "-",
        "refuses": "; ".join(f"{verb} ({reason})" for verb, reason in view.refuses.items()) or "-",
    }


def _alarm(rule: str, alarm: AlarmView, now: float) -> str:
    decided = "" if alarm.sensor is None or alarm.value is None else f": {alarm.sensor} {alarm.value:g}"
    return f"{rule} {alarm.state}, {age(alarm.since, now)}{decided}"


def _guard(stands: bool, reason: str | None) -> str:
    return word(stands) if reason is None else f"{word(stands)}: {reason}"


def _lock(lock: LockView, now: float) -> str:
    return f"{lock.owner}, {age(lock.since, now)}" + (f": {lock.reason}" if lock.reason else "")


def _request(request: RequestSummary, now: float) -> str:
    doing = request.step or request.state
    told = f"{request.id} {request.verb} ({doing}) accepted {age(request.accepted_at, now)} from {request.requester}"
    return ", ".join([told, *_terms(request, now)])


def _terms(request: RequestSummary, now: float) -> Iterator[str]:
    """Yield what is special about a request, in a few words each."""
    if request.position is not None:
        yield f"number {request.position} in line"
    if request.depends_on is not None:
        yield f"after {request.depends_on}"
    if request.hold:
        yield "held while in maintenance"
    if request.deadline_at is not None and request.position is not None:
        yield f"expires {age(request.deadline_at, now)}"
    if len(request.requesters) > 1:
        yield f"wanted by {len(request.requesters)}"
