"""The oracle: what Redis must hold after `--once`, computed naively from the raw events.

It keeps every event and applies the design's formulas as they are written: exp (-lambda * (T - t))
for each event, a set for each distinct count. It has no slices, shards, state or processes, so it
cannot share a mistake with them. Reading of messages and documents is in oracle_input, comparing
with a Redis in redis_check.

What it takes as given: a fresh state folder, one revision of each scenario, and the end-of-input
rule of `--once` (windows up to the first T above the greatest event time, each event counted in
the windows T > wm (o) of its own partition). What the design leaves open is decided in comments
that begin with "Open:".
"""

import math
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from support.oracle_input import DEFAULT_DOCUMENT, Event, Invalid, Record  # noqa: F401
from support.oracle_input import parse_event, parse_scenario, records_of_file  # noqa: F401

CATEGORIES_KEPT = 64
TAGS_KEPT = 256
COMPLETE_ABOVE = 0.8
PROFILE_PERIODS = 3
NEVER = -math.inf


class Counted(NamedTuple):
    """A valid event with the watermark that its own partition had before it."""
    event: Event
    watermark_ms: float
    partition: str
    offset: int


class DeadLetter(NamedTuple):
    partition: str
    offset: int
    reason: str
    value: Optional[bytes]


class Score(NamedTuple):
    value: float
    magnitude: float        # the same sum over |w|: what the precision is a part of
    signature: tuple        # equal signatures must give equal scores, to the bit


@dataclass
class ItemStats:
    counts: Counter = field(default_factory=Counter)
    users: set = field(default_factory=set)
    watched_ms: list = field(default_factory=list)


@dataclass
class Ranking:
    window_start: int
    window_end: int
    top_k: int
    scores: dict            # item -> Score, of every item with an event in the window
    stats: Optional[dict]   # item -> ItemStats, None without item_stats
    seen_items: set         # of all windows: an item that left may still have its stats key
    ttl_seconds_max: float


class MetricsWindow(NamedTuple):
    window_start: int
    window_end: int
    exact: dict             # field -> number that must agree exactly (to a double's precision)
    distinct: dict          # field -> number of distinct things


@dataclass
class MetricsHistory:
    windows: list           # MetricsWindow, oldest first; the last is the hash's
    ttl_seconds_max: float


@dataclass
class Profile:
    counts: Counter
    engagement_rate: float
    categories: dict        # name -> Score
    tags: dict
    top_categories: int
    top_tags: int
    hours: Counter
    recent_items: list
    first_seen: int
    updated_at: int
    ttl_seconds_max: float

    @property
    def beyond_caps(self):
        """More interests than are kept: then the order of events may matter."""
        return len(self.categories) > CATEGORIES_KEPT or len(self.tags) > TAGS_KEPT


@dataclass
class Expected:
    rankings: dict          # (tenant, scenario) -> Ranking
    metrics: dict           # (tenant, scenario) -> MetricsHistory
    profiles: dict          # (tenant, scenario, user) -> Profile
    dead: list
    counts: dict            # in, applied, late, dead, skipped: {reason: n}, wrong_types,
                            # out_of_order (valid events behind their partition's greatest time)
    late_by_scenario: Counter
    greatest_time_ms: float


def read(partitions, *, out_of_orderness_ms=5000, future_ms=300000, now_ms=None):
    """([Counted], [DeadLetter]) of the partitions: for several calls of compute () over the same."""
    now_ms = time.time() * 1000 if now_ms is None else now_ms
    return _read_all(partitions, out_of_orderness_ms, future_ms, now_ms)


def compute(partitions, documents, *, out_of_orderness_ms=5000, future_ms=300000, now_ms=None,
            unknown_scenario="drop", tenant=None, scenario=None, reading=None, complete_ms=None):
    """What must come out of `partitions` ({name: [Record]}) under the scenario `documents`.

    now_ms is the clock that judges events of files (default: now); unknown_scenario is "drop" or
    "defaults"; tenant and scenario are those of the dedicated mode. `reading` is what read () gave
    for the partitions. With complete_ms it is what a live run has in Redis at that watermark:
    windows that end by then (and all profiles: those that are due come later than their events).
    """
    scenarios = {}
    for document in documents:
        parsed = parse_scenario(document)
        scenarios[parsed.tenant, parsed.scenario] = parsed

    valid, dead = reading or read(partitions, out_of_orderness_ms=out_of_orderness_ms,
                                  future_ms=future_ms, now_ms=now_ms)
    greatest = max((counted.event.time_ms for counted in valid), default=NEVER)
    by_scenario, skipped = _sort_out(valid, scenarios, unknown_scenario, tenant, scenario)

    expected = Expected({}, {}, {}, dead, {}, Counter(), greatest)
    late = 0
    for name, events in by_scenario.items():
        of = scenarios[name]
        late_here = sum(_is_late(counted, of) for counted in events)
        expected.late_by_scenario[name] = late_here
        late += late_here
        if of.hot.enabled:
            expected.rankings[name] = _ranking(
                events, of, _newest_time(greatest, complete_ms, of.hot.slide_ms))
        if of.metrics.enabled:
            history = _metrics_history(
                events, of, _newest_time(greatest, complete_ms, of.metrics.slide_ms))
            if history.windows:
                expected.metrics[name] = history
        if of.profile.enabled:
            for user, profile in _profiles(events, of).items():
                expected.profiles[(*name, user)] = profile

    total = len(valid) + len(dead)
    expected.counts = {
        "in": total, "late": late, "dead": len(dead), "skipped": dict(skipped),
        "applied": total - late - len(dead) - sum(skipped.values()),
        "wrong_types": sum(counted.event.wrong_types for counted in valid),
        "out_of_order": sum(counted.event.time_ms < counted.watermark_ms + out_of_orderness_ms
                            for counted in valid),
    }
    return expected


def events_of(partitions, documents, *, reading=None):
    """({(tenant, scenario): [Counted]}, {(tenant, scenario): Scenario}) for ranking_at () and
    metrics_at ()."""
    scenarios = {}
    for document in documents:
        parsed = parse_scenario(document)
        scenarios[parsed.tenant, parsed.scenario] = parsed
    valid, _ = reading or read(partitions)
    return _sort_out(valid, scenarios, "drop", None, None)[0], scenarios


def ranking_at(events, scenario, end_ms):
    """The Ranking of the window that ends at end_ms, a multiple of the scenario's slide."""
    near = [counted for counted in events
            if end_ms - scenario.hot.size_ms <= counted.event.time_ms < end_ms]
    return _ranking(near, scenario, end_ms - 1)


def metrics_at(events, scenario, end_ms):
    """The MetricsWindow that ends at end_ms, a multiple of the scenario's slide."""
    metrics = scenario.metrics
    inside = [counted.event for counted in events
              if end_ms - metrics.size_ms <= counted.event.time_ms < end_ms
              and end_ms in windows_of(counted, metrics.size_ms, metrics.slide_ms)]
    return _metrics_window(inside, scenario, end_ms)


def _newest_time(greatest, complete_ms, slide_ms):
    """The time below the end of the newest window: at the end of input, or live at a watermark."""
    return greatest if complete_ms is None else complete_ms // slide_ms * slide_ms - 1


def _read_all(partitions, out_of_orderness_ms, future_ms, now_ms):
    valid, dead = [], []
    for name, records in partitions.items():
        greatest = NEVER
        for record in records:
            try:
                event = parse_event(record.value, record.time_ms)
                clock_ms = now_ms if record.time_ms is None else record.time_ms
                if event.time_ms > clock_ms + future_ms:
                    raise Invalid("future")
            except Invalid as error:
                dead.append(DeadLetter(name, record.offset, error.reason, record.value))
                continue
            valid.append(Counted(event, greatest - out_of_orderness_ms, name, record.offset))
            greatest = max(greatest, event.time_ms)
    return valid, dead


def _sort_out(valid, scenarios, unknown_scenario, tenant, scenario):
    by_scenario, skipped = defaultdict(list), Counter()
    for counted in valid:
        name = counted.event.tenant, counted.event.scenario
        if (tenant is not None and name[0] != tenant) or \
                (scenario is not None and name[1] != scenario):
            skipped["other"] += 1
            continue
        if name not in scenarios and unknown_scenario == "defaults":
            scenarios[name] = parse_scenario({**DEFAULT_DOCUMENT, "tenant_id": name[0],
                                              "scenario_id": name[1]})
        if name not in scenarios:
            skipped["unknown"] += 1
        elif not scenarios[name].active:
            skipped["inactive"] += 1
        else:
            by_scenario[name].append(counted)
    return by_scenario, skipped


# --- Windows ------------------------------------------------------------------------------------

def _first_window_above(time_ms, slide_ms):
    """The least multiple of the slide above time_ms."""
    return math.floor(time_ms / slide_ms) * slide_ms + slide_ms


def windows_of(counted, size_ms, slide_ms):
    """The window ends T in which the event counts: T - size <= t < T and T > wm (o), ascending."""
    time_ms = counted.event.time_ms
    first = _first_window_above(time_ms, slide_ms)
    return [end for end in range(first, first + size_ms, slide_ms)
            if end - size_ms <= time_ms < end and end > counted.watermark_ms]


def _is_late(counted, scenario):
    # Open: a scenario without an enabled windowed stage has no windows to miss: nothing is late.
    stages = [stage for stage in (scenario.hot, scenario.metrics) if stage.enabled]
    return bool(stages) and not any(windows_of(counted, stage.size_ms, stage.slide_ms)
                                    for stage in stages)


def _ttl_max(ttl_seconds, slide_ms):
    return max(ttl_seconds, 2 * slide_ms / 1000 + 600)


# --- Hot score ----------------------------------------------------------------------------------

def _ranking(events, scenario, greatest):
    hot = scenario.hot
    end = _first_window_above(greatest, hot.slide_ms)
    by_item = defaultdict(list)
    for counted in events:
        if end in windows_of(counted, hot.size_ms, hot.slide_ms):
            by_item[counted.event.item].append(counted.event)
    scores = {item: _hot_score(of_item, scenario, end) for item, of_item in by_item.items()}
    stats = None
    if hot.item_stats:
        stats = {item: _item_stats(of_item, scenario) for item, of_item in by_item.items()}
    return Ranking(end - hot.size_ms, end, hot.top_k, scores, stats,
                   {counted.event.item for counted in events},
                   _ttl_max(hot.ttl_seconds, hot.slide_ms))


def _hot_score(events, scenario, end):
    hot = scenario.hot
    terms, signature = [], []
    for event in events:
        action = scenario.action(event.action)
        weight = hot.weights.get(action, hot.default_weight)
        terms.append(weight * math.exp(-hot.decay_lambda * ((end - event.time_ms) / hot.unit_ms)))
        signature.append((action, event.time_ms))
    return Score(math.fsum(terms), math.fsum(map(abs, terms)), tuple(sorted(signature)))


def _item_stats(events, scenario):
    stats = ItemStats()
    for event in events:
        stats.counts[scenario.action(event.action)] += 1
        stats.users.add(event.user)
        if event.watched_ms is not None:
            stats.watched_ms.append(event.watched_ms)
    return stats


# --- Metrics ------------------------------------------------------------------------------------

def _metrics_history(events, scenario, greatest):
    metrics = scenario.metrics
    by_window = defaultdict(list)
    for counted in events:
        for end in windows_of(counted, metrics.size_ms, metrics.slide_ms):
            by_window[end].append(counted.event)
    last = _first_window_above(greatest, metrics.slide_ms)
    # A window above the last is not computed yet: it ends after the end of input.
    ends = sorted(end for end in by_window if end <= last)
    kept = []
    if ends:
        newest_filled = None
        reach = (metrics.history_windows - 1) * metrics.slide_ms
        for end in range(ends[0], last + 1, metrics.slide_ms):
            if end in by_window:
                newest_filled = end
            if end - newest_filled <= reach:
                kept.append(end)
    # Open: after a silence longer than the history the newest are kept by number, not by time.
    kept = kept[-metrics.history_windows:]
    return MetricsHistory([_metrics_window(by_window.get(end, []), scenario, end) for end in kept],
                          _ttl_max(metrics.ttl_seconds, metrics.slide_ms))


def _metrics_window(events, scenario, end):
    metrics = scenario.metrics
    counts = Counter(scenario.action(event.action) for event in events)
    watched = [event.watched_ms for event in events if event.watched_ms is not None]
    rates = [event.rate for event in events if event.rate is not None]
    exact, distinct = {"total_actions": len(events)}, {}

    def ratio(name, numerator, denominator):
        if denominator:
            exact[name] = numerator / denominator

    for wanted in metrics.wanted:
        if wanted in metrics.definitions:
            numerator, denominator = metrics.definitions[wanted]
            ratio(wanted, sum(counts[action] for action in numerator),
                  sum(counts[action] for action in denominator))
        elif wanted == "ctr":
            ratio("ctr", counts["click"], counts[metrics.ctr_denominator])
        elif wanted == "cvr":
            ratio("cvr", counts["purchase"], counts["click"])
        elif wanted == "watch_time":
            exact["watch_time_seconds"] = sum(watched) / 1000
            ratio("avg_watch_time_seconds", sum(watched) / 1000, len(watched))
        elif wanted == "completion_rate":
            ratio("completion_rate", sum(rate > COMPLETE_ABOVE for rate in rates), len(rates))
        elif wanted == "engagement_rate":
            ratio("engagement_rate", counts["like"] + counts["share"] + counts["comment"],
                  counts["view"])
        elif wanted == "active_users":
            distinct["active_users"] = len({event.user for event in events})
        elif wanted == "exposed_items":
            distinct["exposed_items"] = len({event.item for event in events})
        elif wanted == "action_counts":
            exact.update((f"{action}_count", count) for action, count in counts.items())
        else:
            raise ValueError(f"the oracle knows no metric {wanted}")
    return MetricsWindow(end - metrics.size_ms, end, exact, distinct)


# --- Profiles -----------------------------------------------------------------------------------

def _profiles(events, scenario):
    by_user = defaultdict(list)
    for counted in events:
        by_user[counted.event.user].append(counted.event)
    return {user: _profile(_of_one_life(of_user, scenario.profile.decay_ms), scenario)
            for user, of_user in by_user.items()}


def _of_one_life(events, decay_ms):
    """The events of the user's newest profile, taken in the order of arrival."""
    span = PROFILE_PERIODS * decay_ms
    kept, first, newest = [], 0, 0
    for event in events:
        if not kept or event.time_ms - newest >= span:
            kept, first, newest = [], event.time_ms, event.time_ms
        elif first - event.time_ms >= span:
            continue
        kept.append(event)
        first, newest = min(first, event.time_ms), max(newest, event.time_ms)
    return kept


def _profile(events, scenario):
    profile = scenario.profile
    newest = max(event.time_ms for event in events)
    counts, hours = Counter(), Counter()
    categories, tags = defaultdict(list), defaultdict(list)
    item_times = {}
    for event in events:
        action = scenario.action(event.action)
        counts[action] += 1
        hours[event.time_ms // 3600000 % 24] += 1
        term = profile.weights.get(action, profile.default_weight) \
            * math.exp(-(newest - event.time_ms) / profile.decay_ms)
        if event.category is not None:
            categories[event.category].append((term, action, event.time_ms))
        for tag in event.tags:
            tags[tag].append((term, action, event.time_ms))
        if action != "impression":
            item_times[event.item] = max(event.time_ms, item_times.get(event.item, 0))
    recent = sorted((time_ms, item.encode(), item) for item, time_ms in item_times.items())
    return Profile(
        counts=counts,
        engagement_rate=counts["click"] / counts["view"] if counts["view"] else 0.0,
        categories={name: _interest(terms) for name, terms in categories.items()},
        tags={name: _interest(terms) for name, terms in tags.items()},
        top_categories=profile.top_categories, top_tags=profile.top_tags,
        hours=hours,
        recent_items=[item for _, _, item in recent][max(0, len(recent) - profile.recent_items):],
        first_seen=min(event.time_ms for event in events), updated_at=newest,
        ttl_seconds_max=_ttl_max(profile.ttl_seconds, profile.update_ms))


def _interest(terms):
    return Score(math.fsum(term for term, _, _ in terms),
                 math.fsum(abs(term) for term, _, _ in terms),
                 tuple(sorted((action, time_ms) for _, action, time_ms in terms)))
