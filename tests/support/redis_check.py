"""Compares what is in a Redis with what the oracle says, to the precision that the design gives.

    differences = compare(client, expected)
    assert not differences, report(differences)

Also usable by hand, after a `hotpath run --once` on files:

    PYTHONPATH=tests build/venv/bin/python -m support.redis_check \\
        --scenarios-dir DIR --redis redis://127.0.0.1:PORT FILE...
"""

import argparse
import json
import sys
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

SCORE_PRECISION = 1e-6
DISTINCT_PRECISION = 0.03           # HyperLogLog of 2^14 registers: standard error 0.8 %
DISTINCT_EXACT_TO = 256
ITEM_DISTINCT_PRECISION = 0.13      # of 2^10 registers: standard error 3.3 %
ITEM_DISTINCT_EXACT_TO = 64
RATIO_PRECISION = 1e-9
ORDER_PRECISION = 2 * SCORE_PRECISION   # of profiles whose events came in another order
# Fields that say where a result comes from, beside its numbers.
ORIGIN_FIELDS = frozenset(["lineage", "window_start", "window_end", "era", "revision", "shards",
                           "complete", "exact", "changed", "revision_since", "computed_at"])
DIFFERENCES_SHOWN = 40


def encode_id(identifier):
    """An id as it stands in a key: % : { }, ASCII white space and control bytes as %XX."""
    return b"".join(b"%%%02X" % byte if byte <= 0x20 or byte == 0x7f or byte in b"%:{}"
                    else bytes([byte]) for byte in identifier.encode())


def key_of(pattern, *identifiers, prefix=""):
    """key_of ("hot:items:{}:{}", tenant, scenario): the key's bytes."""
    parts = pattern.encode().split(b"{}")
    key = prefix.encode() + parts[0]
    for identifier, part in zip(identifiers, parts[1:], strict=True):
        key += encode_id(identifier) + part
    return key


def report(differences):
    shown = differences[:DIFFERENCES_SHOWN]
    more = len(differences) - len(shown)
    return "\n".join([f"{len(differences)} differences:", *shown,
                      *([f"... and {more} more"] if more else [])])


def compare(client, expected, *, prefix="", shards=16, exact=True, emptied=None):
    """Differences between the Redis of `client` (bytes, not decoded) and the oracle's Expected.

    shards is what meta must count; exact=False lets meta say exact=0. `emptied`: {scenario: end of its
    newest metrics window when Redis lost all it had}; of metrics windows up to there only the newest
    is live, so in the history the others may be absent, or say that they are not complete. An
    Expected without any key is itself a difference, since such a test proves nothing.
    """
    comparison = _Comparison(client, expected, prefix, shards, exact)
    comparison.emptied = emptied or {}
    return comparison.run()


def ranking_differences(key, found, ranking):
    """Differences between {item: score}, read from `key` at once, and the oracle's Ranking."""
    comparison = _Comparison(None, None, "", 0, True)
    comparison.check_members(key, found, ranking)
    comparison.check_scores(key, found, ranking)
    return comparison.differences


def metrics_differences(where, fields, window, shards=16):
    """Differences between {field: value}, read from `where` at once, and the oracle's MetricsWindow."""
    comparison = _Comparison(None, None, "", shards, True)
    comparison.check_window(where, fields, window)
    return comparison.differences


def is_beyond_repair(window, found, emptied):
    """A MetricsWindow that is not in the history ({window end: fields}), or not whole, since Redis was
    emptied when the window that ends at `emptied` was the newest."""
    return window.window_end <= emptied and \
        found.get(window.window_end, {"complete": 0})["complete"] != 1


def shows_nothing(history, emptied):
    """Since Redis was emptied there were empty windows alone, which are written only behind one that is not."""
    return emptied is not None and all(window.exact["total_actions"] == 0
                                       for window in history.windows
                                       if window.window_end >= emptied)


class _Comparison:
    def __init__(self, client, expected, prefix, shards, exact):
        self.client = client
        self.expected = expected
        self.prefix = prefix
        self.shards = shards
        self.exact = exact
        self.emptied = {}
        self.differences = []
        self.known_keys = set()

    def run(self):
        expected = self.expected
        if not (expected.rankings or expected.metrics or expected.profiles):
            self.differ("oracle", "expects no key at all")
        for name, ranking in sorted(expected.rankings.items()):
            self.check_ranking(name, ranking)
        for name, history in sorted(expected.metrics.items()):
            self.check_metrics(name, history)
        self.check_profiles()
        self.check_unexpected()
        return self.differences

    def differ(self, where, what):
        where = where.decode(errors="backslashreplace") if isinstance(where, bytes) else where
        self.differences.append(f"{where}: {what}")

    def key(self, pattern, *identifiers):
        key = key_of(pattern, *identifiers, prefix=self.prefix)
        self.known_keys.add(key)
        return key

    def check_number(self, where, name, found, wanted, tolerance=0.0):
        try:
            number = float(found)
        except (TypeError, ValueError):
            self.differ(where, f"{name} is {found!r}, expected {wanted!r}")
            return
        if not abs(number - wanted) <= tolerance:
            self.differ(where, f"{name} is {number!r}, expected {wanted!r} (+- {tolerance:.3g})")

    def check_distinct(self, where, name, found, wanted, exact_to, precision):
        self.check_number(where, name, found, wanted,
                          0 if wanted <= exact_to else wanted * precision)

    def check_ttl(self, key, seconds_max):
        ttl_ms = self.client.pttl(key)
        if ttl_ms < 0:
            self.differ(key, "has no TTL" if ttl_ms == -1 else "is absent")
        elif ttl_ms > seconds_max * 1000:
            self.differ(key, f"has a TTL of {ttl_ms} ms, more than {seconds_max:g} s")

    def check_unexpected(self):
        """Every key is one that was checked, or hotpath's own marker."""
        own = f"{self.prefix}hotpath:".encode()
        for key in self.client.scan_iter(match=self.prefix.encode() + b"*", count=1000):
            if key not in self.known_keys and not key.startswith(own):
                self.differ(key, "is not expected")

    # --- Rankings ---

    def check_ranking(self, name, ranking):
        key = self.key("hot:items:{}:{}", *name)
        meta_key = self.key("hot:items:{}:{}:meta", *name)
        found = {member.decode(): score
                 for member, score in self.client.zrange(key, 0, -1, withscores=True)}
        wanted = self.check_members(key, found, ranking)
        self.check_scores(key, found, ranking)
        if found:
            self.check_ttl(key, ranking.ttl_seconds_max)
        meta = _decoded(self.client.hgetall(meta_key))
        # Open: whether an empty ranking keeps its meta. Both are taken.
        if meta or wanted:
            self.check_origin(meta_key, meta, ranking)
            self.check_number(meta_key, "items", meta.get("items"), len(found))
            if "computed_at" not in meta:
                self.differ(meta_key, "has no computed_at")
            if self.exact:
                self.check_number(meta_key, "exact", meta.get("exact"), 1)
            self.check_ttl(meta_key, ranking.ttl_seconds_max)
        if ranking.stats is not None:
            self.check_item_stats(name, ranking, found)

    def check_members(self, key, found, ranking):
        """Who is in: the top_k, where scores closer than the precision may change places."""
        scores = {item: score for item, score in ranking.scores.items()
                  if score.value > _tolerance(score)}
        best = sorted(scores, key=lambda item: (-scores[item].value, item.encode()))
        at_least = len(best[:ranking.top_k])
        perhaps = sum(abs(score.value) <= _tolerance(score) and score.magnitude > 0
                      for score in ranking.scores.values())
        if not at_least <= len(found) <= min(ranking.top_k, at_least + perhaps):
            self.differ(key, f"has {len(found)} items, expected {at_least}")
        last = scores[best[at_least - 1]] if at_least == ranking.top_k else None
        for item in found:
            if item not in ranking.scores:
                self.differ(key, f"has {item!r}, which has no event in the window")
            elif last is not None and item in scores and \
                    scores[item].value + _tolerance(scores[item]) < last.value - _tolerance(last):
                self.differ(key, f"has {item!r}, which is not of the best {ranking.top_k}")
        for item in best[:ranking.top_k]:
            score = scores[item]
            clearly_in = last is None or \
                score.value - _tolerance(score) > last.value + _tolerance(last)
            if item not in found and clearly_in:
                self.differ(key, f"lacks {item!r} of score {score.value!r}")
        self.check_equal_scores(key, found, scores)
        return at_least

    def check_equal_scores(self, key, found, scores):
        """Items with the very same events have equal scores to the bit; at the end of the ranking
        the lesser item ids are in."""
        alike = defaultdict(list)
        for item, score in scores.items():
            alike[score.signature].append(item)
        for items in alike.values():
            inside = [item for item in items if item in found]
            outside = [item for item in items if item not in found]
            if len({found[item] for item in inside}) > 1:
                self.differ(key, f"gives {inside} different scores for the same events")
            if inside and outside and max(item.encode() for item in inside) > \
                    min(item.encode() for item in outside):
                self.differ(key, f"has {inside} and not {outside} of equal score")

    def check_scores(self, key, found, ranking):
        for item, number in found.items():
            score = ranking.scores.get(item)
            if number <= 0:
                self.differ(key, f"has {item!r} with score {number!r}, not above 0")
            if score is not None:
                self.check_number(key, repr(item), number, score.value, _tolerance(score))

    def check_item_stats(self, name, ranking, found):
        for item in ranking.seen_items:
            key = self.key("item:stats:{}:{}:{}", *name, item)
            if item not in found or item not in ranking.stats:
                continue
            stats, fields = ranking.stats[item], _decoded(self.client.hgetall(key))
            wanted = {f"{action}_count": count for action, count in stats.counts.items()}
            for field, count in wanted.items():
                self.check_number(key, field, fields.get(field), count)
            for field in fields:
                if field.endswith("_count") and field not in wanted and float(fields[field]) != 0:
                    self.differ(key, f"has {field}, of which there is no event")
            self.check_distinct(key, "unique_users", fields.get("unique_users"), len(stats.users),
                                ITEM_DISTINCT_EXACT_TO, ITEM_DISTINCT_PRECISION)
            if stats.watched_ms:
                average = sum(stats.watched_ms) / len(stats.watched_ms) / 1000
                self.check_number(key, "avg_duration", fields.get("avg_duration"), average,
                                  average * RATIO_PRECISION)
            elif float(fields.get("avg_duration", 0)) != 0:
                # Open: without watched seconds the field is absent or 0.
                self.differ(key, "has an avg_duration without any duration")
            self.check_ttl(key, ranking.ttl_seconds_max)

    def check_origin(self, where, fields, window):
        self.check_number(where, "window_start", fields.get("window_start"), window.window_start)
        self.check_number(where, "window_end", fields.get("window_end"), window.window_end)
        self.check_number(where, "shards", fields.get("shards"), self.shards)
        self.check_number(where, "complete", fields.get("complete"), 1)
        for name in ("lineage", "era", "revision"):
            if not str(fields.get(name, "")):
                self.differ(where, f"has no {name}")

    # --- Metrics ---

    def check_metrics(self, name, history):
        key = self.key("rec:metrics:{}:{}", *name)
        history_key = self.key("rec:metrics:{}:{}:history", *name)
        if shows_nothing(history, self.emptied.get(name)) and not self.client.exists(key):
            return
        self.check_window(key, _decoded(self.client.hgetall(key)), history.windows[-1])
        self.check_ttl(key, history.ttl_seconds_max)
        found = {}
        for member, end in self.client.zrange(history_key, 0, -1, withscores=True):
            if int(end) in found:
                self.differ(history_key, f"has two members of window_end {int(end)}")
            found[int(end)] = json.loads(member)
        for window in history.windows:
            if is_beyond_repair(window, found, self.emptied.get(name, 0)):
                continue
            if window.window_end not in found:
                self.differ(history_key, f"lacks the window that ends at {window.window_end}")
            else:
                self.check_window(f"{history_key.decode()} at {window.window_end}",
                                  found[window.window_end], window)
        for end in found.keys() - {window.window_end for window in history.windows}:
            self.differ(history_key, f"has a window that ends at {end}")
        self.check_ttl(history_key, history.ttl_seconds_max)

    def check_window(self, where, fields, window):
        self.check_origin(where, fields, window)
        for name, wanted in window.exact.items():
            self.check_number(where, name, fields.get(name), wanted, abs(wanted) * RATIO_PRECISION)
        for name, wanted in window.distinct.items():
            self.check_distinct(where, name, fields.get(name), wanted, DISTINCT_EXACT_TO,
                                DISTINCT_PRECISION)
        for name, value in fields.items():
            if name in ORIGIN_FIELDS or name in window.exact or name in window.distinct:
                continue
            # Open: whether the count of an action that did not happen is absent or 0.
            if not (name.endswith("_count") and float(value) == 0):
                self.differ(where, f"has an unexpected field {name}={value!r}")

    # --- Profiles ---

    def check_profiles(self):
        names = sorted(self.expected.profiles)
        keys = [self.key("user:profile:{}:{}:{}", tenant, user, scenario)
                for tenant, scenario, user in names]
        for start in range(0, len(keys), 1000):
            part = keys[start:start + 1000]
            pipe = self.client.pipeline(transaction=False)
            for key in part:
                pipe.get(key)
                pipe.pttl(key)
            answers = pipe.execute()
            for index, key in enumerate(part):
                profile = self.expected.profiles[names[start + index]]
                self.check_profile(key, names[start + index], profile, *answers[2 * index:][:2])

    def check_profile(self, key, name, profile, text, ttl_ms):
        if text is None:
            self.differ(key, "is absent")
            return
        if not 0 < ttl_ms <= profile.ttl_seconds_max * 1000:
            self.differ(key, f"has a TTL of {ttl_ms} ms, expected up to "
                             f"{profile.ttl_seconds_max:g} s")
        found = json.loads(text)
        for field, wanted in zip(("tenant_id", "scenario_id", "user_id"), name, strict=True):
            if found.get(field) != wanted:
                self.differ(key, f"{field} is {found.get(field)!r}, expected {wanted!r}")
        stats = found.get("stats", {})
        wanted_stats = {f"{action}_count": count for action, count in profile.counts.items()}
        wanted_stats["engagement_rate"] = profile.engagement_rate
        for field in stats.keys() | wanted_stats.keys():
            wanted = wanted_stats.get(field, 0)
            self.check_number(key, f"stats.{field}", stats.get(field, 0), wanted,
                              RATIO_PRECISION * wanted)
        hours = {int(hour): count for hour, count in found.get("active_hours", {}).items()}
        for hour in range(24):
            self.check_number(key, f"active_hours[{hour}]", hours.get(hour, 0),
                              profile.hours.get(hour, 0))
        if found.get("recent_items") != profile.recent_items:
            self.differ(key, f"recent_items is {found.get('recent_items')}, expected "
                             f"{profile.recent_items}")
        for field, wanted in (("first_seen", profile.first_seen),
                              ("updated_at", profile.updated_at)):
            if found.get(field) != iso_ms(wanted):
                self.differ(key, f"{field} is {found.get(field)!r}, expected {iso_ms(wanted)!r}")
        if not profile.beyond_caps:
            preferences = found.get("preferences", {})
            self.check_interests(key, "categories", preferences.get("categories"),
                                 profile.categories, profile.top_categories)
            self.check_interests(key, "tags", preferences.get("tags"), profile.tags,
                                 profile.top_tags)

    def check_interests(self, key, what, found, interests, top):
        if not isinstance(found, list):
            self.differ(key, f"{what} is {found!r}, expected a list")
            return
        if len({entry["name"] for entry in found}) != len(found):
            self.differ(key, f"{what} names one twice")
        positive = {name: score for name, score in interests.items()
                    if score.value > _tolerance(score)}
        best = sorted(positive, key=lambda name: (-positive[name].value, name.encode()))[:top]
        unsure = sum(abs(score.value) <= _tolerance(score) and score.magnitude > 0
                     for score in interests.values())
        if not len(best) <= len(found) <= min(top, len(best) + unsure):
            self.differ(key, f"has {len(found)} {what}, expected {len(best)}")
        before = None
        for rank, entry in enumerate(found):
            score = interests.get(entry["name"])
            if score is None or score.value < -_tolerance(score):
                self.differ(key, f"{what} has {entry['name']!r}, in which there is no interest")
                continue
            self.check_number(key, f"{what}[{rank}] {entry['name']!r}", entry["score"],
                              score.value, _tolerance(score))
            # The one that the formula puts at this rank may differ by the precision at most.
            if rank < len(best) and entry["name"] != best[rank]:
                other = positive[best[rank]]
                if abs(other.value - score.value) > _tolerance(other) + _tolerance(score):
                    self.differ(key, f"{what}[{rank}] is {entry['name']!r}, expected "
                                     f"{best[rank]!r}")
            order = (-entry["score"], entry["name"].encode())
            if before is not None and order <= before:
                self.differ(key, f"{what} are not by score, then name, at {entry['name']!r}")
            before = order


def _tolerance(score):
    return SCORE_PRECISION * score.magnitude


def _decoded(fields):
    return {name.decode(): value.decode() for name, value in fields.items()}


def iso_ms(time_ms):
    """ISO 8601 in UTC with milliseconds and Z."""
    moment = datetime.fromtimestamp(time_ms // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def dump(client, *, prefix="", without=("computed_at",)):
    """All keys with their values, to compare two runs bit by bit: fields in `without` are left
    out of hashes and of JSON objects, TTLs and hotpath's own keys altogether."""
    content = {}
    for key in client.scan_iter(match=prefix.encode() + b"*", count=1000):
        if key.startswith(f"{prefix}hotpath:".encode()):
            continue
        kind = client.type(key)
        if kind == b"hash":
            content[key] = {name: value for name, value in _decoded(client.hgetall(key)).items()
                            if name not in without}
        elif kind == b"zset":
            content[key] = [(_without(member, without), score)
                            for member, score in client.zrange(key, 0, -1, withscores=True)]
        elif kind == b"string":
            content[key] = _parsed(client.get(key))
        else:
            content[key] = kind     # None of ours: shows up in the comparison
    return content


def _parsed(text):
    """A string's JSON, so that the order of an object's fields is no difference; else its bytes."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without(member, names):
    if member.startswith(b"{"):
        try:
            fields = json.loads(member)
        except ValueError:
            return member
        if isinstance(fields, dict):
            return json.dumps({name: value for name, value in fields.items()
                               if name not in names}, sort_keys=True)
    return member


# Of two state folders, or of two makings of a config record.
ORIGIN_OF_A_RUN = ("computed_at", "lineage", "era")


def dump_differences(one, other, *, precision=0.0):
    """What differs between two dumps, as lines. The numbers of profiles may differ by `precision`,
    a part of the greater: their sums depend on the order of events, in the last digits."""
    differences = []
    for key in sorted(one.keys() | other.keys()):
        allowed = precision if b"user:profile:" in key else 0.0
        if not _alike(one.get(key), other.get(key), allowed):
            differences.append(f"{key.decode(errors='backslashreplace')}: {one.get(key)!r:.300} "
                               f"and {other.get(key)!r:.300}")
    return differences


def _alike(one, other, precision):
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name], precision)
                                                  for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_alike(*pair, precision)
                                              for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= precision * max(abs(one), abs(other))
    return one == other


def main():
    import redis

    from support.oracle import compute, records_of_file
    parser = argparse.ArgumentParser(description="Compares a Redis with the oracle.")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--scenarios-dir", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--max-out-of-orderness-ms", type=int, default=5000)
    options = parser.parse_args()
    documents = [json.loads(path.read_text())
                 for path in sorted(Path(options.scenarios_dir).glob("*.json"))]
    expected = compute({file: records_of_file(file) for file in options.files}, documents,
                       out_of_orderness_ms=options.max_out_of_orderness_ms)
    differences = compare(redis.Redis.from_url(options.redis), expected, prefix=options.prefix,
                          shards=options.shards)
    print(f"expected: {expected.counts}; {len(expected.rankings)} rankings, "
          f"{sum(len(history.windows) for history in expected.metrics.values())} metrics windows, "
          f"{len(expected.profiles)} profiles")
    print(report(differences) if differences else "no difference")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
