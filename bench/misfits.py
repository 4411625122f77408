"""BMCs that do worse than fall silent, in a process of their own: castiron's farm and Redfish BMCs of the tests.

Over IPMI they are slow, flood, forge, repeat themselves, or let nobody in; over Redfish they hang, fail, hang up, and
make tasks of requests. Few of them are enough: what matters is that each thing happens again and again.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from bench.apart import END, Apart, apart
from castiron.testing import BMCFarm, Faults, Forgery, LongTail
from tests.support.redfish_bmc import RESET, SESSIONS, RedfishBMC, refusal, running_redfish_bmc
from tests.support.redfish_faults import becomes_a_task, cut, drip, hang, status

NETWORK: Final = "127.102.0.0/16"

ILLS: Final[Mapping[str, Faults]] = {
    "slow": Faults(slow_s=LongTail(0.05, 2.0)),
    "too slow": Faults(slow_s=(2.0, 9.0)),
    "floods": Faults(flood_count=1_000),
    "forges": Faults(forgeries=tuple(Forgery), forge_percent=40),
    "repeats": Faults(duplicate_percent=50, reorder_percent=30),
    "ignores logins": Faults(ignores_logins=True),
    "table full": Faults(table_full=True),
    "wrong password": Faults(wrong_password=True),
}
"""What a BMC over IPMI does for a while. Those that meet only who logs in come with a restart of the BMC."""

_MEET_LOGINS: Final = {"ignores logins", "table full", "wrong password"}

MANY: Final = 1_000
"""Requests that meet a fault: more than come in its time."""


def _hangs(bmc: RedfishBMC) -> None:
    bmc.next(hang, count=MANY)


def _hangs_at_logins(bmc: RedfishBMC) -> None:
    bmc.expire_sessions()
    bmc.next(hang, "POST", SESSIONS, count=MANY)


def _fails(bmc: RedfishBMC) -> None:
    bmc.next(status(503, refusal("ServiceTemporarilyUnavailable")), count=MANY)


def _cuts(bmc: RedfishBMC) -> None:
    bmc.next(cut, count=MANY)


def _drips(bmc: RedfishBMC) -> None:
    bmc.next(drip, count=3)


def _makes_tasks(bmc: RedfishBMC) -> None:
    bmc.next(becomes_a_task((204, None), looks=4), "POST", RESET, count=MANY)


REDFISH_ILLS: Final[Mapping[str, Callable[[RedfishBMC], None]]] = {
    "Redfish hangs": _hangs,
    "Redfish hangs at logins": _hangs_at_logins,
    "Redfish fails": _fails,
    "Redfish cuts": _cuts,
    "Redfish drips": _drips,
    "Redfish tasks": _makes_tasks,
    "Redfish hangs up": RedfishBMC.drop_connections,
    "Redfish forgets sessions": RedfishBMC.expire_sessions,
}
"""What a Redfish BMC does for a while."""


class Misfits:
    """All of them, numbered from 0: first those over IPMI, then those over Redfish."""

    def __init__(self, process: Apart) -> None:
        self._process = process
        self.infos: list[dict[str, Any]]
        """driver_info of those over IPMI."""
        self.redfish_infos: list[dict[str, Any]]
        self.infos, self.redfish_infos = process.ready

    def ills(self, number: int) -> tuple[str, ...]:
        """Return what one can have."""
        return tuple(ILLS if number < len(self.infos) else REDFISH_ILLS)

    def fall_ill(self, number: int, ill: str) -> None:
        """Have one do badly, until it is healed."""
        self._process.ask((number, ill))

    def heal(self, number: int) -> None:
        """End what it has. Idempotent."""
        self._process.ask((number, None))

    def __len__(self) -> int:
        return len(self.infos) + len(self.redfish_infos)


@contextmanager
def misfits(ipmi: int, redfish: int, *, seed: int = 1) -> Generator[Misfits]:
    """Serve so many of each for the length of a `with`; they are well at first."""
    with apart(_serve, ipmi, redfish, seed) as process:
        yield Misfits(process)


def _serve(pipe: "Connection[Any, Any]", ipmi: int, redfish: int, seed: int) -> None:
    with BMCFarm(bmcs=ipmi, seed=seed, network=NETWORK) as farm, ExitStack() as stack:
        bmcs = [stack.enter_context(running_redfish_bmc()) for _ in range(redfish)]
        pipe.send(([bmc.driver_info for bmc in farm], [bmc.driver_info for bmc in bmcs]))
        while (order := pipe.recv()) != END:
            number: int = order[0]
            ill: str | None = order[1]
            if number < ipmi:
                farm[number].set_faults(ILLS[ill] if ill else Faults())
                if ill in _MEET_LOGINS:
                    farm[number].cold_reset()
            else:
                _tell(bmcs[number - ipmi], ill)
            pipe.send(None)


def _tell(bmc: RedfishBMC, ill: str | None) -> None:
    bmc.forgive()
    bmc.release()
    if ill is not None:
        REDFISH_ILLS[ill](bmc)
