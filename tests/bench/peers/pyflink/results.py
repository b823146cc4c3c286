"""Results into Redis, in the keys of docs/redis-keys.md; ids are written as they are."""

import json
import time

import redis
from scenarios import HISTORY_WINDOWS, HOT_TTL, METRICS_TTL, PROFILE_TTL

PIPELINED_MAX = 500


class Writer:
    """A connection of one function of the job, opened where it runs."""

    def __init__(self, url):
        self.client = redis.Redis.from_url(url)
        self.pipeline = self.client.pipeline(transaction=False)

    def profile(self, scenario, user, text):
        self.pipeline.setex(f"user:profile:{scenario.tenant}:{user}:{scenario.scenario}",
                            PROFILE_TTL, text)
        if len(self.pipeline) >= PIPELINED_MAX:
            self.pipeline.execute()

    def ranking(self, scenario, end_ms, size_ms, scores):
        key = f"hot:items:{scenario.tenant}:{scenario.scenario}"
        with self.client.pipeline(transaction=True) as commands:
            commands.delete(key)
            if scores:
                commands.zadd(key, dict(scores))
                commands.expire(key, HOT_TTL)
            commands.hset(f"{key}:meta", mapping={
                **_origin(end_ms - size_ms, end_ms), "exact": 1, "items": len(scores)})
            commands.expire(f"{key}:meta", HOT_TTL)
            commands.execute()

    def metrics(self, scenario, start_ms, end_ms, fields):
        key = f"rec:metrics:{scenario.tenant}:{scenario.scenario}"
        fields = {**_origin(start_ms, end_ms), **fields}
        with self.client.pipeline(transaction=True) as commands:
            commands.delete(key)
            commands.hset(key, mapping=fields)
            commands.expire(key, METRICS_TTL)
            commands.zremrangebyscore(f"{key}:history", end_ms, end_ms)
            commands.zadd(f"{key}:history", {json.dumps(fields): end_ms})
            commands.zremrangebyrank(f"{key}:history", 0, -1 - HISTORY_WINDOWS)
            commands.expire(f"{key}:history", METRICS_TTL)
            commands.execute()

    def close(self):
        self.pipeline.execute()
        self.client.close()


def _origin(start_ms, end_ms):
    return {"lineage": "peer", "era": 1, "revision": 1, "shards": 1, "complete": 1,
            "window_start": start_ms, "window_end": end_ms, "computed_at": int(time.time() * 1000)}
