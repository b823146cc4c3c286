"""Hot scores and metrics: aggregates of windows, and what their ends write."""

import heapq
import math
from collections import Counter

from pyflink.datastream import AggregateFunction, ProcessWindowFunction
from results import Writer

END_OF_INPUT = (1 << 63) - 1


class HotScore(AggregateFunction):
    """Of one item in one window: (sum decayed to a time, that time, decay a ms). The time is the
    end of the slide that holds the newest event so far: one exp () an event, one more a slide."""

    def __init__(self, scenarios, slide_ms):
        self.scenarios = scenarios
        self.slide_ms = slide_ms

    def create_accumulator(self):
        return 0.0, 0, 0.0

    def add(self, event, accumulator):
        total, at_ms, _ = accumulator
        scenario = self.scenarios[event[0]]
        end_ms = event[4] // self.slide_ms * self.slide_ms + self.slide_ms
        decay = scenario.decay_per_ms
        if end_ms > at_ms:
            total *= math.exp(-decay * (end_ms - at_ms)) if at_ms else 0.0
            at_ms = end_ms
        weight = scenario.hot_weights.get(event[3], 0)
        return total + weight * math.exp(-decay * (at_ms - event[4])), at_ms, decay

    def get_result(self, accumulator):
        return accumulator

    def merge(self, one, other):
        raise NotImplementedError("sliding windows do not merge")


class ToItemScore(ProcessWindowFunction):
    """(scenario, item, score at the window's end, end of the slide of its newest event)"""

    def process(self, key, context, elements):
        scenario, _, item = key.partition("|")
        total, at_ms, decay = next(iter(elements))
        end_ms = context.window().end
        yield scenario, item, total * math.exp(-decay * (end_ms - at_ms)), at_ms


class RankWindow(ProcessWindowFunction):
    """The ranking of the window that ends where this one, of a slide's length, ends."""

    def __init__(self, scenarios, url, slide_ms):
        self.scenarios = scenarios
        self.url = url
        self.slide_ms = slide_ms
        self.writer = None

    def open(self, runtime_context):
        self.writer = Writer(self.url)

    def close(self):
        self.writer.close()

    def process(self, key, context, elements):
        end_ms = context.window().end
        found = list(elements)
        # At the end of input Flink lets all open windows end; those without an event in their
        # last slide are of the time after it.
        if context.current_watermark() == END_OF_INPUT and max(at for *_, at in found) < end_ms:
            return
        scenario = self.scenarios[key]
        best = heapq.nsmallest(scenario.top_k, ((-score, item) for _, item, score, _ in found
                                                if score > 0))
        self.writer.ranking(scenario, end_ms, 4 * self.slide_ms,
                            [(item, -score) for score, item in best])
        yield from ()


class MetricsSum(AggregateFunction):
    """Counts, watched ms, events with it, with a rate, complete ones, users, items."""

    def create_accumulator(self):
        return Counter(), [0, 0, 0, 0], set(), set()

    def add(self, event, accumulator):
        counts, sums, users, items = accumulator
        counts[event[3]] += 1
        if event[7] is not None:
            sums[0] += event[7]
            sums[1] += 1
        if event[8] is not None:
            sums[2] += 1
            sums[3] += event[8] > 0.8
        users.add(event[1])
        items.add(event[2])
        return accumulator

    def get_result(self, accumulator):
        return accumulator

    def merge(self, one, other):
        raise NotImplementedError("tumbling windows do not merge")


class ToMetrics(ProcessWindowFunction):
    """The fields of a window, written."""

    def __init__(self, scenarios, url):
        self.scenarios = scenarios
        self.url = url
        self.writer = None

    def open(self, runtime_context):
        self.writer = Writer(self.url)

    def close(self):
        self.writer.close()

    def process(self, key, context, elements):
        scenario = self.scenarios[key]
        window = context.window()
        self.writer.metrics(scenario, window.start, window.end,
                            metrics_fields(scenario, *next(iter(elements))))
        yield from ()


def metrics_fields(scenario, counts, sums, users, items):
    fields = {"total_actions": sum(counts.values())}

    def ratio(name, numerator, denominator):
        if denominator:
            fields[name] = numerator / denominator

    for name in scenario.wanted:
        if name in scenario.definitions:
            parts = scenario.definitions[name]
            ratio(name, sum(counts[action] for action in parts["numerator"]),
                  sum(counts[action] for action in parts["denominator"]))
        elif name == "ctr":
            ratio(name, counts["click"], counts["impression"])
        elif name == "cvr":
            ratio(name, counts["purchase"], counts["click"])
        elif name == "watch_time":
            fields["watch_time_seconds"] = sums[0] / 1000
            ratio("avg_watch_time_seconds", sums[0] / 1000, sums[1])
        elif name == "completion_rate":
            ratio(name, sums[3], sums[2])
        elif name == "engagement_rate":
            ratio(name, counts["like"] + counts["share"] + counts["comment"], counts["view"])
        elif name == "active_users":
            fields[name] = len(users)
        elif name == "exposed_items":
            fields[name] = len(items)
        elif name == "action_counts":
            fields.update((f"{action}_count", count) for action, count in counts.items())
    return fields
