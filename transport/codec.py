"""Bodies of messages: bytes to verbs and replies, and back. The only home of msgpack.

Every limit is named here or in frames. Whatever bytes come in, only errors of castiron's come out: a body that is not
the msgpack we speak is `frame.malformed`, a verb we do not know `verb.unknown`, a value that does not fit
`argument.invalid` with the path to it. Bodies hold what JSON can hold: nil, booleans, integers of 64 bits with a sign,
finite numbers, strings, arrays, and maps with strings as keys; so whoever reads them can print them.
"""

import difflib
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgpack  # type: ignore[import-untyped]  # it ships no types
import msgspec
from msgspec import Struct, structs

from castiron.transport.errors import (
    ArgumentInvalid,
    CastironError,
    FrameMalformed,
    FrameTooLarge,
    VerbUnknown,
    from_wire,
)
from castiron.transport.events import MAX_EVENT_BYTES, EventView, Heartbeat
from castiron.transport.frames import MAX_MESSAGE_BYTES, MAX_REPLY_BYTES
from castiron.transport.replies import PARTS, RESULTS, Forecast
from castiron.transport.shapes import field_words
from castiron.transport.verbs import VERBS, AnyVerb, Verb, tag_of, to_map
from castiron.transport.verbs.arguments import FORMS

MAX_DEPTH: Final = 16
"""Maps and arrays within each other. Ironic's properties nest three deep; msgpack itself would follow 1,024."""

MAX_ITEMS: Final = 1024
"""Entries of one array or map in a request: the longest that a verb takes is 1,000 names."""

MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)
"""What SQLite, JSON readers in Go and Java, and msgpack's signed integers can hold."""

_encode: Final = msgspec.msgpack.Encoder().encode
"""For replies: it takes Structs as they are, for which msgpack needs to_builtins and six times as long."""

_Wanted = TypeVar("_Wanted", bound=Struct)

_lib: Final[Any] = msgpack  # untyped; what goes in and comes out gets its types right where it is called


class Reply(NamedTuple):
    """What a conductor answered."""

    outcome: Struct | CastironError
    """The result, or why there is none; the error is not raised."""
    seq: int
    """Number of the last event that the answer takes into account."""


def decode_verb(body: bytes) -> AnyVerb:
    """Read a request's body.

    Raises:
        FrameMalformed: not one msgpack map, or beyond a limit of its size.
        VerbUnknown: no such verb.
        ArgumentInvalid: a field is missing, unknown, or does not fit; details.path says which.
    """
    fields = _unpack(body, MAX_MESSAGE_BYTES, MAX_ITEMS)
    _check(fields, "$", 1)
    return _verb_from(fields)


def encode_verb(verb: Verb) -> bytes:
    """Return the body of a request. What a conductor would refuse because of its form is refused here already.

    Raises:
        ArgumentInvalid: a value does not fit its field.
        FrameTooLarge: the verb needs more than MAX_MESSAGE_BYTES.
    """
    try:
        fields = to_map(verb)
        _check(fields, "$", 1)
        _verb_from(fields)
        body = bytes(_lib.packb(fields))
    except (TypeError, ValueError, RecursionError) as failure:
        message = f"{tag_of(verb)}: a value cannot be sent ({type(failure).__name__}). Use what JSON can hold."
        raise ArgumentInvalid(message, details={"path": "$"}) from None
    if len(body) > MAX_MESSAGE_BYTES:
        raise FrameTooLarge(
            f"{tag_of(verb)} needs {len(body)} bytes; the limit is {MAX_MESSAGE_BYTES}. Split it.",
            details={"limit_bytes": MAX_MESSAGE_BYTES, "size_bytes": len(body)},
        )
    return body


def encode_reply(outcome: Struct | CastironError, seq: int) -> bytes:
    """Return the body of a reply.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: the result holds what msgpack cannot carry; a fault of
            whoever made it.
    """
    key, value = ("error", outcome.to_wire()) if isinstance(outcome, CastironError) else ("result", outcome)
    return _encode({key: value, "seq": seq})


def decode_reply(body: bytes, result: type[Struct]) -> Reply:
    """Read a reply's body; fields that are not known are ignored.

    Args:
        body: the last frame.
        result: what answers the verb that was asked, see `result_of`.

    Raises:
        FrameMalformed: the conductor sent what this client does not understand.
    """
    fields = _unpack(body, MAX_REPLY_BYTES, MAX_REPLY_BYTES)
    seq = fields.get("seq")
    error = fields.get("error")
    if not isinstance(seq, int) or ("result" in fields) == isinstance(error, dict):
        raise _misunderstood("neither result nor error, or no seq")
    if isinstance(error, dict):
        return Reply(from_wire(cast("dict[str, Any]", error)), seq)
    return Reply(_convert(fields["result"], result), seq)


def encode_published(body: EventView | Heartbeat) -> bytes:
    """Return the body of a message of the stream.

    Raises:
        TypeError, ValueError: the event holds what msgpack cannot carry; a fault of whoever made it.
    """
    return bytes(_lib.packb(structs.asdict(body), default=_plain))


def decode_event(body: bytes) -> EventView:
    """Read an event of the stream; fields that are not known are ignored.

    Raises:
        FrameMalformed: the conductor sent what this client does not understand.
    """
    return _convert(_unpack(body, MAX_EVENT_BYTES, MAX_EVENT_BYTES), EventView)


def decode_heartbeat(body: bytes) -> Heartbeat:
    """Read a heartbeat of the stream. Raises as `decode_event`."""
    return _convert(_unpack(body, MAX_EVENT_BYTES, MAX_EVENT_BYTES), Heartbeat)


def result_of(verb: Verb) -> type[Struct]:
    """Return the Struct that answers a verb."""
    is_foretold = getattr(verb, "dry_run", False) and not has_parts(verb)  # what has parts is foretold in them
    return Forecast if is_foretold else RESULTS[tag_of(verb)]


def has_parts(verb: Verb) -> bool:
    """Return whether a verb is answered in parts."""
    return tag_of(verb) in PARTS


def part_of(verb: Verb) -> type[Struct]:
    """Return the Struct that a part of a verb's answer holds; see `has_parts`."""
    return PARTS[tag_of(verb)]


def _convert(fields: Any, wanted: type[_Wanted]) -> _Wanted:
    try:
        return msgspec.convert(fields, wanted)
    except msgspec.ValidationError as failure:
        raise _misunderstood(str(failure)) from None


def _plain(value: object) -> object:
    """Return what msgpack can carry in the place of what it cannot: records hold maps that cannot be changed."""
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else msgspec.to_builtins(value)


def _misunderstood(reason: str) -> FrameMalformed:
    message = f"The conductor's answer was not understood: {reason}. Is it of another version?"
    return FrameMalformed(message, details={"reason": reason})


def _unpack(body: bytes, limit_bytes: int, limit_items: int) -> dict[str, Any]:
    try:
        fields: object = _lib.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_map,
            ext_hook=_extension,
            max_str_len=limit_bytes,
            max_bin_len=limit_bytes,
            max_ext_len=limit_bytes,
            max_array_len=limit_items,
            max_map_len=limit_items,
        )
    except FrameMalformed:
        raise
    except (ValueError, TypeError, _lib.UnpackException) as failure:
        raise _not_ours(_reason(failure)) from None
    if not isinstance(fields, dict):
        raise _not_ours("not a map")
    return cast("dict[str, Any]", fields)


def _reason(failure: Exception) -> str:
    if isinstance(failure, UnicodeDecodeError):
        return "a string that is not UTF-8"
    if isinstance(failure, _lib.ExtraData):
        return "bytes after its end"
    if isinstance(failure, _lib.StackError):
        return f"maps and arrays nested deeper than {MAX_DEPTH}"
    return str(failure) or "not msgpack"


def _not_ours(reason: str) -> FrameMalformed:
    return FrameMalformed(
        f"The body is not one msgpack map as PROTOCOL.md wants it: {reason}.", details={"reason": reason}
    )


def _map(pairs: list[tuple[object, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise _not_ours("a key that is not a string")
        if key in fields:
            raise _not_ours("a key that stands twice in one map")
        fields[key] = value
    return fields


def _extension(code: int, _: bytes) -> object:
    raise _not_ours(f"extension type {code}")


_PLAIN: Final = frozenset({str, bool, type(None)})


def _check(container: dict[str, object] | list[object], path: str, depth: int) -> None:
    """Refuse what msgpack can hold and JSON cannot, in time linear to the body's size."""
    if depth > MAX_DEPTH:
        raise _not_ours(f"maps and arrays nested deeper than {MAX_DEPTH}")
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        if type(value) in _PLAIN:
            continue
        if isinstance(value, dict | list):
            _check(cast("dict[str, object] | list[object]", value), _step(path, key), depth + 1)
        elif (wrong := _wrong(value)) is not None:
            where = _step(path, key)
            raise ArgumentInvalid(f"{wrong}, at {where}.", details={"path": where})


def _wrong(value: object) -> str | None:
    if isinstance(value, int):
        return None if MIN_INT <= value <= MAX_INT else "An integer needs more than 64 bits with a sign"
    if isinstance(value, float):
        return None if isfinite(value) else "A number is not finite"
    if isinstance(value, bytes):
        return "Binary data has no place here; send a string"
    return "An extension type has no place here"


def _step(path: str, key: object) -> str:
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"


def _verb_from(fields: Mapping[str, Any]) -> AnyVerb:
    tag = fields.get("verb")
    if not isinstance(tag, str):
        raise ArgumentInvalid('The map needs a "verb" that is a string.', details={"path": "$.verb"})
    verb = VERBS.get(tag)
    if verb is None:
        raise _unknown(tag)
    try:
        return msgspec.convert(fields, verb)
    except msgspec.ValidationError as failure:
        raise _invalid(verb, str(failure)) from None


def _unknown(tag: str) -> VerbUnknown:
    word = tag[:64]
    nearest = next(iter(difflib.get_close_matches(word, VERBS, n=1)), None)
    hint = f" Did you mean {nearest}?" if nearest else " PROTOCOL.md lists the verbs."
    return VerbUnknown(f"There is no verb {word!r}.{hint}", details={"verb": word, "nearest": nearest})


_LOCATED: Final = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>\$[^`]*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"^Object (?:contains unknown|missing required) field `(?P<field>[^`]*)`$")


def _invalid(verb: type[AnyVerb], failure: str) -> ArgumentInvalid:
    """Turn msgspec's words into ours: where it is, what was wrong, what the field may hold."""
    located = _LOCATED.match(failure)
    what, path = (located["what"], located["path"] or "$") if located else (failure, "$")
    named = _NAMED.match(what)
    if named is not None:
        path = f"{path}.{named['field'][:64]}"
    holds = field_words(verb, re.split(r"[.\[]", path.removeprefix("$."), maxsplit=1)[0])
    if "` matching regex " in what:
        what = "this is written in another way"
    for pattern, words in FORMS.items():
        holds = holds and holds.replace(f"matching `{pattern}`", words)
    hint = f" It holds: {holds}." if holds else f" The fields of {tag_of(verb)} are: {_names(verb)}."
    return ArgumentInvalid(f"{tag_of(verb)}: {what}, at {path}.{hint}", details={"path": path})


def _names(verb: type[AnyVerb]) -> str:
    return ", ".join(verb.__struct_fields__) or "none"
