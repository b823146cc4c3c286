"""make demo: the pipeline on a live stream, and what a changed weight does (deploy/demo.sh).

Shows hot items, one profile and the metrics as they are in Redis, a frame a window; then changes
one weight in a scenario's file and measures how long the ranking in Redis takes to follow: from the
return of the file's rename to the first answer of Redis with another ranking, asked over one
connection again and again. Exit 0 only if the order of the ranking changed and all ended well.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import parts
from parts import DemoError
from redis_client import RedisError
from screen import Screen

ROOT = Path(__file__).resolve().parents[2]
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
SCENARIOS = (("acme", "shop"), ("acme", "clips"), ("globex", "news"))
TENANT, SCENARIO = SCENARIOS[0]
USER = "ada"
TOP = 8
ACTION, WEIGHT_BEFORE, WEIGHT_AFTER = "purchase", 10, 40
FIRST_SECONDS_MAX = 20          # until the first ranking
CHANGE_SECONDS_MAX = 5
SLIDE_SECONDS = 3               # as the scenario's file says
POLL_SECONDS = 0.001
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def clock(ms):
    return datetime.fromtimestamp(int(ms) / 1000, timezone.utc).strftime("%H:%M:%S")


class Demo:
    def __init__(self, options, screen, folder, stack):
        self.options = options
        self.screen = screen
        self.folder = folder
        self.stack = stack
        self.scenarios = folder / "scenarios"
        self.began = time.monotonic()

    # --- What is in Redis ---

    def ranking(self, tenant=TENANT, scenario=SCENARIO, count=TOP):
        """[(item, score)], the best first."""
        found = self.redis.pairs("ZREVRANGE", f"hot:items:{tenant}:{scenario}", 0, count - 1,
                                 "WITHSCORES")
        return [(item, float(score)) for item, score in found.items()]

    def meta(self):
        return self.redis.pairs("HGETALL", f"hot:items:{TENANT}:{SCENARIO}:meta")

    def state(self):
        """(meta, ranking) of one and the same result: a result replaces both in one transaction."""
        while True:
            meta = self.meta()
            ranking = self.ranking()
            if self.meta().get("computed_at") == meta.get("computed_at"):
                return meta, ranking

    def wait_for(self, condition, seconds_max, what):
        deadline = time.monotonic() + seconds_max
        while True:
            self.pipeline.check()
            self.stream.check()
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come in {seconds_max:g} s; the pipeline's log:\n"
                                + self.pipeline.tail())
            time.sleep(POLL_SECONDS * 5)

    def wait_for_window(self, after):
        """Waits for a window that ends later than `after` (ms); its (meta, ranking)."""
        self.wait_for(lambda: int(self.meta().get("window_end", 0)) > after,
                      FIRST_SECONDS_MAX, "the next window")
        return self.state()

    # --- How it looks ---

    def moved(self, item, rank, before):
        signs = self.screen.signs
        if item not in before:
            return "new", "up"
        by = before.index(item) - rank
        if by == 0:
            return signs["same"], ""
        return (f"{signs['up']}{by}", "up") if by > 0 else (f"{signs['down']}{-by}", "down")

    def ranking_lines(self, ranking, before):
        best = ranking[0][1] if ranking else 1
        for rank, (item, score) in enumerate(ranking):
            arrow, style = self.moved(item, rank, before)
            bar = self.screen.signs["bar"] * max(1, round(30 * score / best))
            yield f"  {rank + 1:2} {arrow:<4}{item:<20}{score:10.1f}  {bar}", style

    def profile_lines(self):
        key = f"user:profile:{TENANT}:{USER}:{SCENARIO}"
        text = self.redis.ask("GET", key)
        yield f"  GET {key}", "dim"
        if text is None:
            yield "     (not there yet)", ""
            return
        profile = json.loads(text)
        names = ", ".join(f"{entry['name']} {entry['score']:.0f}"
                          for entry in profile["preferences"]["categories"])
        stats = profile["stats"]
        yield (f"     likes {names}; {stats.get('view_count', 0)} views, "
               f"{stats.get('purchase_count', 0)} purchases", "")
        yield f"     last seen: {', '.join(profile['recent_items'])}", ""

    def metrics_lines(self):
        shown = (("total_actions", "{:,.0f} events"), ("active_users", "{:,.0f} users"),
                 ("ctr", "ctr {:.3f}"), ("cvr", "cvr {:.3f}"), ("cart_rate", "cart rate {:.3f}"),
                 ("completion_rate", "completed {:.3f}"))
        for index, (tenant, scenario) in enumerate(SCENARIOS):
            key = f"rec:metrics:{tenant}:{scenario}"
            found = self.redis.pairs("HGETALL", key)
            if index == 0:
                yield f"  HGETALL {key} (and the other two)", "dim"
            words = [form.format(float(found[name])) for name, form in shown if name in found]
            top = ", ".join(item for item, _ in self.ranking(tenant, scenario, 3))
            yield f"     {scenario:<7}{'  '.join(words) or '(not there yet)'}", ""
            if index:
                yield f"            hot now: {top or '(nothing yet)'}", ""

    def frame(self, meta, ranking, before):
        seconds = time.monotonic() - self.began
        self.screen.frame([
            ("", ""),
            (f"[{seconds:4.0f} s]  hot in {TENANT}/{SCENARIO}, window {clock(meta['window_start'])}"
             f" .. {clock(meta['window_end'])} UTC, revision {meta['revision']}", "bold"),
            (f"  ZREVRANGE hot:items:{TENANT}:{SCENARIO} 0 {TOP - 1} WITHSCORES", "dim"),
            *self.ranking_lines(ranking, before),
            *self.profile_lines(),
            *self.metrics_lines()])

    # --- The steps ---

    def start(self):
        shutil.copytree(parts.HERE / "scenarios", self.scenarios)
        events = self.folder / "events.jsonl"
        self.stream = parts.start_stream(self.folder, events, self.options, self.stack)
        port, self.redis = parts.start_redis(self.folder, self.stack)
        backlog = parts.stream_is_ready(self.stream)
        arguments = ["run", "--file", events, "--follow", "--scenarios-dir", self.scenarios,
                     "--redis", f"redis://127.0.0.1:{port}", "--state", self.folder / "state",
                     "--dead-letters", self.folder / "dead-letters.jsonl",
                     "--max-out-of-orderness", "1s"]
        self.screen.say("hotpath run --file events.jsonl --follow --scenarios-dir scenarios \\\n"
                        f"    --redis redis://127.0.0.1:{port} --state state", "bold")
        self.screen.say(f"  {backlog:,} events of the last 75 s are there, "
                        f"{self.options.events_per_second:,} more come each second.")
        self.screen.say("  Every number below is read from that Redis.")
        started = time.monotonic()
        self.pipeline = parts.Part("hotpath", [HOTPATH, *arguments], self.folder)
        self.stack.callback(self.pipeline.stop)
        # The backlog is caught up with when the window is one of now.
        self.wait_for(lambda: int(self.meta().get("window_end", 0)) / 1000
                      > time.time() - 2 * SLIDE_SECONDS, FIRST_SECONDS_MAX, "the first ranking")
        self.screen.say(f"  Caught up {time.monotonic() - started:.1f} s after the start.")
        time.sleep(1)   # profiles and metrics come with their own windows

    def watch(self):
        """Frames for the seconds that were asked for; returns the last window's end."""
        until = time.monotonic() + self.options.seconds
        meta, ranking = self.state()
        before, count = [item for item, _ in ranking], 0
        while time.monotonic() < until:
            # A terminal is redrawn; elsewhere every other window is enough.
            if count % (1 if self.screen.is_terminal else 2) == 0:
                self.frame(meta, ranking, before)
                before = [item for item, _ in ranking]
            count += 1
            meta, ranking = self.wait_for_window(int(meta["window_end"]))
        return int(meta["window_end"])

    def change_weight(self):
        """Writes the scenario's file anew, as an editor that writes beside and renames; the time of
        the rename's return."""
        path = self.scenarios / f"{TENANT}-{SCENARIO}.json"
        text = path.read_text()
        document = json.loads(text)
        weights = document["config"]["realtime_compute"]["hot_score"]["action_weights"]
        if weights[ACTION] != WEIGHT_BEFORE:
            raise DemoError(f"{path.name} has another weight of {ACTION} than {WEIGHT_BEFORE}")
        weights[ACTION] = WEIGHT_AFTER
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(document, indent=2) + "\n")
        beside.rename(path)
        return time.monotonic()

    def show_change(self, window_end):
        # Right after a slide there is time: the same window before and after, so that nothing but
        # the weight differs.
        self.wait_for_window(window_end)
        time.sleep(0.5)
        meta, ranking = self.state()
        self.screen.say()
        self.screen.say(f"Now a weight in scenarios/{TENANT}-{SCENARIO}.json: {ACTION} "
                        f"{WEIGHT_BEFORE} -> {WEIGHT_AFTER}", "bold")
        key = f"hot:items:{TENANT}:{SCENARIO}:meta"
        written = self.change_weight()
        while self.redis.ask("HGET", key, "revision") == meta["revision"]:
            if time.monotonic() - written > CHANGE_SECONDS_MAX:
                raise DemoError(f"no new revision in Redis {CHANGE_SECONDS_MAX} s after the write; "
                                f"the pipeline's log:\n{self.pipeline.tail()}")
            time.sleep(POLL_SECONDS)
        milliseconds = (time.monotonic() - written) * 1000
        new_meta, new_ranking = self.state()
        self.check_change(meta, ranking, new_meta, new_ranking)
        same = new_meta["window_end"] == meta["window_end"]
        self.screen.say(f"The ranking in Redis is another {milliseconds:.0f} ms after the write.",
                        "good")
        self.screen.say(f"  Revision {meta['revision']} -> {new_meta['revision']}; "
                        + ("the same window, the same events, scored anew." if same
                           else "the window has moved on meanwhile."))
        self.compare(ranking, new_ranking)

    def check_change(self, meta, ranking, new_meta, new_ranking):
        if int(new_meta["revision"]) <= int(meta["revision"]):
            raise DemoError(f"the revision went from {meta['revision']} to {new_meta['revision']}")
        if [item for item, _ in ranking] == [item for item, _ in new_ranking]:
            raise DemoError("the weight changed, but the order of the ranking did not")

    def compare(self, ranking, new_ranking):
        before = [item for item, _ in ranking]
        lines = [(f"     {'before':<34}after", "dim")]
        for rank, ((item, score), (new_item, new_score)) in enumerate(zip(ranking, new_ranking)):
            arrow, style = self.moved(new_item, rank, before)
            lines.append((f"  {rank + 1:2} {item:<20}{score:10.1f}    {arrow:<4}{new_item:<20}"
                          f"{new_score:10.1f}", style))
        self.screen.frame(lines)

    def stop(self):
        self.stream.stop()
        code = self.pipeline.stop()
        if code != 0:
            raise DemoError(f"hotpath run ended with {code} on SIGTERM:\n{self.pipeline.tail()}")

    def say_where_next(self):
        self.screen.say()
        self.screen.say("All ended, nothing is left behind. Where to look next:", "bold")
        for text in ("README.md             what hotpath is, and how to run it on your own events",
                     "docs/redis-keys.md    every key and field that you saw",
                     "docs/architecture.md  one event's way through the processes",
                     "deploy/demo/scenarios the three scenarios of this demo",
                     "make test             the numbers proved against an oracle; make bench: the "
                     "cost of an event"):
            self.screen.say(f"  {text}")


def run(options):
    screen = Screen()
    if not HOTPATH.exists():
        raise DemoError(f"{HOTPATH} is absent: run make first")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotpath-demo-")))
        demo = Demo(options, screen, folder, stack)
        demo.start()
        window_end = demo.watch()
        demo.show_change(window_end)
        demo.stop()
    demo.say_where_next()


def end(number, _):
    """Any end must unwind the stack, or processes and files stay; a second signal waits."""
    for each in ENDING_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="deploy/demo.sh",
                                     description="Shows hotpath on a live stream.")
    parser.add_argument("--seconds", type=float, default=25, help="how long to watch (25)")
    parser.add_argument("--events-per-second", type=int, default=3000, help="of the stream (3000)")
    parser.add_argument("--seed", type=int, default=7, help="of the stream (7)")
    options = parser.parse_args()
    for number in ENDING_SIGNALS:
        signal.signal(number, end)
    try:
        run(options)
    except (DemoError, RedisError) as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away; what is left of it must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
