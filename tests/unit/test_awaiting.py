"""Nobody here awaits a future of Pykka's: its `__await__` calls `get`, which holds up the loop until it is answered.

So no coroutine lives in a module that has Pykka, and no coroutine among the actors awaits what an actor is asked.
"""

import ast
import asyncio
import threading

import pytest
from pykka import ThreadingFuture

from tests.unit.test_layout import MODULES, shown

COROUTINES = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
ASKING = {"ask", "get_future", "proxy"}
"""Methods of Pykka's that give a future; of a client's conversation, which lives elsewhere, `ask` is a coroutine."""


def why_not(source: str, *, is_of_actors: bool) -> str | None:
    """Return what is wrong with a module; None: nothing."""
    nodes = [*ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    if any(name.partition(".")[0] == "pykka" for name in names) and any(isinstance(one, COROUTINES) for one in nodes):
        return "it has coroutines beside Pykka"
    awaited = [node.value for node in nodes if isinstance(node, ast.Await)]
    called = {one.func.attr for one in awaited if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)}
    return f"it awaits {', '.join(called & ASKING)}" if is_of_actors and called & ASKING else None


def test_no_coroutine_meets_a_future_of_pykkas() -> None:
    wrong = {shown(path): why_not(path.read_text(), is_of_actors="actors" in path.parts) for path in MODULES}

    assert not {path: why for path, why in wrong.items() if why is not None}


@pytest.mark.parametrize(
    "source",
    [
        "import pykka\nasync def f(): ...",
        "import pykka.messages\nasync def f(): ...",
        "from pykka import Future\nasync def f(one: Future[int]): return await one",
        "async def f(self): await self._ref.ask(1)",
        "async def f(ref): await ref.proxy()",
    ],
)
def test_what_is_held_off_is_found(source: str) -> None:
    assert why_not(source, is_of_actors=True) is not None


def test_a_future_of_pykkas_holds_the_loop_up_for_whoever_awaits_it() -> None:
    turns = list[int]()

    def turn() -> None:
        turns.append(1)
        asyncio.get_running_loop().call_soon(turn)

    async def drive() -> int:
        future = ThreadingFuture[int]()
        threading.Timer(0.05, future.set, (1,)).start()
        turn()
        await future
        return len(turns)

    assert asyncio.run(drive()) <= 2, "it does not any longer: see docs/explanation/awaitable.md"
