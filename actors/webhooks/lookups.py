"""Receivers' names, looked up on threads of a bulkhead: a name server that hangs costs the calls that need it.

May come in: what a look-up tells. Must not: who is called, and how often it is tried.
"""

from collections.abc import Callable
from typing import Any

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.executor import InBulkhead


def look_ups(bulkhead: Bulkhead) -> InBulkhead:
    """Return an executor for one event loop to look names up by. A look-up raises OSError, whatever went wrong."""
    return InBulkhead(bulkhead, about=_host, failure=_as_os_error)


def _host(_: Callable[..., object], *args: Any, **__: Any) -> object:
    return args[0] if args else ""


def _as_os_error(error: BaseException) -> BaseException:
    return error if isinstance(error, OSError) else OSError(str(error))
