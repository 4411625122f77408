"""Calls that are owed, as rows. Pure, as `rows` is."""

from castiron.store.records import CallbackRecord
from castiron.store.sql import values
from castiron.store.sql.rows import Row, Understood, dump_trace, load_trace
from castiron.transport.vocabulary import EventSeq


def callback_row(record: CallbackRecord) -> Row:
    """Return the row of `tables.Callback`; the event number is the writer's, who puts it in with `numbered`.

    Raises:
        UnstorableValue: the body holds what cannot be stored.
    """
    url, body = record.url, values.dump(record.body)
    trace = dump_trace(record.trace)
    return (
        record.id,
        record.request_id,
        url,
        record.owed_since,
        body,
        record.attempts,
        record.seq,
        trace,
        record.ended_at,
    )


def numbered(row: Row, seq: EventSeq) -> Row:
    """Return the row of a callback with the event number of its commit."""
    return (*row[:6], seq, *row[7:])


def callback_record(row: Row) -> CallbackRecord:
    """Return the record that `callback_row` made the row from.

    Raises:
        StoreUnusable: the row is damaged.
    """
    (delivery_id, request_id, url, owed_since, body, attempts, seq, trace, ended_at) = row
    with Understood(f"outbox/{delivery_id}"):
        return CallbackRecord(
            id=delivery_id,
            request_id=request_id,
            url=url,
            owed_since=owed_since,
            body=values.load(body),
            attempts=attempts,
            seq=seq,
            trace=load_trace(trace),
            ended_at=ended_at,
        )
