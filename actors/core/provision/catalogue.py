"""The steps that castiron brings along: what each is for, what it takes, and the machine that carries it out. Pure.

Steps of plug-ins are in the same kind of table (`Known`), and are carried out by a worker. May come in: a row. Must
not: what a machine does (`core.machines`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from castiron.actors.core.machines.boot import BootAction
from castiron.actors.core.machines.exchange import ExchangeAction
from castiron.actors.core.machines.password import FORMER, PasswordAction
from castiron.actors.core.machines.pause import CallBackAction, PauseAction
from castiron.actors.core.machines.power import PowerAction, PowerPlace
from castiron.actors.core.machines.turn import Limits
from castiron.actors.core.provision.courses import call_back_timeout_s
from castiron.actors.core.provision.steps import Step
from castiron.actors.core.state import StepAction
from castiron.actors.drivers.base import BootSetting, GetPower, Operation
from castiron.actors.drivers.operations import (
    CREDENTIALS,
    LAMP_S,
    LAMPS_S,
    MAX_IDENTIFY_S,
    MAX_PASSWORD_BYTES,
    NO_CREDENTIALS,
    ClearSEL,
    GetDeviceID,
    GetSystemGUID,
    Identify,
    ReadFRU,
    ReadSensors,
    ResetBMC,
    SetBootMode,
)
from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord
from castiron.store.records.copying import replace
from castiron.transport.vocabulary import BootDevice, BootMode, PowerState, PowerTarget, ProvisionState, StepKind

FOR_EVER_S: Final = 10 * 365 * 86_400.0
"""Where a setting of 0 means that nobody's silence ends a wait."""

ANY: Final = frozenset(StepKind)
RESERVED: Final = "conductor"
"""The interface of the steps that every list may have, whatever its driver: Ironic's reserved steps."""
POWERING_OFF: Final = frozenset({(RESERVED, "power_off"), (RESERVED, "reboot")})
"""Steps after which the machine is off, or was."""

HOLD: Final = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a step; the words of Ironic's argsinfo."""

    description: str
    kind: type[str | int | float | bool | dict[str, object] | list[object]] = str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    """Of a text: bytes, all of which are printable."""
    is_secret: bool = False


KIND_WORDS: Final[Mapping[type, str]] = {
    str: "text",
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    dict: "a map",
    list: "a list",
}
"""Kind of an argument → what it is, for people."""

Make = Callable[[Step, Limits, ProvisionState, Settings], StepAction]
MakeOfNode = Callable[[Step, Limits, NodeRecord, bool], StepAction]
"""For a machine that depends on the node's record; True: it is to take the step back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A step that can be asked for."""

    interface: str
    step: str
    description: str
    kinds: frozenset[StepKind] = ANY
    args: Mapping[str, Arg] = field(default_factory=dict[str, Arg])
    priority: int = 0
    """More than 0: it is part of every list of its kinds that nobody has chosen the steps of."""
    abortable: bool = True
    idempotent: bool = False
    has_verify: bool = False
    has_revert: bool = False
    is_blocking: bool = False
    timeout_s: float | None = None
    """None: the setting step_timeout_s, or what its own machine takes."""
    make: Make | None = None
    """Its machine; None: a worker carries it out."""
    is_flow: bool = False
    """What carries it out is a flow of TaskFlow's, which the worker runs."""
    refusal: str | None = None
    """Why it cannot be asked for here; None: it can."""
    make_of_node: MakeOfNode | None = None
    """The same, in its place."""
    one_of: tuple[str, ...] = ()
    """Arguments of which exactly one must be given, and be true."""
    is_single: bool = False
    """A list has it once at the most: what was before it is known for one."""
    is_placed: bool = False
    """Its machine knows its place: what may have been sent is on disk before it is."""

    @property
    def name(self) -> str:
        """What a list calls it that calls it nothing else."""
        return self.step if self.interface == RESERVED else f"{self.interface}.{self.step}"


def _power(target: PowerTarget) -> Make:
    def make(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
        del stage, settings
        hard = bool(step.args.get("hard_fallback", False))
        return PowerAction(target=target, hard_fallback=hard, limits=limits, place=PowerPlace())

    return make


def _reboot(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    target = PowerTarget.SOFT_REBOOT if step.args.get("soft") else PowerTarget.REBOOT
    return _power(target)(step, limits, stage, settings)


def _boot_device(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    del stage, settings
    setting = BootSetting(
        BootDevice(step.args["boot_device"]),
        persistent=bool(step.args.get("persistent", False)),
        uefi=bool(step.args.get("uefi", False)),
    )
    return BootAction(setting=setting, limits=limits)


def _asks(operation: Operation, what: str, *, is_repeatable: bool = True, is_optional: bool = False) -> Make:
    def make(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
        del stage, settings
        return ExchangeAction(
            operation=operation,
            what=what,
            limits=_patient(step, limits),
            is_repeatable=is_repeatable,
            is_optional=is_optional,
        )

    return make


def _patient(step: Step, limits: Limits) -> Limits:
    """Return limits for what is tried as long as its step may take."""
    return replace(limits, change_s=step.timeout_s)


def _boot_mode(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    mode = BootMode(step.args["boot_mode"])
    return _asks(SetBootMode(mode), "setting the boot mode")(step, limits, stage, settings)


def _identify(step: Step, limits: Limits, node: NodeRecord, is_revert: bool) -> StepAction:
    del is_revert
    duration_s = step.args.get("duration_s", LAMPS_S.get(node.driver, LAMP_S))
    return ExchangeAction(operation=Identify(duration_s), what="lighting the lamp", limits=_patient(step, limits))


def _reset_bmc(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    cold = bool(step.args.get("cold", True))
    return _asks(ResetBMC(cold=cold), "restarting the BMC", is_repeatable=False)(step, limits, stage, settings)


def _check_bmc(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    return _asks(GetPower(), "looking whether the BMC answers")(step, limits, stage, settings)


def _check_power(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    del stage, settings
    wanted = PowerState(step.args["power_state"])
    return ExchangeAction(
        operation=GetPower(), what=f"waiting for {wanted}", limits=_patient(step, limits), wanted=wanted
    )


def _wait(step: Step, limits: Limits, stage: ProvisionState, settings: Settings) -> StepAction:
    del limits
    seconds = step.args.get("seconds")
    if seconds is not None:
        return PauseAction(pause_s=float(seconds))
    return CallBackAction(timeout_s=call_back_timeout_s(stage, settings) or FOR_EVER_S)


def _change_password(step: Step, limits: Limits, node: NodeRecord, is_revert: bool) -> StepAction:
    keys, kept = CREDENTIALS.get(node.driver, NO_CREDENTIALS), node.other_passwords
    before = kept.get(FORMER, node.driver_info.get(keys.password, ""))
    return PasswordAction(
        keys=keys,
        info=node.driver_info,
        kept=kept,
        wanted=before if is_revert else step.args.get("password"),
        limits=_patient(step, limits),
        is_revert=is_revert,
    )


_SOFT: Final = Arg(description="ask the operating system first", kind=bool)
_HARD: Final = Arg(description="cut the power if a soft reboot does not end in time", kind=bool)

BUILT_IN: Final = (
    Known(
        interface=RESERVED,
        step="power_on",
        description="Power the machine on, and see that it is.",
        make=_power(PowerTarget.ON),
        is_placed=True,
    ),
    Known(
        interface=RESERVED,
        step="power_off",
        description="Power the machine off, and see that it is.",
        make=_power(PowerTarget.OFF),
        is_placed=True,
    ),
    Known(
        interface=RESERVED,
        step="reboot",
        description="Power the machine off and on, each of which is seen.",
        args={"soft": _SOFT, "hard_fallback": _HARD},
        make=_reboot,
        is_placed=True,
    ),
    Known(
        interface=RESERVED,
        step="wait",
        description="Wait so many seconds; without them, until whoever works on the machine says that it is done.",
        args={"seconds": Arg(description="how long", kind=float, least=0.0, most=1800.0)},
        make=_wait,
        is_placed=True,
    ),
    Known(
        interface=RESERVED,
        step=HOLD,
        description="Stop, until somebody says `unhold`.",
        idempotent=True,
    ),
    Known(
        interface="management",
        step="set_boot_device",
        description="Set where the machine boots from.",
        args={
            "boot_device": Arg(
                description="where to boot from",
                required=True,
                choices=("pxe", "disk", "cdrom", "bios", "safe", "floppy"),
            ),
            "persistent": Arg(description="from now on, not only the next time", kind=bool),
            "uefi": Arg(description="boot it in UEFI mode", kind=bool),
        },
        idempotent=True,
        make=_boot_device,
    ),
    Known(
        interface="management",
        step="set_boot_mode",
        description="Set how the machine's firmware boots, from its next start. Redfish only.",
        args={"boot_mode": Arg(description="how it boots", required=True, choices=tuple(BootMode))},
        idempotent=True,
        timeout_s=60.0,
        make=_boot_mode,
    ),
    Known(
        interface="management",
        step="check_bmc",
        description="See that the BMC answers, with the credentials on record.",
        idempotent=True,
        timeout_s=60.0,
        make=_check_bmc,
    ),
    Known(
        interface="management",
        step="identify",
        description="Light the machine's lamp, for 15 s if nothing is said; on Redfish until it is put out.",
        args={"duration_s": Arg(description="seconds; 0 puts it out", kind=int, least=0, most=MAX_IDENTIFY_S)},
        idempotent=True,
        make_of_node=_identify,
    ),
    Known(
        interface="management",
        step="reset_bmc",
        description="Restart the BMC, not the machine. It is silent afterwards: let check_bmc follow.",
        args={"cold": Arg(description="false: a warm reset, which few BMCs have", kind=bool)},
        make=_reset_bmc,
        is_placed=True,
    ),
    Known(
        interface="management",
        step="clear_sel",
        description="Delete every entry of the BMC's event log.",
        idempotent=True,
        make=_asks(ClearSEL(), "clearing the event log"),
    ),
    Known(
        interface="management",
        step="change_bmc_password",
        description="Change the password of the BMC's user, and the stored one with it.",
        args={
            "password": Arg(description="the new one", most=MAX_PASSWORD_BYTES, is_secret=True),
            "generate": Arg(description="have one drawn, which nobody is told", kind=bool),
        },
        one_of=("password", "generate"),
        is_single=True,
        has_revert=True,
        timeout_s=300.0,
        make_of_node=_change_password,
        is_placed=True,
    ),
    *(
        Known(
            interface="inspect",
            step=step,
            description=description,
            kinds=frozenset({StepKind.INSPECT, StepKind.CLEAN, StepKind.SERVICE}),
            idempotent=True,
            timeout_s=300.0,
            make=_asks(operation, f"reading {what}", is_optional=True),
        )
        for step, operation, what, description in (
            ("read_device_id", GetDeviceID(), "the device id", "Read who made the BMC, and its versions."),
            ("read_guid", GetSystemGUID(), "the GUID", "Read the machine's GUID."),
            ("read_fru", ReadFRU(), "the inventory", "Read the machine's inventory (FRU)."),
            ("read_sensors", ReadSensors(), "the sensors", "Read which sensors the machine has, and what they say."),
        )
    ),
    Known(
        interface="power",
        step="check_power_state",
        description="See that the machine is in a power state, or comes to be in time.",
        args={"power_state": Arg(description="the state", required=True, choices=tuple(PowerState))},
        idempotent=True,
        make=_check_power,
    ),
)
"""In the order of the documents."""

Catalogue = Mapping[tuple[str, str], Known]
"""(interface, step) → what is known of it."""


def catalogue_of(*tables: tuple[Known, ...]) -> Catalogue:
    """Return the steps of several tables; the first that has one counts."""
    return {(one.interface, one.step): one for table in reversed(tables) for one in table}


OWN: Final = catalogue_of(BUILT_IN)


def machine_for(
    step: Step, stage: ProvisionState, node: NodeRecord, settings: Settings, *, is_revert: bool = False
) -> StepAction | None:
    """Return the machine of a step that castiron brings along; None: a worker carries it out.

    Args:
        is_revert: it is to take the step back.
    """
    known, limits = OWN.get((step.interface, step.step)), limits_of(step, node, settings)
    if known is not None and known.make_of_node is not None:
        return known.make_of_node(step, limits, node, is_revert)
    if known is None or known.make is None or is_revert:
        return None
    return known.make(step, limits, stage, settings)


def is_placed(step: Step) -> bool:
    """Return whether a step's machine knows its place."""
    known = OWN.get((step.interface, step.step))
    return known is not None and known.is_placed


def limits_of(step: Step, node: NodeRecord, settings: Settings) -> Limits:
    """Return what a step's machine is held to: the node's times, none longer than the step's own."""
    change_s = node.power_state_change_timeout_s or settings.power_state_change_timeout_s
    soft_off_s = node.soft_power_off_timeout_s or settings.soft_power_off_timeout_s
    return Limits(
        change_s=min(change_s, step.timeout_s),
        soft_off_s=min(soft_off_s, step.timeout_s),
        poll_initial_s=settings.power_poll_initial_s,
        poll_max_s=settings.power_poll_max_s,
        settle_s=settings.unknown_outcome_settle_s,
    )
