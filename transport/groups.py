"""Groups in host ranges: `@rack1`, `@class:big`, `n*`, resolved on the side of whoever types them.

`@NAME` and `@SOURCE:NAME` are those of the user's own ClusterShell configuration (groups.conf, groups.d), as for clush
and nodeset: it may read files and run commands that it names, so a conductor never resolves groups. Beside them a
caller brings sources of its own, which win over configured ones of the same name.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ClusterShell.NodeSet import std_group_resolver
from ClusterShell.NodeUtils import GroupResolverError, GroupSourceError

from castiron.transport.errors import ArgumentInvalid
from castiron.transport.ranges import MAX_NAMES, expand, spelled_out


class Groups:
    """What ClusterShell asks when it meets a group.

    Args:
        sources: name of a source → what gives its groups, each with the names in it.
        everybody: gives all names, for wildcards and `@*`.
        limit: names that one group may spell out.
    """

    illegal_chars: frozenset[str] = frozenset()

    def __init__(
        self,
        sources: Mapping[str, Callable[[], Mapping[str, Iterable[str]]]],
        everybody: Callable[[], Iterable[str]],
        *,
        limit: int = MAX_NAMES,
    ) -> None:
        self._sources = sources
        self._everybody = everybody
        self._limit = limit
        self._configured: Any = std_group_resolver()

    def group_nodes(self, group: str, namespace: str | None = None) -> list[str]:
        """Return the names and ranges of a group.

        Raises:
            ArgumentInvalid: there is no such group, nobody is in it, or too many.
        """
        shown = f"@{namespace}:{group}" if namespace else f"@{group}"
        source = self._sources.get(namespace or "")
        found = self._of_configuration(shown, group, namespace) if source is None else list(source().get(group, ()))
        if not found:
            own = ", ".join(f"@{name}:NAME" for name in self._sources)
            raise _refused(f"there is no node in {shown}. Groups are {own}, and those of ClusterShell's groups.conf")
        if sum(map(spelled_out, found)) > self._limit:
            raise _refused(f"{shown} spells out more than {self._limit} names")
        return found

    def all_nodes(self, namespace: str | None = None) -> list[str]:
        """Return all names, of a source or at all.

        Raises:
            ArgumentInvalid: the source does not tell.
        """
        source = self._sources.get(namespace or "")
        if source is not None:
            return list(dict.fromkeys(name for names in source().values() for name in names))
        if namespace is None:
            return list(self._everybody())
        try:
            return list(self._configured.all_nodes(namespace))
        except (GroupResolverError, GroupSourceError) as failure:
            raise _refused(f"@{namespace}:* is not known to ClusterShell ({failure})") from None

    def grouplist(self, namespace: str | None = None) -> list[str]:
        """Return the names of a source's groups."""
        source = self._sources.get(namespace or "")
        return list(self._configured.grouplist(namespace) if source is None else source())

    def _of_configuration(self, shown: str, group: str, namespace: str | None) -> list[str]:
        try:
            return list(self._configured.group_nodes(group, namespace))
        except (GroupResolverError, GroupSourceError) as failure:
            raise _refused(f"{shown} is not known to ClusterShell ({failure}): see its groups.conf") from None


def expand_with(groups: Groups, text: str) -> list[str]:
    """Return the names that a host range with groups stands for, each once, in natural order.

    Raises:
        ArgumentInvalid: as `ranges.expand`, or a group cannot be resolved.
    """
    return expand(text, resolver=groups)


def _refused(reason: str) -> ArgumentInvalid:
    return ArgumentInvalid(f"{reason[0].upper()}{reason[1:]}.", details={"path": "$.nodes"})
