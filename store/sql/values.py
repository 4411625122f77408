"""Free maps as text: what a client may put into `extra` goes to disk as JSON and comes back equal.

The wire allows more than JSON has: byte strings, and keys that are not text. Those are kept as a map with one key that
begins with a dollar sign; a client's own map with such a key is kept as pairs, so that nothing can be taken for them.
Sequences come back as lists, as they do on the wire. A node's alarms are a map of records, and JSON, too. Pure;
nothing about tables or secrets.

Nearly all maps hold nothing but what JSON has, and msgspec writes those several times as fast as Python can look at
them. Whether it was one of those is asked of the text: it must come back equal, and must not hold a mark of ours.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType, NoneType
from typing import Any, Final

from msgspec import MsgspecError
from msgspec import json as quick

from castiron.store.errors import UnstorableValue
from castiron.store.records import EMPTY, Fragment, NodeAlarm
from castiron.transport.vocabulary import AlarmState

_BYTES: Final = "$bytes"
_PAIRS: Final = "$map"
_MARK: Final = '"$'
_SCALARS: Final = (str, int, float, bool, NoneType)

_USUAL: Final = frozenset(_SCALARS)
"""Looked for first: to ask for a subclass costs more than the rest of it."""

_TEXT: Final = frozenset({str})
_EXACT: Final = frozenset({str, int, bool, NoneType})
"""What comes back from JSON as it was; a float may be one that JSON lacks, and a map holds whatever it holds."""

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_BYTES_OF_MARK: Final = _MARK.encode("ascii")


def _as_dict(value: Any) -> dict[Any, Any]:
    """Return a map of another kind as msgspec takes it; for any other type there is `_plain`, which says what it is."""
    if isinstance(value, Mapping):
        return {**value}  # pyright: ignore[reportUnknownVariableType] - of whatever it holds
    raise TypeError(type(value).__name__)


_quickly: Final = quick.Encoder(enc_hook=_as_dict).encode


def dump(values: Mapping[Any, Any]) -> str:
    """Return the map as JSON text in ASCII, keys in the map's own order.

    Raises:
        UnstorableValue: a value or a key is of a type that the wire cannot carry. Says the type, never the value.
    """
    if not isinstance(values, Fragment):
        return _text(values) if values else "{}"
    if values.text is None:
        values.text = _composed(values.whole)
    return values.text


def load(text: str) -> Mapping[str, Any]:
    """Return the map that `dump` was given, read-only.

    Raises:
        ValueError: `dump` did not write this.
    """
    if text == "{}":
        return EMPTY
    # Few maps hold a mark, and looking for it is far cheaper than a Python call for each map in the text.
    if _MARK in text:
        return MappingProxyType(json.loads(text, object_hook=_revive))
    try:
        return MappingProxyType(quick.decode(text))  # a quarter of the time, and equal keys are one string
    except MsgspecError:
        return MappingProxyType(json.loads(text))  # NaN, and halves of characters: what JSON lacks and Python writes


def _text(values: Mapping[Any, Any], *, is_exact: bool = False) -> str:
    """Return a map's text: msgspec's where it says all that there is to say, and Python's where JSON lacks a form.

    Args:
        is_exact: it is known to come back equal; see `_is_exact`.
    """
    try:
        text = _quickly(values)
        if text.isascii() and _BYTES_OF_MARK not in text and (is_exact or quick.decode(text) == values):
            return text.decode("ascii")
    except (TypeError, ValueError, OverflowError, MsgspecError):
        pass  # whatever it is, it is no plain map
    return _encode(_plain(values))


def _composed(values: Mapping[str, Any]) -> str:
    """Return a fragment's text: what is plain in it in one go, then the parts whose texts are kept."""
    if _is_exact(values):
        return _text(values, is_exact=True)
    kept = {key: value for key, value in values.items() if _is_kept(value)}
    if not kept or not _is_plain(values):
        return _text(values)
    plain = _text({key: value for key, value in values.items() if key not in kept})
    parts = [f"{_encode(key)}:{_kept(value)}" for key, value in kept.items()]
    return f"{{{','.join(([plain[1:-1]] if len(kept) < len(values) else []) + parts)}}}"


def _is_exact(values: Mapping[Any, Any]) -> bool:
    """Return whether a map has text alone for keys, and for values what has one form in JSON: most of a request's."""
    return _EXACT.issuperset(map(type, values.values())) and _TEXT.issuperset(map(type, values))


def _is_kept(value: Any) -> bool:
    kind = value.__class__
    return kind is Fragment or (kind is list and bool(value) and value[0].__class__ is Fragment)


def _kept(value: Fragment | list[Fragment]) -> str:
    return f"[{','.join([dump(one) for one in value])}]" if isinstance(value, list) else dump(value)


def _plain(value: Any) -> Any:
    kind: type[Any] = value.__class__
    if kind in _USUAL or issubclass(kind, _SCALARS):
        return value
    if issubclass(kind, Mapping):
        return _plain_map(value)
    if issubclass(kind, list | tuple):
        return [_plain(item) for item in value]
    if issubclass(kind, bytes | bytearray):
        return {_BYTES: b64encode(value).decode("ascii")}
    raise UnstorableValue(f"a value of type {kind.__name__} cannot be stored")


def _plain_map(values: Mapping[Any, Any]) -> Any:
    if _is_plain(values):
        return {key: _plain(value) for key, value in values.items()}
    for key in values:
        if not isinstance(key, (*_SCALARS, bytes)):
            raise UnstorableValue(f"a key of type {type(key).__name__} cannot be stored")
    return {_PAIRS: [[_plain(key), _plain(value)] for key, value in values.items()]}


def _is_plain(values: Mapping[Any, Any]) -> bool:
    for key in values:  # noqa: SIM110 - a generator for `all` costs twice as much, and an event is mostly this
        if not isinstance(key, str) or key[:1] == "$":
            return False
    return True


def _revive(found: dict[str, Any]) -> Any:
    if found.keys() == {_BYTES}:
        return b64decode(found[_BYTES])
    if found.keys() == {_PAIRS}:
        return {key: value for key, value in found[_PAIRS]}  # noqa: C416 - pairs are lists, and may hold bytes
    return found


def dump_alarms(alarms: Mapping[str, NodeAlarm]) -> str:
    """Return how alarm rules stand, as JSON text."""
    return _encode({rule: asdict(alarm) for rule, alarm in alarms.items()}) if alarms else "{}"


def load_alarms(text: str) -> Mapping[str, NodeAlarm]:
    """Return what `dump_alarms` made the text from.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or holds words that this version does not know.
    """
    if text == "{}":
        return EMPTY
    return {
        rule: NodeAlarm(**alarm | {"state": AlarmState(alarm["state"])}) for rule, alarm in json.loads(text).items()
    }
