"""What the jobs' constants are: of the documents only what the benchmark's scenarios change."""

import json
from pathlib import Path

HOT_WEIGHTS = {"impression": .5, "view": 1, "click": 2, "like": 3, "favorite": 4, "comment": 5,
               "share": 6, "purchase": 10}
PROFILE_WEIGHTS = {"view": 1, "like": 3, "favorite": 5, "purchase": 10}
DECAY_DAYS = 30
TOP_CATEGORIES, TOP_TAGS, RECENT_ITEMS = 5, 10, 20
UPDATE_MS = 5 * 60_000
HOT_TTL, PROFILE_TTL, METRICS_TTL, HISTORY_WINDOWS = 7200, 3600, 86400, 48


class Scenario:
    """Plain values: it travels to the workers as a pickle."""

    def __init__(self, document):
        config = document["config"]["realtime_compute"]
        hot, metrics = config.get("hot_score", {}), config.get("metrics", {})
        self.tenant, self.scenario = document["tenant_id"], document["scenario_id"]
        self.hot_weights = hot.get("action_weights", HOT_WEIGHTS)
        self.decay_per_ms = hot.get("decay_lambda", .1) / 3_600_000
        self.top_k = hot.get("top_k", 1000)
        self.wanted = metrics.get("metrics_to_calculate", ["ctr", "cvr", "watch_time"])
        self.definitions = metrics.get("definitions", {})
        if (hot.get("window_size_minutes", 60), hot.get("window_slide_minutes", 15),
                metrics.get("window_size_minutes", 30)) != (60, 15, 30) or "user_profile" in config:
            raise ValueError(f"{self.scenario}: this job's windows and profiles are constants")


def read_scenarios(folder):
    """{"tenant/scenario": Scenario}"""
    found = [Scenario(json.loads(path.read_text())) for path in sorted(Path(folder).glob("*.json"))]
    return {f"{scenario.tenant}/{scenario.scenario}": scenario for scenario in found}
