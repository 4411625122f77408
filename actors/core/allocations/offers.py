"""Which nodes can be had, by resource class and traits: an index that is kept as nodes change, never made anew.

Nodes of one class with the same traits stand in one group. To draw one costs as many steps as the class has groups,
not nodes; so does to count why none can be had. To note a change of a node is O(1). Not for several threads at once;
pure but for what it keeps.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Final

from castiron.actors.core.allocations.fitness import Fit, Wish, fit_of, is_had_by
from castiron.actors.core.state import NodeState
from castiron.transport.vocabulary import NodeUUID

Choose = Callable[[int], int]
"""Draws a number from 0 to below its argument."""

_NOWHERE: Final = -1


@dataclass(eq=False, slots=True)
class _Group:
    """Nodes of a class that have the same traits."""

    traits: frozenset[str]
    fits: Counter[Fit] = field(default_factory=Counter[Fit])
    free: list[NodeUUID] = field(default_factory=list[NodeUUID])
    """Those that can be drawn, in no order."""


@dataclass(eq=False, slots=True)
class _Entry:
    resource_class: str
    traits: tuple[str, ...]
    group: _Group
    fit: Fit
    lock_owner: str | None
    slot: int = _NOWHERE
    """Its place in the group's list of free ones."""
    is_reserved: bool = False
    """It was drawn, and is being asked."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many nodes there are for a wish, and why they cannot be had."""

    of_class: int
    candidates: int | None
    """Those of the class that were named; None: none were."""
    suitable: int
    """Those of these that have the traits."""
    hindered: tuple[tuple[str, int], ...]
    """Why how many of the last cannot be had, in the order of Fit."""
    reserved: int
    """How many of the last are being asked on behalf of others."""


class Offers:
    """All nodes that have a resource class.

    Attributes:
        drawn: how many nodes were drawn so far.
        probed: how many were looked at for that, one by one.
    """

    def __init__(self) -> None:
        self.drawn = 0
        self.probed = 0
        self._entries: dict[NodeUUID, _Entry] = {}
        self._classes: dict[str, dict[tuple[str, ...], _Group]] = {}

    def show(self, state: NodeState) -> bool:
        """Note how a node stands; return whether it can be had from now on, and could not before."""
        record = state.record
        entry = self._entries.get(record.uuid)
        if entry is None and record.resource_class is None:
            return False  # nobody can want it, however it stands
        fit = fit_of(state)
        lock_owner = None if record.lock is None else record.lock.owner
        if entry is not None and (entry.resource_class, entry.traits) != (record.resource_class, record.traits):
            self.drop(record.uuid)
            entry = None
        if record.resource_class is None:
            return False
        if entry is None:
            return self._enter(record.uuid, record.resource_class, record.traits, fit, lock_owner)
        if (entry.fit, entry.lock_owner) == (fit, lock_owner):
            return False
        return self._refit(record.uuid, entry, fit, lock_owner)

    def drop(self, uuid: NodeUUID) -> None:
        """Forget a node. Idempotent."""
        entry = self._entries.pop(uuid, None)
        if entry is None:
            return
        self._withdraw(entry)
        group = entry.group
        group.fits[entry.fit] -= 1
        if not group.fits.total():
            groups = self._classes[entry.resource_class]
            del groups[entry.traits]
            if not groups:
                del self._classes[entry.resource_class]

    def draw(self, wish: Wish, choose: Choose, tried: Container[NodeUUID] = ()) -> NodeUUID | None:
        """Take a node that can be had out of the list until `release`, and return it; None: there is none.

        Args:
            choose: draws one of several.
            tried: not these.
        """
        found = self._draw_named(wish, choose, tried) if wish.candidates else self._draw_any(wish, choose, tried)
        if found is not None:
            self.drawn += 1
            self.reserve(found)
        return found

    def reserve(self, uuid: NodeUUID) -> None:
        """Have nobody else draw a node until `release`. Idempotent."""
        entry = self._entries.get(uuid)
        if entry is not None:
            entry.is_reserved = True
            self._withdraw(entry)

    def reserve_only(self, uuids: Container[NodeUUID]) -> None:
        """Have these nodes be drawn by nobody until `release`, and all others again. O(all nodes). Idempotent."""
        for uuid in self._entries:
            if uuid in uuids:
                self.reserve(uuid)
            else:
                self.release(uuid)

    def release(self, uuid: NodeUUID) -> bool:
        """Let a node be drawn again, if it can be had; return whether it can."""
        entry = self._entries.get(uuid)
        if entry is None:
            return False
        entry.is_reserved = False
        self._offer(uuid, entry)
        return entry.fit is Fit.FREE

    def is_for(self, uuid: NodeUUID, wish: Wish) -> bool:
        """Return whether a node can be had for a wish, now."""
        entry = self._entries.get(uuid)
        return (
            entry is not None
            and not entry.is_reserved
            and self._suits(uuid, entry, wish)
            and is_had_by(entry.fit, entry.lock_owner, wish)
        )

    def class_of(self, uuid: NodeUUID) -> str | None:
        """Return a node's resource class; None: it has none, or there is no such node."""
        entry = self._entries.get(uuid)
        return None if entry is None else entry.resource_class

    def count(self, wish: Wish) -> Count:
        """Count the nodes for a wish."""
        if wish.candidates:
            return self._count_named(wish)
        groups = self._classes.get(wish.resource_class, {}).values()
        suitable = [group for group in groups if wish.traits <= group.traits]
        fits = sum((group.fits for group in suitable), Counter[Fit]())
        reserved = fits[Fit.FREE] - sum(len(group.free) for group in suitable)
        of_class = sum(group.fits.total() for group in groups)
        return Count(of_class, None, fits.total(), _hindered(fits), reserved)

    def _enter(
        self, uuid: NodeUUID, resource_class: str, traits: tuple[str, ...], fit: Fit, lock_owner: str | None
    ) -> bool:
        groups = self._classes.setdefault(resource_class, {})
        group = groups.get(traits)
        if group is None:
            group = groups[traits] = _Group(frozenset(traits))
        entry = self._entries[uuid] = _Entry(resource_class, traits, group, fit, lock_owner)
        group.fits[fit] += 1
        self._offer(uuid, entry)
        return fit is Fit.FREE

    def _refit(self, uuid: NodeUUID, entry: _Entry, fit: Fit, lock_owner: str | None) -> bool:
        entry.group.fits[entry.fit] -= 1
        entry.group.fits[fit] += 1
        before, entry.fit, entry.lock_owner = entry.fit, fit, lock_owner
        if fit is Fit.FREE:
            self._offer(uuid, entry)
        else:
            self._withdraw(entry)
        return fit is Fit.FREE and before is not Fit.FREE

    def _offer(self, uuid: NodeUUID, entry: _Entry) -> None:
        if entry.fit is Fit.FREE and not entry.is_reserved and entry.slot == _NOWHERE:
            entry.slot = len(entry.group.free)
            entry.group.free.append(uuid)

    def _withdraw(self, entry: _Entry) -> None:
        """Take a node off the list: the last one gets its place, so that nothing is moved up."""
        if entry.slot == _NOWHERE:
            return
        free = entry.group.free
        last = free.pop()
        if entry.slot < len(free):
            free[entry.slot] = last
            self._entries[last].slot = entry.slot
        entry.slot = _NOWHERE

    def _draw_any(self, wish: Wish, choose: Choose, tried: Container[NodeUUID]) -> NodeUUID | None:
        groups = self._classes.get(wish.resource_class, {}).values()
        lists = [group.free for group in groups if group.free and wish.traits <= group.traits]
        total = sum(map(len, lists))
        start = choose(total) if total else 0
        for step in range(total):  # as many as were tried, and one: the first that was not is taken
            self.probed += 1
            uuid = _nth(lists, (start + step) % total)
            if uuid not in tried:
                return uuid
        return None

    def _draw_named(self, wish: Wish, choose: Choose, tried: Container[NodeUUID]) -> NodeUUID | None:
        self.probed += len(wish.candidates)
        free = [uuid for uuid in wish.candidates if uuid not in tried and self.is_for(uuid, wish)]
        return free[choose(len(free))] if free else None

    def _suits(self, uuid: NodeUUID, entry: _Entry, wish: Wish) -> bool:
        return (
            entry.resource_class == wish.resource_class
            and wish.traits <= entry.group.traits
            and (not wish.candidates or uuid in wish.candidates)
        )

    def _count_named(self, wish: Wish) -> Count:
        of_class = sum(group.fits.total() for group in self._classes.get(wish.resource_class, {}).values())
        named = [(uuid, self._entries[uuid]) for uuid in wish.candidates if uuid in self._entries]
        candidates = [entry for _, entry in named if entry.resource_class == wish.resource_class]
        suitable = [entry for uuid, entry in named if self._suits(uuid, entry, wish)]
        fits = Counter(entry.fit for entry in suitable)
        return Count(
            of_class,
            len(candidates),
            len(suitable),
            _hindered(fits),
            sum(entry.is_reserved and is_had_by(entry.fit, entry.lock_owner, wish) for entry in suitable),
        )


def _hindered(fits: Counter[Fit]) -> tuple[tuple[str, int], ...]:
    return tuple((fit.value, fits[fit]) for fit in Fit if fits[fit] and fit is not Fit.FREE)


def _nth(lists: Iterable[list[NodeUUID]], place: int) -> NodeUUID:
    for one in lists:
        if place < len(one):
            return one[place]
        place -= len(one)
    raise IndexError(place)
