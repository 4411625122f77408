"""A small model of what becomes of requests: what docs/compatibility.md says, in other words than the product's.

One place for each node: what waits, in order, and what runs. The model says what is answered and what is ended by it;
when something starts, and when what runs ends, is learned from the conductor, and judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final

from castiron.store.records import RequestRecord
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, RequestState

QUEUE_LIMIT: Final = 16
READ: Final = "read boot device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for, and on which terms."""

    node: str
    kind: str
    """"power", "boot device" or READ."""
    what: str = ""
    who: str = "a"
    key: str | None = None
    policy: str = "strict"
    hold: bool = False
    again: bool = False
    until: float = inf
    resumes: bool = True

    @property
    def essence(self) -> tuple[str, str, str]:
        return self.node, self.kind, self.what


@dataclass(slots=True, eq=False)
class Job:
    """A request that was accepted."""

    id: str
    wish: Wish
    depends_on: "Job | None"
    wanted_by: dict[str, float]
    """Who wants it, and until when it must have started for them."""
    record: RequestRecord | None = None
    ends_as: set[str] = field(default_factory=set[str])
    """Codes with which it has to end now, one of them; empty: there is no reason to."""
    may_end_as: set[str] = field(default_factory=set[str])

    @property
    def is_over(self) -> bool:
        return self.record is not None and self.record.state in FINAL_REQUEST_STATES

    @property
    def has_started(self) -> bool:
        return self.record is not None and self.record.started_at is not None

    @property
    def until(self) -> float:
        return max(self.wanted_by.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be answered: a code, a request that there is, or a new one."""

    code: str | None = None
    job: Job | None = None
    depends_on: Job | None = None


class Model:
    """All nodes. `jobs` in the order of their acceptance."""

    def __init__(self, nodes: list[str]) -> None:
        self.maintained = dict.fromkeys(nodes, False)
        self.jobs: list[Job] = []
        self.keys: dict[str, Job] = {}

    def waiting(self, node: str) -> list[Job]:
        return [job for job in self.of(node) if not job.has_started and not job.ends_as]

    def running(self, node: str) -> Job | None:
        return next((job for job in self.of(node) if job.has_started), None)

    def of(self, node: str) -> Iterator[Job]:
        """Yield what has not ended."""
        return (job for job in self.jobs if job.wish.node == node and not job.is_over)

    def is_held(self, job: Job) -> bool:
        return job.wish.hold and self.maintained[job.wish.node]

    def is_idle(self, node: str) -> bool:
        return all(self.is_held(job) for job in self.of(node) if not job.has_started) and self.running(node) is None

    # What is answered, and what is ended by it.

    def ask(self, wish: Wish) -> Answer:
        known = self.keys.get(wish.key or "")
        if known is not None:
            return Answer(job=known) if known.wish.essence == wish.essence else Answer("request.reused")
        conflicts: list[Job] = []
        is_changed_since = False
        for job in self._met(wish):
            is_equal = job.wish.essence == wish.essence
            if is_equal and not wish.again and not is_changed_since:
                return self._shared(job, wish)
            if READ not in (wish.kind, job.wish.kind):
                conflicts.append(job)
            is_changed_since |= job.wish.kind != READ
        return self._by_policy(wish, conflicts)

    def accept(self, job_id: str, wish: Wish, answer: Answer) -> Job:
        """Note the request that was made."""
        job = Job(job_id, wish, answer.depends_on, {wish.who: wish.until})
        self.jobs.append(job)
        if wish.key is not None:
            self.keys[wish.key] = job
        return job

    def cancel(self, job: Job, who: str, *, force: bool) -> str | None:
        """Return the code of the refusal, None if there is none."""
        if job.is_over:
            return "request.ended"
        if job.has_started:
            return "request.started"
        return self._withdraw(job, who, force=force)

    def abort(self, job: Job, who: str, *, force: bool) -> str | None:
        if job.is_over:
            return "request.ended"
        if not job.has_started:
            return self._withdraw(job, who, force=force)
        if not force and set(job.wanted_by) - {who}:
            return "request.not_yours"
        job.may_end_as.add("request.aborted")
        return None

    def maintain(self, node: str, *, is_set: bool) -> None:
        if is_set and not self.maintained[node]:
            for job in self.waiting(node):
                if not job.wish.hold:
                    self._end(job, "node.maintenance")
        self.maintained[node] = is_set

    def lose_owner(self, node: str) -> None:
        """The node's actor, or the whole conductor, is another one from now on."""
        for job in list(self.of(node)):
            if not job.wish.resumes and not job.ends_as:
                self._end(job, "request.interrupted")

    # What is learned.

    def learn(self, job: Job, record: RequestRecord, now: float) -> None:
        """Take in how a request is by now, and judge it."""
        code = (record.error or {}).get("code")
        before, job.record = job.record, record
        if not job.is_over:
            assert not job.ends_as, f"{job.wish} should have ended as {job.ends_as}"
            assert job.has_started or job.until > now, f"{job.wish} should have expired"
            return
        if before is not None and before.state in FINAL_REQUEST_STATES:
            assert before == record, "what has ended stays as it is"
            return
        if job.ends_as:
            assert code in job.ends_as, f"{job.wish}: {code}, not {job.ends_as}"
        elif record.state is not RequestState.SUCCEEDED:
            assert code in self._reasons(job, record), f"{job.wish}: {code}, for no reason"

    def judge_starts(self) -> None:
        """Each starts in its turn, alone, and after what it depends on has succeeded."""
        for job in self.jobs:
            record = job.record
            if record is None or record.started_at is None:
                continue
            at = record.started_at
            if job.depends_on is not None:
                first = job.depends_on.record
                assert first is not None
                assert (first.state, (first.ended_at or inf) <= at) == (RequestState.SUCCEEDED, True)
            for other in self.jobs:
                if other is not job and other.wish.node == job.wish.node and other.record is not None:
                    ended_at = inf if other.record.ended_at is None else other.record.ended_at
                    assert not (other.record.started_at is not None and other.record.started_at < at < ended_at)

    def next_of(self, node: str) -> Job | None:
        """Return what should run, as long as anything may."""
        return next((job for job in self.of(node) if not self.is_held(job)), None)

    def _met(self, wish: Wish) -> Iterator[Job]:
        sees_all = wish.hold and self.maintained[wish.node]
        yield from (job for job in reversed(self.waiting(wish.node)) if sees_all or not self.is_held(job))
        running = self.running(wish.node)
        if running is not None:
            yield running

    def _shared(self, job: Job, wish: Wish) -> Answer:
        job.wanted_by[wish.who] = max(wish.until, job.wanted_by.get(wish.who, wish.until))
        if wish.key is not None:
            self.keys[wish.key] = job
        return Answer(job=job)

    def _by_policy(self, wish: Wish, conflicts: list[Job]) -> Answer:
        if conflicts and wish.policy == "strict":
            return Answer("node.locked")
        gone = [job for job in conflicts if not job.has_started] if wish.policy == "supersede" else []
        if len(self.waiting(wish.node)) - len(gone) >= QUEUE_LIMIT:
            return Answer("mailbox.full")
        for job in gone:
            if not job.ends_as:
                self._end(job, "request.superseded")
        return Answer(depends_on=conflicts[0] if conflicts and wish.policy == "after" else None)

    def _withdraw(self, job: Job, who: str, *, force: bool) -> str | None:
        others = set(job.wanted_by) - {who}
        if not others or force:
            self._end(job, "request.cancelled")
            return None
        if who not in job.wanted_by:
            return "request.not_yours"
        del job.wanted_by[who]
        return None

    def _end(self, job: Job, code: str) -> None:
        """End it, and what depends on it."""
        job.ends_as.add(code)
        for other in list(self.of(job.wish.node)):
            if other.depends_on is job and not other.ends_as:
                self._end(other, "request.precondition_failed")

    @staticmethod
    def _reasons(job: Job, record: RequestRecord) -> set[str]:
        """Return the codes with which time, or the machine, may end it."""
        reasons = set(job.may_end_as)
        ended_at = record.ended_at or 0.0
        if record.started_at is None and job.until <= ended_at:
            reasons.add("request.expired")
        first = None if job.depends_on is None else job.depends_on.record
        if first is not None and first.state in FINAL_REQUEST_STATES and first.state is not RequestState.SUCCEEDED:
            reasons.add("request.precondition_failed")
        return reasons
