"""Coroutines that never suspend, run to their end in the calling thread; the blocking half of each awaitable method.

    class Nodes(Blocking[AsyncNodes]):
        show = blocking(AsyncNodes.show)

has the arguments, the result and the docstring of AsyncNodes.show, and blocks.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

_Arguments = ParamSpec("_Arguments")
_Awaited = TypeVar("_Awaited")
_Held = TypeVar("_Held")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Blocking(Generic[_Held]):
    """The blocking half of something that is awaited."""

    def __init__(self, held: _Held) -> None:
        """Hold what is awaited; its conversation must be a blocking one."""
        self.held = held


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, and return its result; whatever it waits for blocks this thread.

    Raises:
        RuntimeError: it wants to be resumed later, which nobody here will do.
        Exception: whatever it raises.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _Result = end.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} suspended itself, in a thread without a loop.")


def each(items: AsyncIterator[_Item]) -> Iterator[_Item]:
    """Yield what is yielded there; leave nothing open behind, also if this is abandoned."""
    try:
        while True:
            try:
                item = run(_next(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        if isinstance(items, AsyncGenerator):
            run(items.aclose())


async def _next(items: AsyncIterator[_Item]) -> _Item:
    return await anext(items)


@overload
def blocking(
    method: Callable[Concatenate[Any, _Arguments], Coroutine[Any, Any, _Result]],
) -> Callable[Concatenate[Any, _Arguments], _Result]: ...
@overload
def blocking(
    method: Callable[Concatenate[Any, _Arguments], Coroutine[Any, Any, _Awaited]], then: Callable[[_Awaited], _Result]
) -> Callable[Concatenate[Any, _Arguments], _Result]: ...
def blocking(
    method: Callable[..., Coroutine[Any, Any, Any]], then: Callable[[Any], Any] | None = None
) -> Callable[..., Any]:
    """Return the method of a Blocking that runs this one of what it holds.

    Args:
        method: to be awaited.
        then: makes the result of what was awaited; None: it is the result.
    """

    @wraps(method)
    def call(self: Blocking[Any], *args: Any, **kwargs: Any) -> Any:
        result = run(method(self.held, *args, **kwargs))
        return result if then is None else then(result)

    return call
