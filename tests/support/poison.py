"""Messages that must not count, one of each kind, and messages with wrong optional fields.

Each kind has a name, the reason's class that the dead letter must give, and its bytes, made from a
good event so that nothing but the named thing is wrong.
"""

import json
from typing import NamedTuple, Optional

import msgpack


class Poison(NamedTuple):
    name: str
    reason: str
    value: Optional[bytes]
    in_a_line: bool = True      # a file can hold it as one line


_DEPTH = 1000
_TOO_MANY_BYTES = 2 << 20


def _with(event, **fields):
    return json.dumps({**event, **fields}, ensure_ascii=False).encode()


def _without(event, *names):
    return json.dumps({name: value for name, value in event.items() if name not in names}).encode()


def poison_kinds(event, record_time_ms=None):
    """All kinds, made from `event`, a good one (a dict). record_time_ms None: for a file."""
    good = json.dumps(event).encode()
    packed = msgpack.packb(event)
    nested = b"[" * _DEPTH + b"]" * _DEPTH
    kinds = [
        Poison("not JSON", "syntax", b"this is not JSON"),
        Poison("cut off", "syntax", good[:-2]),
        Poison("trailing bytes", "syntax", good + b" {}"),
        Poison("NaN", "syntax", good[:-1] + b', "watch_duration": NaN}'),
        Poison("Infinity", "syntax", good[:-1] + b', "watch_duration": Infinity}'),
        Poison("beyond a double", "syntax", good[:-1] + b', "watch_duration": 1e999}'),
        Poison("byte order mark", "syntax", b"\xef\xbb\xbf" + good),
        Poison("truncated UTF-8", "syntax", good[:-1] + b', "category": "caf\xc3"}'),
        Poison("overlong UTF-8", "syntax", good[:-1] + b', "category": "\xc0\xaf"}'),
        Poison("half a surrogate pair", "syntax", good[:-1] + b', "category": "\\ud83d"}'),
        Poison("raw control byte", "syntax", good[:-1] + b', "category": "a\x01b"}'),
        Poison("an array", "not_an_object", b"[" + good + b"]"),
        Poison("a string", "not_an_object", b'"event"'),
        Poison("2 MiB", "too_large",
               good[:-1] + b', "note": "' + b"x" * _TOO_MANY_BYTES + b'"}'),
        Poison("depth 1000", "too_deep", good[:-1] + b', "extra": ' + nested + b"}"),
        Poison("negative timestamp", "timestamp", _with(event, timestamp=-1)),
        Poison("timestamp with a fraction", "timestamp",
               _with(event, timestamp=1600000000000.5)),
        Poison("timestamp of a wrong type", "timestamp", _with(event, timestamp=[1])),
        Poison("timestamp of digits", "timestamp", _with(event, timestamp="1600000000000")),
        Poison("timestamp of a 13th month", "timestamp",
               _with(event, timestamp="2023-13-01T00:00:00Z")),
        Poison("timestamp of February 30th", "timestamp",
               _with(event, timestamp="2023-02-30T00:00:00Z")),
        Poison("timestamp of hour 24", "timestamp",
               _with(event, timestamp="2023-02-03T24:00:00Z")),
        Poison("timestamp without a time", "timestamp", _with(event, timestamp="2023-02-03")),
        Poison("action absent", "action_type", _without(event, "action_type", "action")),
        Poison("action of a wrong type", "action_type", _with(event, action_type={"a": 1})),
        Poison("action empty", "action_type", _with(event, action_type="  ")),
        Poison("action of 65 bytes", "action_type", _with(event, action_type="a" * 65)),
        Poison("msgpack cut off", "syntax", packed[:-3], in_a_line=False),
        Poison("msgpack with trailing bytes", "syntax", packed + b"\x01", in_a_line=False),
        Poison("msgpack with broken UTF-8", "syntax",
               packed.replace(b"tenant_id", b"tenan\xff\xfed"), in_a_line=False),
        Poison("msgpack with an id of bytes", "user_id",
               msgpack.packb({**event, "user_id": b"us\xffer"}), in_a_line=False),
        Poison("msgpack that says 4 G entries", "syntax", b"\xdf\xff\xff\xff\xff",
               in_a_line=False),
        Poison("no value", "empty", None, in_a_line=False),
        Poison("empty", "empty", b"", in_a_line=False),
        Poison("white space", "empty", b" \t ", in_a_line=False),
    ]
    for field in ("tenant_id", "scenario_id", "user_id", "item_id"):
        kinds += [
            Poison(f"{field} absent", field, _without(event, field)),
            Poison(f"{field} null", field, _with(event, **{field: None})),
            Poison(f"{field} a fraction", field, _with(event, **{field: 1.5})),
            Poison(f"{field} a truth value", field, _with(event, **{field: True})),
            Poison(f"{field} a list", field, _with(event, **{field: ["a"]})),
            Poison(f"{field} empty", field, _with(event, **{field: ""})),
            Poison(f"{field} of white space", field, _with(event, **{field: " \t\n"})),
            Poison(f"{field} of 257 bytes", field, _with(event, **{field: "x" * 257})),
            Poison(f"{field} with a NUL", field, _with(event, **{field: "a\0b"})),
            Poison(f"{field} beyond 64 bits", field, _with(event, **{field: 10**20})),
        ]
    if record_time_ms is None:
        kinds += [
            Poison("timestamp absent in a file", "timestamp", _without(event, "timestamp")),
            Poison("far in the future", "future", _with(event, timestamp="9999-01-01T00:00:00Z")),
        ]
    else:
        kinds.append(Poison("an hour in the future", "future",
                            _with(event, timestamp=record_time_ms + 3600000)))
    if record_time_ms is None:
        kinds = [kind for kind in kinds if kind.in_a_line]
    return kinds


def harmless_kinds(event):
    """(name, bytes): good messages whose optional fields are wrong, and taken as absent."""
    return [
        ("context of a wrong type", _with(event, context="mobile")),
        ("category a number", _with(event, context={"category": 7, "tags": ["a"]})),
        ("category empty, the other holds",
         _with(event, context={"category": ""}, category="books")),
        ("category of 257 bytes", _with(event, context={"category": "c" * 257})),
        ("tags an object", _with(event, context={"tags": {"a": 1}}, tags=["top"])),
        ("watched negative, the next place holds",
         _with(event, watch_duration=-1, extra={"duration": 12.5})),
        ("watched a string", _with(event, watch_duration="30")),
        ("watched above 7 days", _with(event, watch_duration=604800.5)),
        ("watched a truth value", _with(event, watch_duration=True)),
        ("content zero", _with(event, watch_duration=10, duration=0)),
        ("rate above 1", _with(event, completion_rate=1.5, watch_duration=9, duration=10)),
        ("rate a string", _with(event, completion_rate="0.9")),
        ("scenario_data a list", _with(event, scenario_data=[1, 2])),
        ("video_data null", _with(event, scenario_data={"video_data": None})),
        ("optional fields null", _with(event, context=None, extra=None, watch_duration=None)),
        ("position a string", _with(event, position="first", experiment_id=7)),
    ]
