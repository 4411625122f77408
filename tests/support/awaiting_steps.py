"""The steps of `step_plugin`, written `async def`: what blocked there awaits here, and all else is the same.

MIXED has every second one of them, and parts of one step in both manners.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from castiron.actors.steps import StepContext
from castiron.actors.steps.declaring import DeclaredStep
from tests.support import step_plugin
from tests.support.step_plugin import HANGS_S, note

STUBBORN: Final = 1_000
"""How often `hangs` swallows that it is cancelled: more often than anybody tries."""


async def nap(context: StepContext) -> None:
    """Take a tenth of a second."""
    del context
    await asyncio.sleep(0.1)


async def long_nap(context: StepContext) -> None:
    """Last until it is cancelled."""
    del context
    await asyncio.sleep(HANGS_S)


async def hangs(context: StepContext) -> None:
    """Never end, whatever it is asked: swallow every cancellation."""
    del context
    for _ in range(STUBBORN):
        try:
            await asyncio.sleep(HANGS_S)
        except asyncio.CancelledError:
            continue


def _gated(name: str) -> Callable[..., Any]:
    async def wait(context: StepContext, path: str, gate: str | None = None) -> None:
        del context
        note(path, name)
        while gate is not None and Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - the file is the test's way to let it go
            await asyncio.sleep(0.02)

    return wait


BY_HAND: Final[dict[str, Callable[..., Any]]] = {
    "nap": nap,
    "long_nap": long_nap,
    "hangs": hangs,
    **{name: _gated(name) for name in ("twice", "blind", "seen")},
}


def _awaiting(body: Callable[..., Any]) -> Callable[..., Any]:
    async def run(context: StepContext, **args: Any) -> Any:
        await asyncio.sleep(0)
        return body(context, **args)

    return run


def _twin(one: DeclaredStep, *, is_mixed: bool) -> DeclaredStep:
    known = one.known
    twin = DeclaredStep(known, BY_HAND.get(known.step) or _awaiting(one.part("execute")))
    for has, part, declare in ((known.has_revert, "revert", twin.revert), (known.has_verify, "verify", twin.verify)):
        if has:
            declare(one.part(part) if is_mixed else _awaiting(one.part(part)))
    return twin


ALL: Final = [one if one.known.is_flow else _twin(one, is_mixed=False) for one in step_plugin.STEPS]
MIXED: Final = [
    one if one.known.is_flow or place % 2 else _twin(one, is_mixed=True) for place, one in enumerate(step_plugin.STEPS)
]
