"""Records as rows: the one place that knows both.

A row is a tuple in the order of its table's fields. Maps become JSON, sets sorted JSON lists, words their spelling;
secrets are taken out of their map, sealed for the row, and put back on the way home. Pure but for the sealer's nonces;
no SQL.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Any, TypeVar

from castiron.store.errors import StoreUnusable
from castiron.store.records import (
    EventDraft,
    EventRecord,
    KeyRecord,
    NodeLock,
    NodeRecord,
    RequestRecord,
    TraceEntry,
)
from castiron.store.secrets import Sealer
from castiron.store.sql import values
from castiron.transport.vocabulary import (
    Applied,
    ConductorID,
    EventType,
    Fault,
    OnRestart,
    Policy,
    PowerState,
    ProvisionState,
    RequestState,
    TraceWord,
)

Row = tuple[Any, ...]
T = TypeVar("T")


def node_identity(uuid: str) -> str:
    """Return what the secrets of a node are sealed for."""
    return f"nodes/{uuid}"


def request_identity(request_id: str) -> str:
    """Return what the secrets of a request are sealed for."""
    return f"requests/{request_id}"


def node_row(record: NodeRecord, sealer: Sealer) -> Row:
    """Return the row of `tables.Node`.

    Raises:
        UnstorableValue: a map holds what cannot be stored.
    """
    public, sealed = _split(record.driver_info, record.secret_keys, node_identity(record.uuid), sealer)
    return (
        record.uuid,
        record.name,
        record.driver,
        public,
        sealed,
        _dump_set(record.secret_keys),
        record.bmc_address,
        values.dump(record.properties),
        values.dump(record.extra),
        record.power_state,
        record.power_state_at,
        record.target_power_state,
        record.provision_state,
        record.target_provision_state,
        record.maintenance,
        record.maintenance_reason,
        record.fault,
        record.last_error,
        record.power_state_change_timeout_s,
        record.soft_power_off_timeout_s,
        record.created_at,
        record.updated_at,
        record.owner,
        record.epoch,
        record.revision,
        record.node_seq,
        record.power_check_interval_s,
        record.protected,
        record.protected_reason,
        record.retired,
        record.retired_reason,
        record.disable_power_off,
        record.resource_class,
        json.dumps(record.traits) if record.traits else "[]",
        None if record.lock is None else json.dumps(asdict(record.lock)),
        _seal(record.other_passwords, node_identity(record.uuid), sealer),
        record.allocation_uuid,
        record.sensor_data_interval_s,
        values.dump_alarms(record.alarms),
    )


def node_record(row: Row, sealer: Sealer) -> NodeRecord:
    """Return the record that `node_row` made the row from.

    Raises:
        SecretsUnreadable: its secrets do not open.
        StoreUnusable: the row is damaged, or holds words that this version does not know.
    """
    (uuid, name, driver, public, sealed, secret_keys, bmc_address, properties, extra, *observed) = row
    (power_state, power_state_at, target, provision_state, provision_target, *kept) = observed
    (maintenance, reason, fault, last_error, power_timeout_s, soft_timeout_s, *stamps) = kept
    (created_at, updated_at, owner, epoch, revision, node_seq, check_interval_s, *guards) = stamps
    (protected, protected_reason, retired, retired_reason, disable_power_off, *labels) = guards
    (resource_class, traits, lock, other_passwords, allocation_uuid, sensor_interval_s, alarms) = labels
    with Understood(node_identity(uuid)):
        return NodeRecord(
            uuid=uuid,
            name=name,
            driver=intern(driver),  # one text for all, as of the owner: 140 bytes a node
            driver_info=_join(public, sealed, node_identity(uuid), sealer),
            secret_keys=_load_set(secret_keys),
            bmc_address=bmc_address,
            properties=values.load(properties),
            extra=values.load(extra),
            power_state=_if_known(PowerState, power_state),
            power_state_at=power_state_at,
            target_power_state=_if_known(PowerState, target),
            provision_state=ProvisionState(provision_state),
            target_provision_state=_if_known(ProvisionState, provision_target),
            maintenance=bool(maintenance),
            maintenance_reason=reason,
            fault=_if_known(Fault, fault),
            last_error=last_error,
            power_state_change_timeout_s=power_timeout_s,
            soft_power_off_timeout_s=soft_timeout_s,
            power_check_interval_s=check_interval_s,
            created_at=created_at,
            updated_at=updated_at,
            owner=ConductorID(intern(owner)),
            epoch=epoch,
            revision=revision,
            node_seq=node_seq,
            protected=bool(protected),
            protected_reason=protected_reason,
            retired=bool(retired),
            retired_reason=retired_reason,
            disable_power_off=bool(disable_power_off),
            resource_class=resource_class,
            traits=tuple(json.loads(traits)) if traits != "[]" else (),
            lock=None if lock is None else NodeLock(**json.loads(lock)),
            other_passwords=_join("{}", other_passwords, node_identity(uuid), sealer),
            allocation_uuid=allocation_uuid,
            sensor_data_interval_s=sensor_interval_s,
            alarms=values.load_alarms(alarms),
        )


def request_row(record: RequestRecord, sealer: Sealer) -> Row:
    """Return the row of `tables.Request`.

    Raises:
        UnstorableValue: a map holds what cannot be stored.
    """
    public, sealed = _split(record.arguments, record.secret_keys, request_identity(record.id), sealer)
    return (
        record.id,
        record.key,
        record.node_uuid,
        record.node_name,
        record.verb,
        public,
        sealed,
        _dump_set(record.secret_keys),
        record.requester,
        record.state,
        record.accepted_at,
        record.started_at,
        record.ended_at,
        record.overdue_at,
        record.attempts,
        values.dump(record.progress),
        None if record.result is None else values.dump(record.result),
        None if record.error is None else values.dump(record.error),
        record.applied,
        record.policy,
        record.hold,
        record.on_restart,
        record.deadline_at,
        record.depends_on,
        values.dump(record.requesters),
        record.merged,
        record.abort_by,
        json.dumps(dict(record.callbacks)) if record.callbacks else "{}",
        dump_trace(record.trace),
        None if record.error is None else record.error.get("code"),
        identity_of(record.requester),
        record.runbook,
    )


def request_record(row: Row, sealer: Sealer) -> RequestRecord:
    """Return the record that `request_row` made the row from.

    Raises:
        SecretsUnreadable: its secrets do not open.
        StoreUnusable: the row is damaged, or holds words that this version does not know.
    """
    (request_id, key, node_uuid, node_name, verb, public, sealed, secret_keys, requester, state, *life) = row
    (accepted_at, started_at, ended_at, overdue_at, attempts, progress, result, error, applied, *terms) = life
    (policy, hold, on_restart, deadline_at, depends_on, requesters, merged, abort_by, *more) = terms
    callbacks, trace, _, _, runbook = more  # the two are there to be found by
    with Understood(request_identity(request_id)):
        return RequestRecord(
            id=request_id,
            key=key,
            node_uuid=node_uuid,
            node_name=node_name,
            verb=verb,
            arguments=_join(public, sealed, request_identity(request_id), sealer),
            secret_keys=_load_set(secret_keys),
            requester=requester,
            state=RequestState(state),
            accepted_at=accepted_at,
            started_at=started_at,
            ended_at=ended_at,
            overdue_at=overdue_at,
            attempts=attempts,
            progress=values.load(progress),
            result=_if_known(values.load, result),
            error=_if_known(values.load, error),
            applied=_if_known(Applied, applied),
            policy=Policy(policy),
            hold=bool(hold),
            on_restart=OnRestart(on_restart),
            deadline_at=deadline_at,
            depends_on=depends_on,
            requesters=values.load(requesters),
            merged=merged,
            abort_by=abort_by,
            callbacks={url: tuple(who) for url, who in json.loads(callbacks).items()} if callbacks != "{}" else {},
            trace=load_trace(trace),
            runbook=runbook,
        )


def identity_of(requester: str) -> str:
    """Return a requester without what the peer called itself, in parentheses behind it."""
    identity, is_claimed, _ = requester.rpartition(" (")
    return identity if is_claimed and requester.endswith(")") else requester


def key_row(record: KeyRecord) -> Row:
    """Return the row of `tables.RequestKey`."""
    return (record.key, record.request_id)


def key_record(row: Row) -> KeyRecord:
    """Return the record that `key_row` made the row from."""
    key, request_id = row
    return KeyRecord(key=key, request_id=request_id)


def event_row(draft: EventDraft) -> Row:
    """Return the row of `tables.Event` without its first two fields, which the writer numbers.

    Raises:
        UnstorableValue: the payload holds what cannot be stored.
    """
    return (draft.type, draft.at, draft.node_uuid, draft.node_name, draft.request_id, values.dump(draft.payload))


def event_record(row: Row) -> EventRecord:
    """Return the event that the row was made from.

    Raises:
        StoreUnusable: the row is damaged, or holds words that this version does not know.
    """
    (seq, node_seq, event_type, at, node_uuid, node_name, request_id, payload) = row
    with Understood(f"events/{seq}"):
        draft = EventDraft(
            type=EventType(event_type),
            at=at,
            node_uuid=node_uuid,
            node_name=node_name,
            request_id=request_id,
            payload=values.load(payload),
        )
    return EventRecord(seq=seq, node_seq=node_seq, draft=draft)


class Understood:
    """Turns whatever a damaged row does to its reader into the store's own error; the value is not shown."""

    def __init__(self, row: str) -> None:
        self._row = row

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ValueError | TypeError | KeyError):
            raise StoreUnusable(
                f"row {self._row} is damaged, or a newer castiron wrote it: restore a backup, or run the newer one"
            ) from None


def _split(
    whole: Mapping[str, Any], secret_keys: frozenset[str], identity: str, sealer: Sealer
) -> tuple[str, str | None]:
    """Return the public part as JSON, and the secret part sealed for the row; None if there is none."""
    if not secret_keys:
        return values.dump(whole), None
    public = {key: value for key, value in whole.items() if key not in secret_keys}
    secret = {key: value for key, value in whole.items() if key in secret_keys}
    return values.dump(public), _seal(secret, identity, sealer)


def _seal(secret: Mapping[str, Any], identity: str, sealer: Sealer) -> str | None:
    return sealer.seal(identity, values.dump(secret)) if secret else None


def _join(public: str, sealed: str | None, identity: str, sealer: Sealer) -> Mapping[str, Any]:
    if sealed is None:
        return values.load(public)
    return MappingProxyType({**values.load(public), **values.load(sealer.open(identity, sealed))})


def _dump_set(words: frozenset[str]) -> str:
    return json.dumps(sorted(words)) if words else "[]"


@lru_cache(maxsize=256)
def _load_set(text: str) -> frozenset[str]:
    """Return the words; nearly all nodes have the same, and a set of their own takes 280 bytes."""
    return frozenset(json.loads(text))


def _if_known(make: Callable[[str], T], value: str | None) -> T | None:
    return None if value is None else make(value)


def dump_trace(trace: tuple[TraceEntry, ...]) -> str:
    """Return a trace as it is stored: a list of lists, which is a third of what maps with names would take."""
    entries = [
        f'["{entry.word}",{entry.at!r},{_number(entry.until)},{entry.count},{values.dump(entry.details)}]'
        for entry in trace
    ]
    return f"[{','.join(entries)}]"


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def load_trace(text: str) -> tuple[TraceEntry, ...]:
    """Return the trace that `dump_trace` made the text from."""
    return tuple(
        TraceEntry(word=TraceWord(word), at=at, until=until, count=count, details=MappingProxyType(details))
        for word, at, until, count, details in json.loads(text)
    )
