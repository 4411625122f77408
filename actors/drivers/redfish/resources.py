"""Reading resources, of which nothing is certain: a key may be missing, and a value of any kind. Pure.

May come in: a shape that several resources have. Must not: what a resource means.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from castiron.transport.errors import BMCFault, BMCUnsupported

MAX_TEXT: Final = 256
"""Characters of a text of a BMC's that are kept."""

MAX_MEMBERS: Final = 512
"""Members of a collection that are looked at."""


def inside(resource: Any, *names: str) -> Any:
    """Return what is at a place of nested objects; None if it is not there."""
    for name in names:
        resource = cast("dict[str, Any]", resource).get(name) if isinstance(resource, dict) else None
    return resource


def items(found: Any) -> list[Any]:
    """Return a list; an empty one, if it is none."""
    return found if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType] - JSON


def text(resource: Any, *names: str) -> str | None:
    """Return a text without control characters; None if it is no text, or empty."""
    found = inside(resource, *names)
    if not isinstance(found, str):
        return None
    return "".join(each for each in found if each.isprintable()).strip()[:MAX_TEXT] or None


def number(resource: Any, *names: str) -> float | None:
    """Return a number; None if it is none."""
    found = inside(resource, *names)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def link(resource: Any, *names: str) -> str | None:
    """Return the path that a place of a resource points to; None if it points nowhere."""
    found = inside(resource, *names, "@odata.id")
    return found if isinstance(found, str) and found.startswith("/redfish/") else None


def needed(resource: Any, *names: str) -> str:
    """Return the path that a place of a resource points to.

    Raises:
        BMCUnsupported: it points nowhere.
    """
    found = link(resource, *names)
    if found is None:
        raise BMCUnsupported(f"The BMC has no {'.'.join(names)}.")
    return found


def links(resource: Any, *names: str) -> Iterator[str]:
    """Yield the paths of a list of links, at the most MAX_MEMBERS."""
    found = inside(resource, *names)
    for each in items(found)[:MAX_MEMBERS]:
        path = link(each)
        if path is not None:
            yield path


def words(resource: Any, *names: str) -> tuple[str, ...]:
    """Return a list of texts; what is no text is left out."""
    found = inside(resource, *names)
    return tuple(each for each in items(found) if isinstance(each, str))


def the_only(paths: list[str], what: str, hint: str) -> str:
    """Return the only path of a list.

    Raises:
        BMCFault: there is none, or more than one.
    """
    if len(paths) != 1:
        raise BMCFault(f"The BMC has {len(paths)} {what}, not one. {hint}")
    return paths[0]
