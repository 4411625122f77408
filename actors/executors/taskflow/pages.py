"""TaskFlow's persistence over castiron's store: what TaskFlow saves is committed with what follows from it.

A turn of an engine saves into these pages. They leave it as plain data beside its moves, and the node's actor writes
both with the request, by the store's one writer: no second database, and no moment at which one is on disk without the
other. What comes back after a restart is made from the request's own record: where the steps stand is what was told,
so it counts, and what TaskFlow had saved is only compared with it.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from castiron.actors.core.provision.run import Progress, Run
from castiron.actors.executors.taskflow.flows import FACTORY, StepUndone, atom_names, factory_arguments
from castiron.actors.executors.taskflow.library import (
    EXECUTE,
    FAILURE,
    PENDING,
    REVERT,
    REVERTED,
    RUNNING,
    SUCCESS,
    AtomDetail,
    Backend,
    Connection,
    Failure,
    FlowDetail,
    LogBook,
    NotFound,
    TaskDetail,
)
from castiron.transport.vocabulary import StepState

log = logging.getLogger(__name__)

_Kept = TypeVar("_Kept")

TAKEN_BACK: Final = frozenset({StepState.REVERTING, StepState.REVERTED, StepState.REVERT_FAILURE})
OVER: Final = frozenset({StepState.REVERTED, StepState.REVERT_FAILURE})
"""A step that could not be taken back does not keep the others from it: TaskFlow is told that it was."""


class Pages(Backend):
    """The book of one list. One thread at a time."""

    def __init__(self) -> None:
        super().__init__({})
        self.books: dict[str, LogBook] = {}
        self.flows: dict[str, FlowDetail] = {}
        self.atoms: dict[str, AtomDetail] = {}

    def get_connection(self) -> "Page":
        """Return a way to them."""
        return Page(self)

    def close(self) -> None:
        """There is nothing to close."""

    def told(self) -> dict[str, Any]:
        """Return what TaskFlow has saved, as plain data: the flow's state, each atom's, and what is meant for it."""
        flow = next(iter(self.flows.values()))
        return {"state": flow.state, "atoms": {one.name: f"{one.state} {one.intention}" for one in self.atoms.values()}}


class Page(Connection):
    """What TaskFlow reads and writes by; the words are TaskFlow's."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    @property
    def backend(self) -> Pages:
        """Whose it is."""
        return self._pages

    def close(self) -> None:
        """There is nothing to close."""

    def upgrade(self) -> None:
        """There is nothing to upgrade: the store's schema has one owner."""

    def validate(self) -> None:
        """It is always fit for use."""

    def clear_all(self) -> None:
        """Forget everything."""
        for kept in (self._pages.books, self._pages.flows, self._pages.atoms):
            kept.clear()

    def update_atom_details(self, atom_detail: AtomDetail, ignore_missing: bool = False) -> AtomDetail:
        """Save where an atom stands."""
        known = self._pages.atoms.get(atom_detail.uuid)
        if known is None and not ignore_missing:
            raise NotFound(f"There is no atom {atom_detail.uuid}.")
        self._pages.atoms[atom_detail.uuid] = atom_detail.copy() if known is None else known.merge(atom_detail)
        return self._pages.atoms[atom_detail.uuid]

    def update_flow_details(self, flow_detail: FlowDetail, ignore_missing: bool = False) -> FlowDetail:
        """Save where a flow stands, with its atoms."""
        known = self._pages.flows.get(flow_detail.uuid)
        if known is None and not ignore_missing:
            raise NotFound(f"There is no flow {flow_detail.uuid}.")
        kept = flow_detail.copy(retain_contents=False) if known is None else known.merge(flow_detail)
        self._pages.flows[flow_detail.uuid] = kept
        for atom in flow_detail:
            kept.add(self.update_atom_details(atom, ignore_missing=True))
        return flow_detail

    def save_logbook(self, book: LogBook) -> LogBook:
        """Save a book, with its flows."""
        known = self._pages.books.get(book.uuid)
        kept = book.copy(retain_contents=False) if known is None else known.merge(book)
        self._pages.books[book.uuid] = kept
        for flow in book:
            self.update_flow_details(flow, ignore_missing=True)
            kept.add(self._pages.flows[flow.uuid])
        return book

    def destroy_logbook(self, book_uuid: str) -> None:
        """Forget a book, with its flows."""
        for flow in self._book(book_uuid):
            for atom in self._pages.flows.pop(flow.uuid):
                del self._pages.atoms[atom.uuid]
        del self._pages.books[book_uuid]

    def get_logbook(self, book_uuid: str, lazy: bool = False) -> LogBook:
        """Return a book, with its flows unless it is to be lazy."""
        book = self._book(book_uuid)
        copy = book.copy(retain_contents=False)
        for flow in () if lazy else book:
            copy.add(self.get_flow_details(flow.uuid))
        return copy

    def get_logbooks(self, lazy: bool = False) -> Iterator[LogBook]:
        """Return all books."""
        for uuid in tuple(self._pages.books):
            yield self.get_logbook(uuid, lazy=lazy)

    def get_flows_for_book(self, book_uuid: str) -> Iterator[FlowDetail]:
        """Return the flows of a book."""
        for flow in self._book(book_uuid):
            yield self.get_flow_details(flow.uuid)

    def get_flow_details(self, fd_uuid: str, lazy: bool = False) -> FlowDetail:
        """Return a flow, with its atoms unless it is to be lazy."""
        flow = _found(self._pages.flows, fd_uuid, "flow")
        copy = flow.copy(retain_contents=False)
        for atom in () if lazy else flow:
            copy.add(atom.copy())
        return copy

    def get_atom_details(self, ad_uuid: str) -> AtomDetail:
        """Return an atom."""
        return _found(self._pages.atoms, ad_uuid, "atom").copy()

    def get_atoms_for_flow(self, fd_uuid: str) -> Iterator[AtomDetail]:
        """Return the atoms of a flow."""
        yield from self.get_flow_details(fd_uuid)

    def _book(self, book_uuid: str) -> LogBook:
        return _found(self._pages.books, book_uuid, "book")


def opened(key: str, run: Run) -> tuple[Pages, FlowDetail]:
    """Return the pages of a list as its record says where it stands, and the flow that is to go on from there."""
    detail = FlowDetail(key, key)
    detail.meta = {"factory": {"name": FACTORY, "args": [], "kwargs": factory_arguments(key, run)}}
    detail.state = RUNNING
    is_back = any(one.state in TAKEN_BACK or one.state is StepState.FAILURE for one in run.steps)
    names = atom_names(run)
    for place, name in enumerate(names):
        one = run.steps[place] if place < len(run.steps) else None
        detail.add(_atom(f"{key}/{place}", name, one, is_back=is_back))
    book = LogBook(key, key)
    book.add(detail)
    pages = Pages()
    pages.get_connection().save_logbook(book)
    _compare(key, run.flow, pages.told())
    return pages, detail


def _atom(uuid: str, name: str, one: Progress | None, *, is_back: bool) -> TaskDetail:
    atom = TaskDetail(name, uuid)
    atom.intention = REVERT if is_back else EXECUTE
    atom.state = PENDING if one is None else _state(one.state, is_back=is_back)
    if one is not None and atom.state == FAILURE:
        atom.put(FAILURE, Failure.from_exception(StepUndone(name)))
    elif one is not None and atom.state == SUCCESS:
        atom.put(SUCCESS, dict(one.result or {}))
    return atom


def _state(state: StepState, *, is_back: bool) -> str:
    """Return TaskFlow's word for where a step stands; one under way is offered anew, and known to be under way."""
    if state in OVER:
        return REVERTED
    if state is StepState.FAILURE:
        return FAILURE
    if state is StepState.SUCCESS or (is_back and state is not StepState.PENDING):
        return SUCCESS
    return PENDING


def _compare(key: str, saved: Mapping[str, Any] | None, made: Mapping[str, Any]) -> None:
    if saved is not None and saved.get("atoms") != made["atoms"]:
        log.info("%s: TaskFlow had saved %s, the record says %s, which counts", key, saved.get("atoms"), made["atoms"])


def _found(kept: dict[str, _Kept], uuid: str, what: str) -> _Kept:
    if uuid not in kept:
        raise NotFound(f"There is no {what} {uuid}.")
    return kept[uuid]
