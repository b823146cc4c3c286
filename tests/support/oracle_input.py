"""The oracle's own reading of messages and scenario documents: the input table and the defaults.

Written from the design's words alone, with Python's parsers, so that it shares no line and no
mistake with the C code. What the design leaves open is decided here too, and said in a comment
that begins with "Open:"; the made streams keep away from these.
"""

import calendar
import json
import math
import re
from typing import NamedTuple, Optional

import msgpack

MESSAGE_BYTES_MAX = 1 << 20
DEPTH_MAX = 16
ID_BYTES_MAX = 256
ACTION_BYTES_MAX = 64
LABEL_BYTES_MAX = 256
TAGS_MAX = 64
WATCHED_SECONDS_MAX = 7 * 86400
SECONDS_BELOW = 10**11          # a smaller timestamp is in seconds
ASCII_SPACE = " \t\n\v\f\r"

KNOWN_ACTIONS = frozenset("""
    impression view click like favorite comment share purchase play play_end read read_end learn
    complete dislike follow add_cart order payment not_interest pause repeat download trial note
    ask review add_playlist""".split())

_WATCHED_PLACES = (
    ("watch_duration",),
    ("scenario_data", "video_data", "watch_duration"),
    ("scenario_data", "music_data", "play_duration"),
    ("scenario_data", "news_data", "read_duration"),
    ("scenario_data", "education_data", "study_duration"),
    ("extra", "duration"),
)
_CONTENT_PLACES = (
    ("duration",),
    ("scenario_data", "video_data", "duration"),
    ("scenario_data", "music_data", "duration"),
    ("scenario_data", "education_data", "duration"),
    ("scenario_data", "education_data", "lesson_duration"),
    ("extra", "video_duration"),
)
_ISO_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Record(NamedTuple):
    """One message of a partition; time_ms is the Kafka record's timestamp, None in a file."""
    offset: int
    value: Optional[bytes]
    time_ms: Optional[int] = None


class Event(NamedTuple):
    tenant: str
    scenario: str
    user: str
    item: str
    action: str             # folded; not yet replaced by `other`
    time_ms: int
    category: Optional[str]
    tags: tuple             # distinct
    watched_ms: Optional[int]
    rate: Optional[float]   # completion, may be above 1 where it is watched / content
    wrong_types: int        # optional fields taken as absent


class Invalid(Exception):
    """The message is a dead letter; the one argument is the reason's class."""

    @property
    def reason(self):
        return self.args[0]


def records_of_file(path):
    """The Records of a JSON-lines file by byte position; blank lines are left out."""
    records = []
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            body = line[:-1] if line.endswith(b"\n") else line
            if body.strip(ASCII_SPACE.encode()):
                records.append(Record(offset, body))
            offset += len(line)
    return records


# --- Messages -----------------------------------------------------------------------------------

def parse_event(value, record_time_ms=None):
    """An Event, or raises Invalid. The rule about the future is not here: it needs a clock."""
    if value is None or not value.strip(ASCII_SPACE.encode()):
        raise Invalid("empty")
    if len(value) > MESSAGE_BYTES_MAX:
        raise Invalid("too_large")
    first = value[0]
    is_msgpack = 0x80 <= first <= 0x8f or first in (0xde, 0xdf)
    fields = _msgpack_object(value) if is_msgpack else _json_object(value)
    wrong = [0]
    return Event(
        tenant=_id(fields, "tenant_id"),
        scenario=_id(fields, "scenario_id"),
        user=_id(fields, "user_id"),
        item=_id(fields, "item_id"),
        action=_action(fields),
        time_ms=_time(fields, record_time_ms),
        category=_category(fields, wrong),
        tags=_tags(fields, wrong),
        **_durations(fields, wrong),
        wrong_types=wrong[0])


def _json_object(value):
    _check_json_depth(value)
    try:
        text = value.decode("utf-8")
        if text.startswith("\ufeff"):
            raise Invalid("syntax")
        fields = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite,
                            parse_int=_whole)
    except (ValueError, RecursionError):
        raise Invalid("syntax") from None
    if b"\\u" in value:
        _refuse_surrogates(fields)
    if not isinstance(fields, dict):
        raise Invalid("not_an_object")
    return fields


def _check_json_depth(value):
    if value.count(b"[") + value.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', value, re.DOTALL):
        if token.group() in (b"[", b"{"):
            depth += 1
            if depth > DEPTH_MAX:
                raise Invalid("too_deep")
        elif token.group() in (b"]", b"}"):
            depth -= 1


def _refuse_constant(name):
    raise ValueError(name)


def _finite(text):
    number = float(text)
    if math.isinf(number):
        raise ValueError("beyond a double")
    return number


def _whole(text):
    number = int(text)
    try:
        float(number)
    except OverflowError:
        raise ValueError("beyond a double") from None
    return number


def _refuse_surrogates(value):
    """An escaped half of a surrogate pair is no character of UTF-8."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise Invalid("syntax")
    elif isinstance(value, list):
        for element in value:
            _refuse_surrogates(element)
    elif isinstance(value, dict):
        for name, element in value.items():
            _refuse_surrogates(name)
            _refuse_surrogates(element)


def _msgpack_object(value):
    try:
        fields = msgpack.unpackb(value, raw=False, strict_map_key=False)
    except (ValueError, msgpack.exceptions.UnpackException, TypeError) as error:
        # A message too deep for the unpacker's own stack is too deep for us long before.
        raise Invalid("too_deep" if isinstance(error, msgpack.exceptions.StackError)
                      else "syntax") from None
    if _depth(fields) > DEPTH_MAX:
        raise Invalid("too_deep")
    if not isinstance(fields, dict):
        raise Invalid("not_an_object")
    return _with_text(fields)


def _with_text(value):
    """Open: a msgpack bin of UTF-8 counts as a string: older packers know no other."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except ValueError:
            return value
    if isinstance(value, list):
        return [_with_text(element) for element in value]
    if isinstance(value, dict):
        return {_with_text(name): _with_text(element) for name, element in value.items()}
    return value


def _depth(value):
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        value, level = open_values.pop()
        if isinstance(value, dict):
            elements = value.values()
        elif isinstance(value, list):
            elements = value
        else:
            continue
        deepest = max(deepest, level)
        open_values.extend((element, level + 1) for element in elements)
    return deepest


def _is_number(value):
    return (isinstance(value, int) and not isinstance(value, bool)) \
        or (isinstance(value, float) and math.isfinite(value))


def _id(fields, name):
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and -2**63 <= value < 2**64:
        value = str(value)
    if not isinstance(value, str):
        raise Invalid(name)
    value = value.strip(ASCII_SPACE)
    if not 1 <= len(value.encode()) <= ID_BYTES_MAX or "\0" in value:
        raise Invalid(name)
    return value


def _action(fields):
    # Open: an action_type that is there but wrong does not make way for the alias.
    value = fields.get("action_type")
    if value is None:
        value = fields.get("action")
    if not isinstance(value, str):
        raise Invalid("action_type")
    value = "".join(chr(ord(character) + 32) if "A" <= character <= "Z" else character
                    for character in value.strip(ASCII_SPACE))
    if not 1 <= len(value.encode()) <= ACTION_BYTES_MAX or "\0" in value:
        raise Invalid("action_type")
    return value


def _time(fields, record_time_ms):
    value = fields.get("timestamp")
    if value is None:
        if record_time_ms is None or record_time_ms < 0:
            raise Invalid("timestamp")
        return record_time_ms
    if isinstance(value, str):
        return _iso_time(value)
    # Open: 1600000000000.0 is written as a fraction of nothing; it is taken.
    if not _is_number(value) or value < 0 or value != int(value):
        raise Invalid("timestamp")
    value = int(value)
    return value * 1000 if value < SECONDS_BELOW else value


def _iso_time(text):
    match = _ISO_TIME.fullmatch(text)
    if not match:
        raise Invalid("timestamp")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
            and hour <= 23 and minute <= 59 and second <= 59):
        raise Invalid("timestamp")
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    zone = match.group(8)
    if zone and zone != "Z":
        zone_hours, zone_minutes = int(zone[1:3]), int(zone[4:6])
        if zone_hours > 23 or zone_minutes > 59:
            raise Invalid("timestamp")
        away = (zone_hours * 60 + zone_minutes) * 60
        seconds -= away if zone[0] == "+" else -away
    # Open: digits after the ms are cut.
    time_ms = seconds * 1000 + int(((match.group(7) or "") + "000")[:3])
    if time_ms < 0:
        raise Invalid("timestamp")
    return time_ms


def _label(value):
    return isinstance(value, str) and 1 <= len(value.encode()) <= LABEL_BYTES_MAX


def _first_valid(fields, places, is_valid, wrong):
    """The first valid value among places; those that are there and not valid are counted."""
    for place in places:
        value = fields
        for step in place:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            continue
        if is_valid(value):
            return value
        wrong[0] += 1
    return None


def _category(fields, wrong):
    return _first_valid(fields, (("context", "category"), ("category",)), _label, wrong)


def _tags(fields, wrong):
    # Open: an element that is no tag is left out, and the others hold; the 64 are distinct ones.
    found = _first_valid(fields, (("context", "tags"), ("tags",)),
                         lambda value: isinstance(value, list), wrong)
    tags = []
    for tag in found or ():
        if not _label(tag):
            wrong[0] += 1
        elif tag not in tags and len(tags) < TAGS_MAX:
            tags.append(tag)
    return tuple(tags)


def _milliseconds(seconds):
    return None if seconds is None else math.floor(seconds * 1000 + 0.5)


def _durations(fields, wrong):
    watched_ms = _milliseconds(_first_valid(
        fields, _WATCHED_PLACES,
        lambda value: _is_number(value) and 0 <= value <= WATCHED_SECONDS_MAX, wrong))
    content_ms = _milliseconds(_first_valid(
        fields, _CONTENT_PLACES,
        lambda value: _is_number(value) and 0 < value <= WATCHED_SECONDS_MAX, wrong))
    rate = _first_valid(fields, (("completion_rate",),),
                        lambda value: _is_number(value) and 0 <= value <= 1, wrong)
    if rate is None and watched_ms is not None and content_ms:
        rate = watched_ms / content_ms
    return {"watched_ms": watched_ms, "rate": rate}


# --- Scenario documents -------------------------------------------------------------------------

_UNIT_MS = {"second": 1000, "minute": 60000, "hour": 3600000, "day": 86400000}
_HOT_WEIGHTS = {"impression": 0.5, "view": 1, "click": 2, "like": 3, "favorite": 4, "comment": 5,
                "share": 6, "purchase": 10}
_PROFILE_WEIGHTS = {"view": 1, "like": 3, "favorite": 5, "purchase": 10}


class HotScore(NamedTuple):
    enabled: bool
    weights: dict
    default_weight: float
    decay_lambda: float
    unit_ms: int
    size_ms: int
    slide_ms: int
    top_k: int
    ttl_seconds: int
    item_stats: bool


class UserProfile(NamedTuple):
    enabled: bool
    weights: dict
    default_weight: float
    update_ms: int
    decay_ms: float
    top_categories: int
    top_tags: int
    recent_items: int
    ttl_seconds: int


class Metrics(NamedTuple):
    enabled: bool
    size_ms: int
    slide_ms: int
    wanted: tuple
    ctr_denominator: str
    definitions: dict       # name -> (numerator actions, denominator actions)
    history_windows: int
    ttl_seconds: int


class Scenario(NamedTuple):
    tenant: str
    scenario: str
    active: bool
    hot: HotScore
    profile: UserProfile
    metrics: Metrics

    def action(self, name):
        """The name under which an action counts: known, named by this scenario, or `other`."""
        if name in KNOWN_ACTIONS or name in self.named_actions():
            return name
        return "other"

    def named_actions(self):
        names = set(self.hot.weights) | set(self.profile.weights) | {self.metrics.ctr_denominator}
        for numerator, denominator in self.metrics.definitions.values():
            names.update(numerator, denominator)
        return names


def _span_ms(block, name, default_minutes):
    if f"{name}_seconds" in block:
        return round(block[f"{name}_seconds"] * 1000)
    if f"{name}_minutes" in block:
        return round(block[f"{name}_minutes"] * 60000)
    return round(default_minutes * 60000)


def _folded(weights):
    return {name.lower(): float(weight) for name, weight in weights.items()}


def parse_scenario(document):
    """A Scenario from a valid document, with the defaults; the oracle does not judge documents."""
    config = (document.get("config") or {}).get("realtime_compute") or {}
    hot = config.get("hot_score") or {}
    profile = config.get("user_profile") or {}
    metrics = config.get("metrics") or {}
    metrics_size_ms = _span_ms(metrics, "window_size", 30)
    return Scenario(
        tenant=str(document["tenant_id"]),
        scenario=str(document["scenario_id"]),
        active=document.get("status") == "active",
        hot=HotScore(
            enabled=hot.get("enabled", True),
            weights=_folded(hot.get("action_weights", _HOT_WEIGHTS)),
            default_weight=hot.get("default_weight", 0),
            decay_lambda=hot.get("decay_lambda", 0.1),
            unit_ms=_UNIT_MS[hot.get("decay_unit", "hour")],
            size_ms=_span_ms(hot, "window_size", 60),
            slide_ms=_span_ms(hot, "window_slide", 15),
            top_k=hot.get("top_k", 1000),
            ttl_seconds=hot.get("ttl_seconds", 7200),
            item_stats=hot.get("item_stats", False)),
        profile=UserProfile(
            enabled=profile.get("enabled", True),
            weights=_folded(profile.get("behavior_weights", _PROFILE_WEIGHTS)),
            default_weight=profile.get("default_weight", 0),
            update_ms=_span_ms(profile, "update_frequency", 5),
            decay_ms=profile.get("interest_decay_days", 30) * 86400000,
            top_categories=profile.get("top_categories", 5),
            top_tags=profile.get("top_tags", 10),
            recent_items=profile.get("recent_items", 20),
            ttl_seconds=profile.get("ttl_seconds", 3600)),
        metrics=Metrics(
            enabled=metrics.get("enabled", True),
            size_ms=metrics_size_ms,
            slide_ms=_span_ms(metrics, "window_slide", metrics_size_ms / 60000),
            wanted=tuple(metrics.get("metrics_to_calculate", ("ctr", "cvr", "watch_time"))),
            ctr_denominator=metrics.get("ctr_denominator", "impression").lower(),
            definitions={name: (tuple(action.lower() for action in definition["numerator"]),
                                tuple(action.lower() for action in definition["denominator"]))
                         for name, definition in metrics.get("definitions", {}).items()},
            history_windows=metrics.get("history_windows", 48),
            ttl_seconds=metrics.get("ttl_seconds", 86400)))


DEFAULT_DOCUMENT = {"status": "active", "config": {"realtime_compute": {}}}
