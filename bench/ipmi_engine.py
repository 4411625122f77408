"""What the IPMI engine costs: logins, checks in open sessions, memory, and what dead BMCs do to healthy ones.

    python -m bench.ipmi_engine [PORT PASSWORD]

Without arguments the BMCs are castiron's own farm in a process of its own, which is then what limits the rates; the CPU
figures are this process's alone. With a port and a password, BMCs that listen on that port of every address from
127.101.0.1 on, as a simulator in C does, show what the engine itself can do. Loopback only.
"""

import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from castiron.actors.dispatch.clock import SystemClock
from castiron.actors.drivers.base import Call, Done, GetPower, Outcome, Target
from castiron.actors.drivers.ipmi import IPMIDriver
from castiron.testing import BMCFarm
from castiron.transport.vocabulary import Instant, NodeUUID

LIMIT_S: Final = 120.0
FARM_NETWORK: Final = "127.101.0.0/16"
DEAD_NETWORK: Final = "127.99"
"""Nobody listens there, on the port beside the BMCs'."""

Round = list[tuple[float, Outcome]]
"""(seconds that it took, outcome) of each call of a round."""


def _address(prefix: str, index: int) -> str:
    return f"{prefix}.{(index + 1) // 256}.{(index + 1) % 256}"


def _serve(bmcs: int, password: str, port: Any, stop: Any) -> None:
    with BMCFarm(bmcs=bmcs, password=password, network=FARM_NETWORK) as farm:
        port.value = farm.port
        stop.wait(LIMIT_S)


@contextmanager
def _farm(bmcs: int, password: str) -> Generator[int]:
    context = multiprocessing.get_context("spawn")
    port, stop = context.Value("i", 0), context.Event()
    process = context.Process(target=_serve, args=(bmcs, password, port, stop), daemon=True)
    process.start()
    give_up_at = time.monotonic() + LIMIT_S
    waited = threading.Event()
    while not port.value and time.monotonic() < give_up_at:
        waited.wait(0.05)
    yield port.value
    stop.set()
    process.join(10)


class Fleet:
    """Nodes of one driver, asked all at once or in turn."""

    def __init__(self, driver: IPMIDriver, clock: SystemClock, targets: list[Target]) -> None:
        self.driver = driver
        self.clock = clock
        self.targets = targets

    def check_all(self, *, times: int = 1, deadline_s: float = 15.0) -> Round:
        """Check every node `times` times, each as soon as its last check has ended; return all latencies."""
        finished = threading.Event()
        results: Round = []
        expected = times * len(self.targets)

        def ask(target: Target, left: int) -> None:
            begun = self.clock.now()
            call = Call(target=target, operation=GetPower(), deadline=Instant(begun + deadline_s))
            self.driver.submit(call, lambda outcome: end(target, left, begun, outcome))

        def end(target: Target, left: int, begun: float, outcome: Outcome) -> None:
            results.append((self.clock.now() - begun, outcome))
            if left > 1:
                ask(target, left - 1)
            if len(results) == expected:
                finished.set()

        for target in self.targets:
            ask(target, times)
        finished.wait(LIMIT_S)
        return results


def _targets(prefix: str, count: int, port: int, password: str, name: str) -> list[Target]:
    login = {"ipmi_port": port, "ipmi_username": "admin", "ipmi_password": password}
    return [
        Target(node=NodeUUID(f"{name}{index}"), generation=1, info={**login, "ipmi_address": _address(prefix, index)})
        for index in range(count)
    ]


def _timed(work: Callable[[], Round]) -> tuple[float, float, Round]:
    """Return wall seconds, CPU seconds of this process, and the round."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def _p99_ms(result: Round) -> float:
    return statistics.quantiles([seconds for seconds, _ in result], n=100)[98] * 1000


def _done(result: Round) -> float:
    return float(sum(isinstance(outcome, Done) for _, outcome in result))


def _measure_on(port: int, password: str, bmcs: int, checks: int) -> dict[str, float]:
    clock = SystemClock()
    driver = IPMIDriver(clock)
    try:
        prefix = FARM_NETWORK.rsplit(".", 2)[0]
        healthy = Fleet(driver, clock, _targets(prefix, bmcs, port, password, "n"))
        before_kb = _rss_kb()
        login_s, login_cpu_s, logins = _timed(healthy.check_all)
        after_kb = _rss_kb()
        check_s, check_cpu_s, checked = _timed(lambda: healthy.check_all(times=checks))
        _, _, alone = _timed(healthy.check_all)
        dead = Fleet(driver, clock, _targets(DEAD_NETWORK, bmcs // 10, port ^ 1, password, "dead"))
        ending = threading.Thread(target=dead.check_all)
        ending.start()
        beside = [one for _ in range(5) for one in healthy.check_all()]
        ending.join(LIMIT_S)
        return {
            "bmcs": float(bmcs),
            "logins_done": _done(logins),
            "logins_per_s": len(logins) / login_s,
            "login_and_check_cpu_ms": login_cpu_s / len(logins) * 1000,
            "checks_done": _done(checked),
            "checks_per_s": len(checked) / check_s,
            "check_cpu_ms": check_cpu_s / len(checked) * 1000,
            "session_kb": (after_kb - before_kb) / bmcs,
            "burst_p99_ms": _p99_ms(alone),
            "burst_p99_with_10_percent_dead_ms": _p99_ms(beside),
        }
    finally:
        driver.stop(10)
        clock.stop(5)


def measure(
    *, bmcs: int = 1_000, checks: int = 10, port: int | None = None, password: str = "secret"
) -> dict[str, float]:
    """Measure, and return figure → value.

    Args:
        bmcs: how many BMCs.
        checks: how often each is checked in its open session.
        port: of BMCs that run already; None to run castiron's own.
        password: of their user `admin`.

    Returns:
        Rates are by wall clock, and bounded by the BMCs; CPU is this process's, per login with its first check and per
        check; `session_kb` is what this process grew by; the p99s are of bursts that ask every healthy BMC at once.
    """
    if port is not None:
        return _measure_on(port, password, bmcs, checks)
    with _farm(bmcs, password) as own:
        return _measure_on(own, password, bmcs, checks)


if __name__ == "__main__":
    given = {"port": int(sys.argv[1]), "password": sys.argv[2]} if len(sys.argv) > 2 else {}
    for name, value in measure(**given).items():  # type: ignore[arg-type]  # two keys of two types
        print(f"{name:36} {value:12.3f}")
