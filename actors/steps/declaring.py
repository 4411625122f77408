"""Declaring a step: a decorated function, with what it takes, how it is taken back, and how one sees that it was done.

    @castiron.step(interface="bios", kinds=["clean"], args={"name": Arg(description="profile", required=True)})
    def apply_profile(context: StepContext, name: str) -> dict[str, object]:
        ...

    @apply_profile.revert
    def restore_profile(context: StepContext, name: str) -> None: ...

A step returns a map (its result), None, or `deferred()`: then somebody else says how it ended, with the context's
token. It has no way into the state machine. It may block, for as long as its time-out. Written `async def` it awaits
instead, on the conductor's loop; each of its parts may be the one or the other.
"""

import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Final

from castiron.actors.core.provision.catalogue import Arg, Known
from castiron.actors.coroutines.coroutines import is_coroutine_function
from castiron.actors.drivers.work import Deferred
from castiron.transport.vocabulary import Instant, StepKind


def _unheard(progress: Mapping[str, Any]) -> None:
    del progress


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a step is given beside its arguments. Any thread."""

    node: str
    """The node's name when the step began."""
    node_uuid: str
    driver: str
    driver_info: Mapping[str, Any] = field(repr=False)
    """How its BMC is reached, secrets in the clear; kept out of repr."""
    properties: Mapping[str, Any]
    attempt: int
    deadline: Instant
    """When nobody waits for it any more."""
    token: str = field(repr=False)
    """For whoever says how it ended, if it is deferred."""
    report: Callable[[Mapping[str, Any]], None] = _unheard
    """Tells of its progress; what a flow's tasks do is told by itself."""
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set when nobody wants the step any more: look at it wherever it may end. What awaits is cancelled besides."""


ENGINES: Final = ("serial", "parallel")
MAX_FLOW_WORKERS: Final = 64
"""Threads of one flow."""

Result = Mapping[str, Any] | Deferred | None
Body = Callable[..., Result | Awaitable[Result]]

Verify = Callable[..., bool | Awaitable[bool]]
"""Looks whether a step was done, and changes nothing."""


class DeclaredStep:
    """A step as it was declared; call it to carry it out. The parts are set while a module is imported."""

    def __init__(self, known: Known, body: Body) -> None:
        self._known = known
        self._body = body
        self._revert: Body | None = None
        self._verify: Verify | None = None
        self.__doc__ = body.__doc__

    @property
    def known(self) -> Known:
        """What the catalogue says of it."""
        return replace(self._known, has_revert=self._revert is not None, has_verify=self._verify is not None)

    def revert(self, body: Body) -> Body:
        """Declare how it is taken back: called if a later step fails, or itself, and at an abort."""
        self._revert = body
        return body

    def verify(self, look: Verify) -> Verify:
        """Declare how one sees whether it was done: asked after a restart that came while it ran."""
        self._verify = look
        return look

    def part(self, what: str) -> Callable[..., Any]:
        """Return what is called to "execute", "revert" or "verify" it.

        Raises:
            LookupError: it was declared without that.
        """
        body = {"execute": self._body, "revert": self._revert, "verify": self._verify}[what]
        if body is None:
            raise LookupError(f"{self._known.interface}.{self._known.step} has no {what}")
        return body

    def __call__(self, context: StepContext, **args: Any) -> Result | Awaitable[Result]:
        """Carry it out; what is written `async def` is to be awaited."""
        return self._body(context, **args)


def step(
    *,
    interface: str,
    name: str | None = None,
    kinds: Iterable[str] = tuple(StepKind),
    args: Mapping[str, Arg] | None = None,
    priority: int = 0,
    abortable: bool = True,
    idempotent: bool = False,
    timeout_s: float | None = None,
) -> Callable[[Body], DeclaredStep]:
    """Declare a step.

    Args:
        interface: "management", "bios", "raid", … or a word of your own.
        name: None: the function's.
        kinds: which lists it may stand in: "clean", "deploy", "service", "verify", …
        args: name → what it takes; checked before a request is accepted.
        priority: more than 0: it is part of every list of its kinds that nobody has chosen the steps of.
        abortable: an abort may end it; otherwise it runs to its end first.
        idempotent: doing it twice is as good as doing it once: after a restart it is simply done again.
        timeout_s: seconds for each attempt; None: the setting step_timeout_s.
    """

    def declare(body: Body) -> DeclaredStep:
        known = Known(
            interface=interface,
            step=name or body.__name__,
            description=(body.__doc__ or "").strip().split("\n")[0],
            kinds=frozenset(StepKind(kind) for kind in kinds),
            args=dict(args or {}),
            priority=priority,
            abortable=abortable,
            idempotent=idempotent,
            is_blocking=True,
            timeout_s=timeout_s,
        )
        return DeclaredStep(known, body)

    return declare


def flow_step(
    *,
    interface: str,
    engine: str = "parallel",
    max_workers: int = 4,
    **terms: Any,
) -> Callable[[Callable[..., Any]], DeclaredStep]:
    """Declare a step whose function returns a flow of TaskFlow's: linear, unordered, a graph, or flows of flows.

    A worker runs it with an engine of its own. What its tasks provide is the step's result, what they raise is its
    failure, once the flow has taken back what it had done; each change of a task is told as `node.step.progress`. An
    abort, or the step's time-out, ends it between two tasks. It needs the setting task_executor = taskflow.

    Args:
        interface: as for `step`.
        engine: TaskFlow's "serial" or "parallel" one.
        max_workers: how many tasks of the parallel one run at once, 1 to 64.
        terms: as for `step`.
    """
    if engine not in ENGINES or not 1 <= max_workers <= MAX_FLOW_WORKERS:
        raise ValueError(f"engine is one of {', '.join(ENGINES)}, max_workers 1 to {MAX_FLOW_WORKERS}")

    def declare(body: Callable[..., Any]) -> DeclaredStep:
        if is_coroutine_function(body):
            raise ValueError("a flow's function returns a flow, and awaits nothing: write it `def`")

        @wraps(body)
        def run(context: StepContext, **args: Any) -> Mapping[str, Any]:
            from castiron.actors.executors.taskflow.own import run_flow  # noqa: PLC0415 - only who has one needs it

            return run_flow(body(context, **args), context, engine=engine, max_workers=max_workers)

        declared = step(interface=interface, **terms)(run)
        return DeclaredStep(replace(declared.known, is_flow=True), run)

    return declare


def deferred(timeout_s: float | None = None) -> Deferred:
    """Return what a step returns whose end somebody else will tell.

    Args:
        timeout_s: how long whoever that is may be silent; None: as long as the step may take.
    """
    return Deferred(timeout_s)
