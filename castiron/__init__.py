"""castiron keeps a fleet of bare-metal machines in the state that their owners asked for.

The public face: names are loaded at their first use, so that a command that only lists nodes loads neither the store
nor the actors. Nothing inside castiron imports from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from castiron.transport.errors import CastironError

__version__: Final = "0.1.0"

_HOME: Final = {
    "CastironError": "castiron.transport.errors",
}

__all__ = ["CastironError", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'castiron' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
