"""What a running farm can be told, as data: an order comes in, all BMCs that it is about go out.

    {"order": "show", "bmcs": "bmc[1-5]"}                        all of them without "bmcs"
    {"order": "set", "bmcs": "bmc[3-5]", "faults": {"silent": "true", "slow": "0.1,0.5"}}
    {"order": "heal", "bmcs": "bmc3"}
    {"order": "reset", "bmcs": "bmc3", "silent_s": 5}
    {"order": "power", "bmcs": "bmc3", "state": "power off"}

The answer is {"bmcs": [{"name", "address", "port", "power", "restarting", "sessions", "logins", "commands", "controls",
"faults"}]}, or {"error": {"code", "message"}} and nothing was done. No sockets here; no secrets in what goes out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from castiron.testing.bmc import Faults
from castiron.testing.farm import BMCFarm
from castiron.testing.simulated import SimulatedBMC
from castiron.testing.words import read_faults, say_faults
from castiron.transport.errors import ArgumentInvalid
from castiron.transport.ranges import expand, fold
from castiron.transport.vocabulary import PowerState

INVALID: Final = "argument.invalid"
NOT_FOUND: Final = "bmc.not_found"

Answer = dict[str, Any]


class OrderRefused(Exception):
    """An order that cannot be carried out; nothing of it was."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def obey(farm: BMCFarm, order: object) -> Answer:
    """Carry out an order, whole or not at all, and return the answer. Any thread. Never raises for what an order holds.

    Args:
        farm: one that has been started.
        order: what was read from JSON.
    """
    try:
        return {"bmcs": [describe(bmc) for bmc in _carry_out(farm, order)]}
    except OrderRefused as refused:
        return {"error": {"code": refused.code, "message": str(refused)}}


def describe(bmc: SimulatedBMC) -> dict[str, Any]:
    """Return what an operator may see of a BMC, all of it now."""
    return {
        "name": bmc.name,
        "address": bmc.address,
        "port": bmc.port,
        "power": str(bmc.power),
        "restarting": bmc.is_restarting,
        "sessions": bmc.session_count,
        "logins": bmc.login_count,
        "commands": bmc.command_count,
        "controls": bmc.control_count,
        "faults": say_faults(bmc.faults),
    }


def _carry_out(farm: BMCFarm, order: object) -> Sequence[SimulatedBMC]:
    match cast("dict[str, Any]", order) if isinstance(order, dict) else {}:
        case {"order": "show", "bmcs": str(text)}:
            return _chosen(farm, text)
        case {"order": "show", **rest} if not rest:
            return list(farm)
        case {"order": "set", "bmcs": str(text), "faults": pairs} if isinstance(pairs, dict):
            return _change(_chosen(farm, text), cast("dict[str, Any]", pairs))
        case {"order": "heal", "bmcs": str(text)}:
            return _heal(_chosen(farm, text))
        case {"order": "reset", "bmcs": str(text), "silent_s": float() | int() as silent_s}:
            return _reset(_chosen(farm, text), silent_s)
        case {"order": "power", "bmcs": str(text), "state": str(state)}:
            return _switch(_chosen(farm, text), state)
        case _:
            raise OrderRefused(INVALID, "This is no order. There are show, set, heal, reset and power.")


def _chosen(farm: BMCFarm, text: str) -> list[SimulatedBMC]:
    by_name = {bmc.name: bmc for bmc in farm}
    try:
        names = expand(text)
    except ArgumentInvalid as error:
        raise OrderRefused(INVALID, error.message) from None
    if unknown := [name for name in names if name not in by_name]:
        raise OrderRefused(NOT_FOUND, f"There is no {fold(unknown)}; this farm has {fold(by_name)}.")
    return [by_name[name] for name in names]


def _change(bmcs: list[SimulatedBMC], pairs: Mapping[str, Any]) -> list[SimulatedBMC]:
    try:
        changes = read_faults({name: str(text) for name, text in pairs.items()})
    except ValueError as error:
        raise OrderRefused(INVALID, str(error)) from None
    for bmc in bmcs:
        bmc.change_faults(**changes)
    return bmcs


def _heal(bmcs: list[SimulatedBMC]) -> list[SimulatedBMC]:
    for bmc in bmcs:
        bmc.set_faults(Faults())
    return bmcs


def _reset(bmcs: list[SimulatedBMC], silent_s: float) -> list[SimulatedBMC]:
    try:
        for bmc in bmcs:
            bmc.cold_reset(silent_s)
    except ValueError as error:  # at the first of them, before anything was done
        raise OrderRefused(INVALID, f"A BMC cannot restart so: {error}.") from None
    return bmcs


def _switch(bmcs: list[SimulatedBMC], state: str) -> list[SimulatedBMC]:
    if state not in {PowerState.ON, PowerState.OFF}:
        raise OrderRefused(INVALID, f"{state!r} is neither 'power on' nor 'power off'.")
    for bmc in bmcs:
        bmc.power = PowerState(state)
    return bmcs
