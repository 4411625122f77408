"""The thread that makes the calls: what is due is sent, and what became of it is committed.

One thread with an event loop of its own, so that a receiver that hangs holds a coroutine and no thread. Whoever owes a
call only puts it into the line. Nothing is decided here: which call is next, and what its outcome means, is said by the
line and the policy. A call whose settlement cannot be committed is made again after the next start: at least once.
"""

import asyncio
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from castiron.actors.bulkheads.bulkhead import Bulkhead
from castiron.actors.bulkheads.shares import Shares
from castiron.actors.dispatch.clock import Clock
from castiron.actors.services import Written
from castiron.actors.settings import Settings
from castiron.actors.settings.shares import WEBHOOKS
from castiron.actors.webhooks import journal
from castiron.actors.webhooks.keyfile import read_secrets
from castiron.actors.webhooks.line import Call, GivenUp, Line, Owed
from castiron.actors.webhooks.lookups import look_ups
from castiron.actors.webhooks.policy import Pacing
from castiron.store.errors import StoreError
from castiron.store.records import (
    CallbackRecord,
    CallbackSettled,
    CallbackTried,
    Change,
    Commit,
    EventDraft,
)
from castiron.store.store import Store
from castiron.transport.vocabulary import ConductorID, DeliveryID, EventType, Instant
from castiron.transport.webhooks.addresses import AddressRefused, Allowed, parsed, shown
from castiron.transport.webhooks.answer import Answered
from castiron.transport.webhooks.signature import Secret, signed

if TYPE_CHECKING:
    from castiron.transport.webhooks.post import Poster

log = logging.getLogger(__name__)

Submit = Callable[[Change, Written], None]
"""Hands a change to the writer."""

NOWHERE: Final = "nowhere"
"""The place of URLs that were taken by an older version and cannot be read any more."""


class Sender:
    """Makes calls from `start` to `stop`. Any thread may use any method; none blocks but `stop`.

    Args:
        conductor: who calls.
        secrets: what calls are signed with; the newest first.
        rng: spreads retries.
        look_ups: where receivers' names are looked up, which blocks.
    """

    def __init__(
        self,
        *,
        conductor: ConductorID,
        clock: Clock,
        settings: Settings,
        secrets: Sequence[Secret],
        rng: Random,
        look_ups: Bulkhead,
    ) -> None:
        self._conductor: Final = conductor
        self._clock: Final = clock
        self._secrets: Final = tuple(secrets)
        self._timeout_s: Final = settings.webhook_timeout_s
        self._allowed: Final = Allowed(settings.webhook_allowed_prefixes, plain_http=settings.webhook_allow_plain_http)
        self._pacing: Final = Pacing.of(settings)
        self._look_ups: Final = look_ups
        self._line: Final = Line(self._pacing, rng)
        self._new: deque[CallbackRecord] = deque()
        self._submit: Submit | None = None
        self._journals: dict[DeliveryID, journal.Journal] = {}
        """Of those that were tried since the start and are owed; the line bounds them."""
        self._unrecorded = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="castiron-webhooks", daemon=True)

    def start(self, submit: Submit) -> None:
        """Begin to make calls."""
        self._submit = submit
        self._thread.start()

    def owed(self, callbacks: Sequence[CallbackRecord]) -> None:
        """Take calls that are owed: what the store has at the start, and later what has just been committed."""
        self._new.extend(callbacks)
        self._rouse()

    def figures(self) -> dict[str, int]:
        """Return what `status` tells; `unrecorded` counts outcomes that could not be committed."""
        return {**self._line.figures(), "unrecorded": self._unrecorded}

    def is_alive(self) -> bool:
        """Return whether calls are made."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Give up the calls under way, which stay owed, and end. Blocks up to timeout_s seconds; idempotent."""
        self._is_stopping = True
        self._rouse()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _rouse(self) -> None:
        with self._lock:  # the loop is not closed between the look and the call
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake.set)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            with self._lock:
                self._loop = runner.get_loop()
            self._loop.set_default_executor(look_ups(self._look_ups))
            try:
                runner.run(self._work())
            finally:
                with self._lock:
                    self._loop = None

    async def _work(self) -> None:
        # On this thread: httpx and the certificates take 0.25 s, which no conductor is to wait for that calls nobody.
        from castiron.transport.webhooks.post import Poster  # noqa: PLC0415 - as above

        under_way: set[asyncio.Task[None]] = set()
        async with Poster(max_in_flight=self._pacing.max_in_flight) as poster:
            while not self._is_stopping:
                self._wake.clear()
                self._take_in()
                self._give_up(self._line.overdue(self._clock.now()))
                while (call := self._line.take(self._clock.now())) is not None:
                    task = asyncio.create_task(self._make(poster, call))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                await self._rest()
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _rest(self) -> None:
        """Wait until a call may be due, has ended, or has come in."""
        at = self._line.next_at()
        timer = None if at is None else self._clock.call_at(at, self._rouse)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    def _take_in(self) -> None:
        while True:
            try:
                callback = self._new.popleft()
            except IndexError:
                return
            dropped = self._line.add(callback, destination_of(callback.url))
            self._give_up([] if dropped is None else [dropped])

    async def _make(self, poster: "Poster", call: Call) -> None:
        """Make a call, and see to what became of it."""
        callback, at = call.callback, self._clock.now()
        try:
            answered = await self._answer(poster, callback)
        except Exception:
            log.exception("call %s was not made", callback.id, extra={"request": callback.request_id})
            answered = Answered(None, "the conductor could not make it; its log says why", is_unsent=True)
        until = self._clock.now()
        settled = self._line.settle(call, answered, until)
        log.debug("call %s to %s: %s", callback.id, shown(callback.url), answered.reason)
        next_at = settled.next_at if isinstance(settled, Owed) else None
        trace = self._journals.pop(callback.id, callback.trace)
        trace = journal.tried(trace, callback.id, call.destination, answered, at=at, until=until, next_at=next_at)
        match settled:
            case None:
                trace = journal.delivered(trace, callback.id, until)
                self._commit(Change(outbox=(CallbackSettled(id=callback.id, ended_at=until, trace=trace),)))
            case GivenUp():
                self._journals[callback.id] = trace
                self._give_up([settled])
            case Owed(callback=tried):
                self._journals[tried.id] = trace
                self._commit(Change(outbox=(CallbackTried(id=tried.id, attempts=tried.attempts, trace=trace),)))
        self._wake.set()

    async def _answer(self, poster: "Poster", callback: CallbackRecord) -> Answered:
        try:
            self._allowed.check(callback.url)
        except AddressRefused as refusal:  # the setting has changed since it was accepted
            return Answered(None, f"it may not be called any more: {refusal}", is_unsent=True)
        now = self._clock.now()
        body = document(callback, self._conductor, now)
        headers = {"content-type": "application/json", **signed(self._secrets, callback.id, int(now), body)}
        return await poster.post(callback.url, headers, body, timeout_s=self._timeout_s)

    def _give_up(self, calls: Sequence[GivenUp]) -> None:
        for callback, reason in calls:
            now = self._clock.now()
            trace = journal.given_up(self._journals.pop(callback.id, callback.trace), callback.id, reason, now)
            settled = CallbackSettled(id=callback.id, ended_at=now, trace=trace)
            self._commit(Change(outbox=(settled,), events=(given_up(callback, reason, now),)))

    def _commit(self, change: Change) -> None:
        if self._submit is not None:
            self._submit(change, partial(self._committed, change))

    def _committed(self, change: Change, outcome: Commit | StoreError) -> None:
        if isinstance(outcome, StoreError):
            self._unrecorded += 1
            ids = ", ".join(one.id for one in change.outbox)
            log.warning("what became of call %s was not recorded: %s. It is made again after a restart.", ids, outcome)


def open_sender(store: Store, clock: Clock, shares: Shares, settings: Settings, rng: Random) -> Sender | None:
    """Make who calls back, with the calls that are owed since the last start; None: no URL may be called.

    Raises:
        SecretsUnreadable: there is nothing to sign with.
    """
    owed = store.outbox()
    if not settings.webhook_allowed_prefixes:
        if owed:
            log.warning("%d calls are owed, and webhook_allowed_prefixes names no URL: they wait", len(owed))
        return None
    secrets = read_secrets(Path(settings.webhook_key_file).expanduser())
    sender = Sender(
        conductor=store.conductor,
        clock=clock,
        settings=settings,
        secrets=secrets,
        rng=rng,
        look_ups=shares[WEBHOOKS],
    )
    sender.owed(owed)
    return sender


def destination_of(url: str) -> str:
    """Return the place that a call goes to."""
    try:
        return parsed(url).destination
    except AddressRefused:
        return NOWHERE


def document(callback: CallbackRecord, conductor: ConductorID, now: Instant) -> bytes:
    """Return what is sent: what was known at the end of the request, and what only this attempt knows."""
    told: dict[str, Any] = {
        "delivery": callback.id,
        "attempt": callback.attempts + 1,
        "sent_at": now,
        "conductor": conductor,
        "seq": callback.seq,
        **callback.body,
    }
    # Verbs' results are words and numbers; bytes of a driver of somebody else's are shown rather than lost.
    return json.dumps(told, separators=(",", ":"), default=str).encode("ascii")


def given_up(callback: CallbackRecord, reason: str, now: Instant) -> EventDraft:
    """Return the event that tells of a call that nobody will make."""
    body = callback.body
    payload = {
        "node": body.get("node"),
        "node_uuid": body.get("node_uuid"),
        "verb": body.get("verb"),
        "state": body.get("state"),
        "delivery": callback.id,
        "url": shown(callback.url),
        "attempts": callback.attempts,
        "reason": reason,
    }
    return EventDraft(type=EventType.WEBHOOK_ERROR, at=now, request_id=callback.request_id, payload=payload)
