"""A plug-in whose steps do what steps must not do, or leave a trace of what they did.

`installed` makes an entry point for it, as an installer would.
"""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from castiron.actors.core.provision.catalogue import Arg
from castiron.actors.drivers.work import Deferred
from castiron.actors.steps import StepContext, deferred, flow_step, step

HANGS_S: Final = 60.0
"""Longer than any test waits; threads that hang end with their process at the latest."""

PATH: Final = {"path": Arg(description="a file that notes are appended to", required=True)}
GATED: Final = {**PATH, "gate": Arg(description="a file: it waits while it is there")}


def note(path: str, line: str) -> None:
    """Append a line, in one write."""
    with Path(path).open("a") as file:
        file.write(line + "\n")


def notes(path: Path) -> list[str]:
    """Return what was noted."""
    return path.read_text().split() if path.exists() else []


@step(interface="test")
def nap(context: StepContext) -> None:
    """Take a tenth of a second."""
    context.cancelled.wait(0.1)


@step(interface="test")
def long_nap(context: StepContext) -> None:
    """Last until it is asked to stop."""
    context.cancelled.wait(HANGS_S)


@step(interface="test")
def hangs(context: StepContext) -> None:
    """Never end, whatever it is asked."""
    del context
    threading.Event().wait(HANGS_S)


@step(interface="test")
def raises(context: StepContext) -> None:
    """Fail."""
    raise ValueError(f"not on {context.node}")


@step(interface="test")
def exits(context: StepContext) -> None:
    """Want the process to end."""
    del context
    raise SystemExit(3)


@step(interface="test")
def rubbish(context: StepContext) -> Mapping[str, Any]:
    """Return what no step may return."""
    del context
    return cast("Mapping[str, Any]", "all is well")


@step(interface="test")
def unstorable(context: StepContext) -> Mapping[str, Any]:
    """Return a map that nothing can be made of."""
    del context
    return {"lock": threading.Lock()}


@step(interface="test")
def immense(context: StepContext) -> Mapping[str, Any]:
    """Return more than there is room for."""
    del context
    return {"log": "x" * 1_000_000}


class Unsayable(Exception):
    """An error whose words cannot be had."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


class Trapdoor(dict[str, Any]):
    """A map that ends whoever looks into it."""

    def __iter__(self) -> Any:
        """Want the thread to end."""
        raise SystemExit(5)

    def keys(self) -> Any:
        """Do the same."""
        raise SystemExit(5)


@step(interface="test")
def unsayable(context: StepContext) -> None:
    """Fail with what cannot be put into words."""
    raise Unsayable


@step(interface="test")
def lacks_key(context: StepContext) -> None:
    """Fail as one fails who looks for what is not there."""
    raise KeyError(context.node)


@step(interface="test")
def trapdoor(context: StepContext) -> Mapping[str, Any]:
    """Return a map that ends whoever looks into it."""
    del context
    return Trapdoor(a=1)


@step(interface="test")
def tells_rubbish(context: StepContext) -> None:
    """Tell of its progress what cannot be told."""
    context.report({"lock": threading.Lock()})


@step(interface="test")
def tells_number(context: StepContext) -> None:
    """Tell of its progress what is no map."""
    context.report(cast("Mapping[str, Any]", 42))


@step(interface="test")
def tells_all(context: StepContext) -> None:
    """Tell of its progress more often than anybody wants to hear."""
    for number in range(1_500):
        context.report({"at": number})


@step(interface="test", args=PATH)
def agent(context: StepContext, path: str) -> Deferred:
    """Hand the token to somebody who will say how it ended."""
    note(path, context.token)
    return deferred(20.0)


@step(interface="test", args=PATH, idempotent=True)
def back(context: StepContext, path: str) -> Mapping[str, Any]:
    """Leave a trace that is taken back."""
    note(path, f"do-{context.attempt}")
    return {"attempt": context.attempt}


@back.revert
def take_back(context: StepContext, path: str) -> None:
    """Note that it was taken back."""
    del context
    note(path, "undo")


@step(interface="test", args=PATH)
def half_done(context: StepContext, path: str) -> None:
    """Fail half-way."""
    note(path, "half")
    raise OSError(f"half of it, on {context.node}")


@half_done.revert
def take_half_back(context: StepContext, path: str) -> None:
    """Note that it was taken back."""
    del context
    note(path, "undo")


@step(interface="test", args={**PATH, "times": Arg(description="how often it fails", kind=int, required=True)})
def flaky(context: StepContext, path: str, times: int) -> None:
    """Fail so many times."""
    note(path, f"try-{context.attempt}")
    if context.attempt <= times:
        raise OSError("not yet")


SECRET: Final = {**PATH, "password": Arg(description="a new one", required=True, is_secret=True)}


@step(interface="test", args=SECRET, idempotent=True)
def set_password(context: StepContext, path: str, password: str) -> None:
    """Note a secret where only a test looks for it: backwards."""
    del context
    note(path, password[::-1])


def _gated(name: str, path: str, gate: str | None) -> None:
    note(path, name)
    pause = threading.Event()
    while gate is not None and Path(gate).exists():
        pause.wait(0.02)


@step(interface="test", args=GATED, idempotent=True)
def twice(context: StepContext, path: str, gate: str | None = None) -> None:
    """Do no harm if done twice."""
    del context
    _gated("twice", path, gate)


@step(interface="test", args=GATED)
def blind(context: StepContext, path: str, gate: str | None = None) -> None:
    """Do something that nobody can see afterwards."""
    del context
    _gated("blind", path, gate)


@step(interface="test", args=GATED)
def seen(context: StepContext, path: str, gate: str | None = None) -> None:
    """Do something that can be seen afterwards."""
    del context
    _gated("seen", path, gate)


@seen.verify
def is_seen(context: StepContext, path: str, gate: str | None = None) -> bool:
    """Look whether it was done."""
    del context, gate
    was_done = "seen" in notes(Path(path))
    note(path, "looked")
    return was_done


def _flow(*tasks: Any) -> Any:
    from taskflow.patterns import linear_flow  # noqa: PLC0415 - who has no TaskFlow has this plug-in, too

    flow: Any = linear_flow.Flow("mine")
    return flow.add(*tasks)


@flow_step(interface="test", engine="serial", args=PATH)
def two_tasks(context: StepContext, path: str) -> Any:
    """Do two things, one after the other, the second with what the first provides."""
    from taskflow.task import FunctorTask  # noqa: PLC0415 - as above

    def first() -> str:
        note(path, "first")
        return context.node

    def second(name: str) -> str:
        note(path, f"second-{name}")
        return name.upper()

    return _flow(FunctorTask(first, name="first", provides="name"), FunctorTask(second, name="second", provides="loud"))


@flow_step(interface="test", max_workers=2, args=PATH)
def fails_halfway(context: StepContext, path: str) -> Any:
    """Fail at the second of two things, and take the first back."""
    from taskflow.task import FunctorTask  # noqa: PLC0415 - as above

    def first() -> None:
        note(path, "done")

    def undo(**_: object) -> None:
        note(path, "undone")

    def second() -> None:
        raise ValueError(f"no disk in {context.node}")

    return _flow(FunctorTask(first, name="first", revert=undo), FunctorTask(second, name="second"))


@flow_step(interface="test", engine="serial")
def long_flow(context: StepContext) -> Any:
    """Have a task that lasts until nobody wants it, and one after it that must not begin."""
    from taskflow.task import FunctorTask  # noqa: PLC0415 - as above

    def first() -> None:
        context.cancelled.wait(HANGS_S)

    def second() -> None:
        raise AssertionError("nobody wants it")

    return _flow(FunctorTask(first, name="first"), FunctorTask(second, name="second"))


@flow_step(interface="test")
def no_flow(context: StepContext) -> Any:
    """Return what is no flow."""
    del context
    return {"a": 1}


STEPS: Final = [
    nap,
    long_nap,
    hangs,
    raises,
    exits,
    rubbish,
    unstorable,
    immense,
    unsayable,
    lacks_key,
    trapdoor,
    tells_rubbish,
    tells_number,
    tells_all,
    agent,
    back,
    half_done,
    flaky,
    set_password,
    twice,
    blind,
    seen,
    two_tasks,
    fails_halfway,
    long_flow,
    no_flow,
]


def installed(folder: Path, steps: str = "tests.support.step_plugin:STEPS") -> Path:
    """Describe the plug-in in a folder as an installer does; return the folder, which belongs on the path."""
    described = folder / "plugins" / "steps_of_tests-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: steps_of_tests\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[castiron.steps]\nall = {steps}\n")
    return described.parent


def path_with(folder: Path, root: Path) -> str:
    """Return a PYTHONPATH for a process that finds the plug-in."""
    return os.pathsep.join((str(root), str(folder)))
