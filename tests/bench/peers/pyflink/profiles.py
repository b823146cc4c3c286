"""User profiles: state of one user, written every five minutes of event time if it changed."""

import json
import math
import time
import zlib
from datetime import datetime, timezone

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor
from results import Writer
from scenarios import (DECAY_DAYS, PROFILE_WEIGHTS, RECENT_ITEMS, TOP_CATEGORIES, TOP_TAGS,
                       UPDATE_MS)

DECAY_MS = DECAY_DAYS * 86_400_000
CLOCK_SECONDS = 1.0
END_OF_INPUT = (1 << 63) - 1


class ProfileUpdate(KeyedProcessFunction):
    def __init__(self, scenarios, url):
        self.scenarios = scenarios
        self.url = url
        self.state = None
        self.writer = None

    def open(self, runtime_context):
        self.state = runtime_context.get_state(
            ValueStateDescriptor("profile", Types.PICKLED_BYTE_ARRAY()))
        self.writer = Writer(self.url)

    def close(self):
        self.writer.close()

    def process_element(self, event, context):
        profile = self.state.value() or new_profile(event[4])
        add_event(profile, event)
        if not profile["changed"]:
            profile["changed"] = True
            after = max(event[4], context.timer_service().current_watermark())
            place = zlib.crc32(event[1].encode()) % UPDATE_MS
            context.timer_service().register_event_time_timer(
                (after - place) // UPDATE_MS * UPDATE_MS + place + UPDATE_MS)
        self.state.update(profile)
        yield from ()

    def on_timer(self, timestamp, context):
        profile = self.state.value()
        ended = context.timer_service().current_watermark() == END_OF_INPUT
        if not ended and time.time() - profile["written"] < CLOCK_SECONDS:
            context.timer_service().register_event_time_timer(timestamp + UPDATE_MS)
            return
        name, _, user = context.get_current_key().partition("|")
        scenario = self.scenarios[name]
        self.writer.profile(scenario, user, profile_json(scenario, user, profile))
        profile.update(changed=False, written=time.time())
        self.state.update(profile)
        yield from ()


def new_profile(time_ms):
    return {"counts": {}, "hours": {}, "categories": {}, "tags": {}, "items": {}, "first": time_ms,
            "newest": time_ms, "base": time_ms, "changed": False, "written": 0.0}


def add_event(profile, event):
    _, _, item, action, time_ms, category, tags, _, _ = event
    counts, hours, items = profile["counts"], profile["hours"], profile["items"]
    counts[action] = counts.get(action, 0) + 1
    hour = time_ms // 3_600_000 % 24
    hours[hour] = hours.get(hour, 0) + 1
    profile["first"] = min(profile["first"], time_ms)
    profile["newest"] = max(profile["newest"], time_ms)
    weight = PROFILE_WEIGHTS.get(action, 0)
    if weight:
        term = weight * math.exp((time_ms - profile["base"]) / DECAY_MS)
        if category:
            profile["categories"][category] = profile["categories"].get(category, 0) + term
        for tag in dict.fromkeys(tags):
            profile["tags"][tag] = profile["tags"].get(tag, 0) + term
    if action != "impression":
        items[item] = max(time_ms, items.get(item, 0))
        if len(items) > RECENT_ITEMS:
            del items[min(items, key=lambda name: (items[name], name))]


def profile_json(scenario, user, profile):
    counts = profile["counts"]
    views = counts.get("view", 0)
    left = math.exp(-(profile["newest"] - profile["base"]) / DECAY_MS)

    def best(interests, top):
        scores = sorted((-total * left, name) for name, total in interests.items())[:top]
        return [{"name": name, "score": -score} for score, name in scores]

    items = profile["items"]
    return json.dumps({
        "tenant_id": scenario.tenant, "user_id": user, "scenario_id": scenario.scenario,
        "stats": {**{f"{action}_count": count for action, count in counts.items()},
                  "engagement_rate": counts.get("click", 0) / views if views else 0},
        "preferences": {"categories": best(profile["categories"], TOP_CATEGORIES),
                        "tags": best(profile["tags"], TOP_TAGS)},
        "active_hours": {str(hour): count for hour, count in profile["hours"].items()},
        "recent_items": sorted(items, key=lambda name: (items[name], name)),
        "first_seen": iso_ms(profile["first"]), "updated_at": iso_ms(profile["newest"])})


def iso_ms(time_ms):
    moment = datetime.fromtimestamp(time_ms // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
