"""BMCs for load: bench/bmcsim, a program in C that serves tens of thousands of them, built where it can be built.

Where gcc or libcrypto's headers are missing, castiron's own farm serves instead, in a process of its own, and says so:
it is the same language, slower, so that rates are then the farm's. Loopback only; the program ends with its standard
input, hence with whoever started it.
"""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self

from bench.apart import END, Apart, apart
from castiron.testing import BMCFarm, LongTail
from castiron.transport.vocabulary import PowerState

SOURCES: Final = Path(__file__).parent / "bmcsim"
BUILT: Final = Path(__file__).parent / "results"
FLAGS: Final = ("-std=c11", "-O2", "-Wall", "-Wextra")
PACKAGES: Final = "gcc libc6-dev libssl-dev"
NETWORK: Final = "127.101"
USERNAME: Final = "admin"
PASSWORD: Final = "password"
ENDING_S: Final = 5.0
MOST_S: Final = 3_600
"""A program that nobody ends, ends by itself then."""

BMCInfo = dict[str, Any]
"""driver_info of a node with one of the BMCs."""


class Manners(NamedTuple):
    """How BMCs answer: how late, log-normal, and how many of all datagrams are lost, each way."""

    name: str
    median_ms: int = 0
    p99_ms: int = 0
    loss_percent: int = 0


AT_ONCE: Final = Manners("at once")
REAL: Final = Manners("real ones' manners", median_ms=50, p99_ms=2_000, loss_percent=1)


class CannotBuild(RuntimeError):
    """The program cannot be built here; the message says what is missing."""


class BMCs(Protocol):
    """Simulated BMCs in a process of their own, whichever program serves them. They are numbered from 0."""

    infos: list[BMCInfo]
    """driver_info for each."""
    note: str
    """What serves them, for people."""

    def cpu_s(self) -> float:
        """Return the CPU time of the process that serves them."""
        ...

    def silence(self, numbers: Iterable[int], *, is_silent: bool = True) -> None:
        """Make these BMCs hear and say nothing, or end that."""
        ...

    def reboot(self, numbers: Iterable[int]) -> None:
        """Make these BMCs forget their sessions."""
        ...

    def press(self, numbers: Iterable[int], power: PowerState) -> None:
        """Change the power of these machines, without a word to anybody."""
        ...

    def lose(self, percent: int) -> None:
        """Lose this share of all datagrams, from now on."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return `logins` and `commands` since the start, at least; bench/bmcsim has `logouts`, too."""
        ...


def built(folder: Path = BUILT) -> Path:
    """Return the program, built into `folder` unless it is there.

    Raises:
        CannotBuild: gcc or libcrypto's headers are missing, or gcc does not take it.
    """
    if shutil.which("gcc") is None:
        raise CannotBuild(f"gcc not found; on Debian: apt install {PACKAGES}")
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    program = folder / f"bmcsim-{digest}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Under another name first, so that two that build at once never run half a file.
        fresh = program.with_suffix(f".{time.monotonic_ns()}")
        code = [str(source) for source in sources if source.suffix == ".c"]
        made = subprocess.run(
            ["gcc", *FLAGS, "-o", str(fresh), *code, "-lcrypto", "-lm"], check=False, capture_output=True, text=True
        )
        if made.returncode:
            hint = f"on Debian: apt install {PACKAGES}" if "openssl/" in made.stderr else made.stderr.strip()
            raise CannotBuild(f"bench/bmcsim could not be built; {hint}")
        fresh.rename(program)
    return program


@contextmanager
def bmcs(count: int, *, silent_percent: int = 0, manners: Manners = AT_ONCE, seed: int = 1) -> Generator[BMCs]:
    """Serve BMCs for the length of a `with`: from C if it can be built, else from Python."""
    try:
        program = built()
    except CannotBuild as reason:
        with python_bmcs(count, seed=seed, reason=str(reason)) as farm:
            farm.silence(silent_numbers(count, silent_percent))
            farm.behave(manners)
            yield farm
    else:
        late = {"median-ms": manners.median_ms, "p99-ms": manners.p99_ms}
        with Simulator(
            program, count, silent=silent_percent, loss=manners.loss_percent, seed=seed, **late
        ) as simulator:
            yield simulator


@contextmanager
def python_bmcs(count: int, *, seed: int = 1, reason: str = "") -> Generator["PythonBMCs"]:
    """Serve BMCs by castiron's own farm, in a process of its own."""
    with apart(_serve_python, count, seed) as process:
        yield PythonBMCs(process, reason)


def silent_numbers(count: int, percent: int) -> list[int]:
    """Return which of so many BMCs are silent where a share is: evenly spread, the same as bench/bmcsim's."""
    return [number for number in range(count) if (number + 1) * percent // 100 != number * percent // 100]


class Simulator:
    """A running bench/bmcsim; a context manager ends it.

    Args:
        program: as `built` returns it.
        count: BMCs.
        options: as the program's, without the dashes.
    """

    note = "bench/bmcsim"

    def __init__(self, program: Path, count: int, **options: int | str) -> None:
        words = {"bmcs": count, "network": NETWORK, "username": USERNAME, "password": PASSWORD, "seconds": MOST_S}
        flags = [word for name, value in (words | options).items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [str(program), *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        said = self._hear().split()
        if said[:1] != ["ready"]:
            self.end()
            raise RuntimeError(f"bench/bmcsim did not start: {said}")
        self.infos: list[BMCInfo] = [
            {
                "ipmi_address": f"{words['network']}.{number >> 8}.{number & 255}",
                "ipmi_port": int(said[1]),
                "ipmi_username": words["username"],
                "ipmi_password": words["password"],
            }
            for number in range(1, count + 1)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def cpu_s(self) -> float:
        """Return its CPU time."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9

    def silence(self, numbers: Iterable[int], *, is_silent: bool = True) -> None:
        """Make these BMCs hear and say nothing, or end that."""
        self._order_each("silent" if is_silent else "answer", numbers)

    def reboot(self, numbers: Iterable[int]) -> None:
        """Make these BMCs forget their sessions."""
        self._order_each("reboot", numbers)

    def press(self, numbers: Iterable[int], power: PowerState) -> None:
        """Change the power of these machines, without a word to anybody."""
        self._order_each("on" if power is PowerState.ON else "off", numbers)

    def lose(self, percent: int) -> None:
        """Lose this share of all datagrams, from now on."""
        self._order(f"loss {percent}")

    def counts(self) -> Mapping[str, int]:
        """Return what it has counted since its start."""
        pairs = (pair.split("=") for pair in self._order("counts").split())
        return {name: int(value) for name, value in pairs}

    def end(self) -> None:
        """End it, and wait until it has ended. Idempotent."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _order_each(self, word: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._order(f"{word} {number + 1} {number + 1}")

    def _order(self, line: str) -> str:
        if self._process.stdin is None:
            raise RuntimeError("bench/bmcsim has no standard input")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        said = self._hear()
        if said.startswith("error"):
            raise ValueError(f"{line}: {said}")
        return said

    def _hear(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ""


class PythonBMCs:
    """castiron's own farm in a process of its own, told what to do by name."""

    def __init__(self, process: Apart, reason: str) -> None:
        self._process = process
        self.infos: list[BMCInfo] = process.ready
        self.note = f"castiron's farm, because {reason}" if reason else "castiron's farm"

    def cpu_s(self) -> float:
        """Return its process's CPU time."""
        return self._process.cpu_s()

    def silence(self, numbers: Iterable[int], *, is_silent: bool = True) -> None:
        """Make these BMCs hear and say nothing, or end that."""
        self._process.ask(("silence", list(numbers), is_silent))

    def reboot(self, numbers: Iterable[int]) -> None:
        """Make these BMCs forget their sessions."""
        self._process.ask(("reboot", list(numbers), None))

    def press(self, numbers: Iterable[int], power: PowerState) -> None:
        """Change the power of these machines, without a word to anybody."""
        self._process.ask(("press", list(numbers), power.value))

    def lose(self, percent: int) -> None:
        """Lose this share of all datagrams, from now on."""
        self._process.ask(("lose", list(range(len(self.infos))), percent))

    def behave(self, manners: Manners) -> None:
        """Answer like this, all of them, from now on."""
        self._process.ask(("behave", list(range(len(self.infos))), manners))

    def counts(self) -> Mapping[str, int]:
        """Return `logins` and `commands`."""
        counts: dict[str, int] = self._process.ask(("counts", list[int](), None))
        return counts


def _serve_python(pipe: "Connection[Any, Any]", count: int, seed: int) -> None:
    with BMCFarm(bmcs=count, seed=seed, network=f"{NETWORK}.0.0/16", username=USERNAME, password=PASSWORD) as farm:
        pipe.send([bmc.driver_info for bmc in farm])
        while (order := pipe.recv()) != END:
            pipe.send(_obeyed(farm, *order))


def _obeyed(farm: BMCFarm, word: str, numbers: list[int], value: Any) -> dict[str, int]:
    for number in numbers:
        match word:
            case "silence":
                farm[number].change_faults(silent=value)
            case "reboot":
                farm[number].cold_reset()
            case "press":
                farm[number].power = PowerState(value)
            case "behave":
                farm[number].change_faults(loss_percent=value.loss_percent, slow_s=_slowness(value))
            case _:
                farm[number].change_faults(loss_percent=value)
    bmcs = list(farm)
    return {"logins": sum(bmc.login_count for bmc in bmcs), "commands": sum(bmc.command_count for bmc in bmcs)}


def _slowness(manners: Manners) -> LongTail | float:
    return LongTail(manners.median_ms / 1e3, manners.p99_ms / 1e3) if manners.median_ms else 0.0
