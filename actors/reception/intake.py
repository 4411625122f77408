"""Where requests come in and are taken back: keys are looked up, waits are begun, and the node's actor is told.

Runs on the front door's thread, or a bulk's; a key that the store knows is looked up on the archive's. Whoever asks is
told once what became of it, by whichever thread learns of it. Nothing is decided about a node here.
"""

import logging
import threading
from functools import partial
from typing import Final

from castiron.actors.asking import Answer, Asked
from castiron.actors.core.messages import Direct, Preview, Remove, SetLock, SetMaintenance, Submit, Withdraw
from castiron.actors.core.provision.planning import plan
from castiron.actors.core.requests.compatibility import Merge, judge
from castiron.actors.core.runbooks.using import expanded, of_runbook
from castiron.actors.core.state import NodeState
from castiron.actors.core.telling.foresight import same_request
from castiron.actors.core.views import request_view
from castiron.actors.delivery import deliver
from castiron.actors.published.archive import Asking, Library
from castiron.actors.published.waiting import Wait
from castiron.actors.reception.admission import Keys, Wanted, judge_known
from castiron.actors.services import Services
from castiron.store.errors import StoreError
from castiron.store.records import RequestRecord
from castiron.store.records.copying import replace
from castiron.transport.errors import (
    ArgumentInvalid,
    CastironError,
    ConductorOverloaded,
    InternalError,
    RequestEnded,
    RequestNotFound,
)
from castiron.transport.replies import AnyResult
from castiron.transport.requester import identity_of
from castiron.transport.verbs import AnyNodeRequest, NodeProvisionSet, RequestAbort, RequestCancel
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, EventSeq, ReplyWish, RequestID
from castiron.transport.webhooks.addresses import AddressRefused, Allowed

log = logging.getLogger(__name__)

WAITS: Final = frozenset({ReplyWish.FINAL, ReplyWish.BOTH})
"""Wishes of whoever wants to hear the end."""


class Submission:
    """One message that asks for a request. Any thread; never blocks; told one thing once, whatever comes later.

    Attributes:
        wait: for the end of the request, if the client wants to hear it; it expects `request_id`.
        key: the one that it has reserved; None: it has none.
        place: the identity for which it has reserved a place at the gate; None: it has none.
    """

    def __init__(self, intake: "Intake", answer: Answer, request_id: RequestID) -> None:
        self.wait: Wait | None = None
        self.key: str | None = None
        self.place: str | None = None
        self._intake = intake
        self._answer = answer
        self._request_id = request_id
        self._lock = threading.Lock()
        self._is_told = False

    @property
    def is_told(self) -> bool:
        """Whether it has been told what became of it: then nobody may judge it again."""
        return self._is_told

    def taken(self, request: RequestRecord, seq: EventSeq) -> None:
        """Say that it is on disk: as this request, which may be an older one."""
        if not self._is_first():
            return
        if self.key is not None:
            self._intake.keys.settled(self.key, request, seq)
        self._answer.accepted(request_view(request), seq)
        if self.wait is not None and request.id != self._request_id:
            self.wait.withdraw()
            self._intake.follow(request, self._answer, seq)

    def joined(self, request: RequestRecord, seq: EventSeq) -> None:
        """Say the same of a request whose key was reserved by somebody else."""
        self.taken(request, seq)

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        if not self._is_first():
            return
        if self.wait is not None:
            self.wait.withdraw()
        if self.key is not None:
            self._intake.keys.refused(self.key, error, seq)
        self._answer.fail(error, seq)

    def _is_first(self) -> bool:
        with self._lock:
            is_first, self._is_told = not self._is_told, True
        if is_first and self.place is not None:
            self._intake.gate.release(self.place)
        return is_first


class Intake:
    """Takes requests in, and takes them back. Any thread: the front door's, and those of bulks' actors."""

    def __init__(self, services: Services, archive: Asking, keys: Keys) -> None:
        self.keys = keys
        self.gate = services.gate
        self._services = services
        self._archive = archive
        settings = services.settings
        self._allowed = Allowed(settings.webhook_allowed_prefixes, plain_http=settings.webhook_allow_plain_http)

    def submit(self, node: NodeState, verb: AnyNodeRequest, requester: str, answer: Answer) -> None:
        """Bring a request to its node's actor, unless its key is that of another one.

        Raises:
            CastironError: it was not brought there; `answer` has not been told.
        """
        self.check_callback(verb.callback_url)
        request_id = RequestID(self._services.new_id())
        message = self._prepared(Submit(request_id=request_id, verb=verb, requester=requester, reply_to=None), node)
        if verb.dry_run:
            return self._foretell(node, message, answer)
        submission = Submission(self, answer, request_id)
        message = replace(message, reply_to=submission)
        if verb.replies in WAITS:
            submission.wait = Wait(self._services.board, answer, partial(tell_end, answer))
            submission.wait.expect(request_id)
        try:
            return self._submit(node, message, submission)
        except CastironError as error:
            return submission.refused(error, self._seq)

    def _prepared(self, message: Submit, node: NodeState) -> Submit:
        """Return a request with the steps that it will work through.

        One whose key the store knows has them: if it could not be made today, whoever sends it again is told of it.

        Raises:
            StepInvalid: it wants steps that there are not, or not so.
            RunbookNotFound, RunbookTraitMissing: it wants those of a runbook that there is not, or not for the node.
            PowerOffDisabled: it wants steps that power a machine off that must stay on.
        """
        if not isinstance(message.verb, NodeProvisionSet):
            return message
        try:
            return self._planned(message, message.verb, node)
        except CastironError as error:
            if message.verb.key is None or not self.keys.is_known(message.verb.key):
                raise
            return replace(message, unless_merged=error)

    def _planned(self, message: Submit, asked: NodeProvisionSet, node: NodeState) -> Submit:
        services = self._services
        verb, runbook = expanded(services.runbooks.look(services.board)[0], asked, node.record)
        catalogue, step_timeout_s = services.workers.shelf.catalogue, services.settings.step_timeout_s
        try:
            planned = plan(verb, catalogue, step_timeout_s, keep_on=node.record.disable_power_off)
        except CastironError as error:
            raise of_runbook(error, runbook) from None
        return replace(message, verb=verb, runbook=runbook, plan=planned)

    def check_callback(self, url: str | None, path: str = "$.callback_url") -> None:
        """Refuse a URL that may not be called.

        Args:
            url: None: nothing is to be called.
            path: where it stands in the message.

        Raises:
            ArgumentInvalid: it says what to set.
        """
        if url is None:
            return
        try:
            self._allowed.check(url)
        except AddressRefused as refusal:
            raise ArgumentInvalid(f"callback_url: {refusal}", details={"path": path}) from None

    def follow(self, request: RequestRecord, answer: Answer, seq: EventSeq) -> None:
        """Tell the end of a request that was there before: when it comes, or at once."""
        wait = Wait(self._services.board, answer, partial(tell_end, answer))
        try:
            if request.state not in FINAL_REQUEST_STATES and wait.begin(request.id):
                return None
        except CastironError as error:
            return answer.fail(error, seq)
        return answer.final(request_view(self._services.board.request(request.id) or request), seq)

    def withdraw(self, verb: RequestCancel | RequestAbort, requester: str, answer: Answer) -> None:
        """Bring the wish to end a request to its node's actor.

        Raises:
            CastironError: it was not brought there; `answer` has not been told.
        """
        request_id = RequestID(verb.request)
        request = self._services.board.request(request_id)
        if request is None:
            return self._archive.ask(partial(self._tell_why_not, request_id, answer))
        published = self._services.board.node(request.node_uuid)
        if request.state in FINAL_REQUEST_STATES or published is None:
            raise has_ended(request)
        is_abort = isinstance(verb, RequestAbort)
        waits = is_abort and not verb.dry_run
        asked = _Withdrawing(self, request_id, answer, self._wait(request_id, answer) if waits else None)
        message = Withdraw(
            request_id=request_id, is_abort=is_abort, force=verb.force, requester=requester, reply_to=asked
        )
        try:
            return deliver(self._services, published.state, previewed(message) if verb.dry_run else message)
        except CastironError as error:
            return asked.refused(error, self._seq)

    def tell_ended(self, request_id: RequestID, answer: Answer, seq: EventSeq) -> None:
        """Refuse what came too late for a request, and say how that has ended: its node has forgotten."""
        request = self._services.board.request(request_id)
        if request is not None and request.state in FINAL_REQUEST_STATES:
            return answer.fail(has_ended(request), seq)
        try:
            return self._archive.ask(partial(self._tell_why_not, request_id, answer))
        except CastironError as error:
            return answer.fail(error, seq)

    @property
    def _seq(self) -> EventSeq:
        return self._services.board.seq

    def _submit(self, node: NodeState, message: Submit, submission: Submission) -> None:
        key = message.verb.key
        if key is not None:
            wanted = Wanted(key, node.record.uuid, message.verb)
            if not self.keys.reserve(wanted, submission):
                return None
            submission.key = key
            if self.keys.is_known(key):
                return self._archive.ask(partial(self._look_up, wanted, node, message, submission))
        return self._deliver(node, message, submission)

    def _deliver(self, node: NodeState, message: Submit, submission: Submission) -> None:
        identity = identity_of(message.requester)
        try:
            self.gate.reserve(identity, self._services.clock.now())
        except ConductorOverloaded as full:
            if not isinstance(judge(node, message.verb), Merge):
                raise
            # A wish that joins another makes no new request. What it would join may end before it comes there.
            return deliver(self._services, node, replace(message, unless_merged=full))
        submission.place = identity
        return deliver(self._services, node, message)

    def _foretell(self, node: NodeState, message: Submit, answer: Answer) -> None:
        """Have somebody say what would come of a request. Its key is looked for, and stays free."""
        key, preview = message.verb.key, Preview(message=message, reply_to=Asked(answer))
        if key is None or not self.keys.is_known(key):
            return deliver(self._services, node, preview)
        wanted = Wanted(key, node.record.uuid, message.verb)
        return self._archive.ask(partial(self._foretell_known, wanted, node, preview, answer))

    def _foretell_known(
        self, wanted: Wanted, node: NodeState, preview: Preview, answer: Answer, library: Library
    ) -> None:
        seq = self._seq
        try:
            found = library.key(wanted.key)
            request = None if found is None else library.request(found.request_id)
            if request is None:
                return deliver(self._services, node, preview)
            judge_known(wanted, request)
        except CastironError as error:
            return answer.fail(error, seq)
        except Exception as error:  # noqa: BLE001 - whoever asks must hear of it, whatever it is
            return answer.fail(unanswered(self._services.new_id(), error), seq)
        return answer.final(same_request(request), seq)

    def _look_up(
        self, wanted: Wanted, node: NodeState, message: Submit, submission: Submission, library: Library
    ) -> None:
        """Find the request of a key in the store; if it has been forgotten meanwhile, the key is new."""
        seq = self._seq
        try:
            found = library.key(wanted.key)
            request = None if found is None else library.request(found.request_id)
            if request is None:
                return self._deliver(node, message, submission)
            judge_known(wanted, request)
        except CastironError as error:
            return submission.refused(error, seq)
        except Exception as error:  # noqa: BLE001 - whoever asks must hear of it, whatever it is
            return submission.refused(unanswered(self._services.new_id(), error), seq)
        return submission.taken(self._services.board.request(request.id) or request, seq)

    def _wait(self, request_id: RequestID, answer: Answer) -> Wait:
        wait = Wait(self._services.board, answer, partial(tell_end, answer))
        wait.begin(request_id)
        return wait

    def _tell_why_not(self, request_id: RequestID, answer: Answer, library: Library) -> None:
        seq = self._seq
        try:
            request = library.request(request_id)
        except Exception as error:  # noqa: BLE001 - whoever asks must hear of it, whatever it is
            return answer.fail(unanswered(self._services.new_id(), error), seq)
        return answer.fail(request_not_found(request_id) if request is None else has_ended(request), seq)


class _Withdrawing:
    """Whoever takes a request back: answered by what comes of that, or by its end if it waits; see `asking.Asked`."""

    def __init__(self, intake: Intake, request_id: RequestID, answer: Answer, wait: Wait | None) -> None:
        self.answer = answer
        self._intake = intake
        self._request_id = request_id
        self._wait = wait

    def answered(self, result: AnyResult, seq: EventSeq) -> None:
        """Give the result: the request has ended, or goes on for others."""
        if self._is_first():
            self.answer.final(result, seq)

    def refused(self, error: CastironError, seq: EventSeq) -> None:
        """Say why not."""
        if not self._is_first():
            return
        if isinstance(error, RequestEnded):
            self._intake.tell_ended(self._request_id, self.answer, seq)
        else:
            self.answer.fail(error, seq)

    def _is_first(self) -> bool:
        return self._wait is None or self._wait.withdraw()


def previewed(message: Withdraw | Remove | SetMaintenance | SetLock | Direct) -> Preview:
    """Return the question what a message would do."""
    return Preview(message=message, reply_to=message.reply_to)


def tell_end(answer: Answer, request: RequestRecord, seq: EventSeq) -> None:
    """Answer with a request that has ended."""
    answer.final(request_view(request), seq)


def unanswered(error_id: str, error: Exception) -> InternalError:
    """Log why a question could not be answered, and return the failure that names the place in the log.

    That the store could not be read is said where the store has said so, and of nothing else.
    """
    log.error("%s: a question could not be answered", error_id, exc_info=error, extra={"error_id": error_id})
    what = "The store could not be read" if isinstance(error, StoreError) else "It could not be answered"
    return InternalError(f"{what}. The conductor's log has the details, under {error_id}.", error_id=error_id)


def has_ended(request: RequestRecord) -> RequestEnded:
    """Return the refusal of what comes too late for a request."""
    return RequestEnded(
        f"Request {request.id} has ended: {request.state}. `castiron request show {request.id}` tells more.",
        details={"request": request.id, "state": request.state.value},
    )


def request_not_found(request_id: str) -> RequestNotFound:
    """Return the error for a request that nobody knows."""
    return RequestNotFound(
        f"There is no request {request_id!r}; it never was, or ended longer ago than requests are kept.",
        details={"request": request_id},
    )
