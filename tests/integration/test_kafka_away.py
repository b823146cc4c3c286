"""A broker that restarts or freezes, an ingestor that freezes: nothing is idle because nothing comes, and
nothing becomes late.

The events' times are now, event time goes on by the clock where all partitions are idle, and the windows
are seconds: what would close one too early makes events late, and then Redis differs from the oracle.
"""

import os
import signal
import time

import pytest
from conftest import Topic, expected_of_topic
from support import kafka_tools, maker, servers
from support.live_feed import LiveFeed
from test_live import children

SECONDS_MAX = 60
LIVE = ["--commit-interval", "500ms", "--idle-timeout", "2s"]

DOCUMENTS = [{"tenant_id": "acme", "scenario_id": "now", "scenario_type": "video", "status": "active",
              "config": {"realtime_compute": {
                  "hot_score": {"window_size_seconds": 4, "window_slide_seconds": 2},
                  "user_profile": {"update_frequency_seconds": 2},
                  "metrics": {"window_size_seconds": 2, "history_windows": 1000}}}}]


@pytest.fixture
def own_kafka():
    """A broker that the test may stop."""
    with servers.Kafka() as server:
        yield server


QUIET_SECONDS = (9.0, 11.0)     # nothing is sent: at the fault, all partitions are at their ends
IDLE_SECONDS = (8.0, 14.0)      # … and are called idle


def stream_of_now(seconds, seed, partitions=2, quiet=QUIET_SECONDS):
    """About 100 events a second, their times from a moment from now on, but for a quiet time."""
    stream = maker.make(maker.Options(
        events=100 * seconds, seed=seed, partitions=partitions, minutes=seconds / 60,
        start_ms=int(time.time() * 1000) + 500, unknown_share=0, for_kafka=True,
        documents=DOCUMENTS))
    stream.fault_ms = stream.options.start_ms + (quiet[1] - 1) * 1000
    quiet = [stream.options.start_ms + second * 1000 for second in quiet]
    stream.partitions = [[message for message in messages
                          if not quiet[0] <= message.record_time_ms < quiet[1]]
                         for messages in stream.partitions]
    return stream


def wait_for_quiet(stream):
    wait = stream.fault_ms / 1000 - time.time()
    assert wait > 0, "too slow to meet the quiet time"
    time.sleep(wait)


def metrics_time_ms(pipeline):
    return int(pipeline.client.hget("rec:metrics:acme:now", "window_end") or 0)


def run_live(pipeline, made, make_stream, fault, *more):
    """Feeds the stream while fault (feed, running) happens, then brings the state to its end."""
    pipeline.write_scenarios(DOCUMENTS)
    with pipeline.start(*made.arguments(pipeline), *LIVE, *more) as running:
        servers.wait_until(lambda: "partitions assigned" in running.finished(None).stderr,
                           SECONDS_MAX, "it reads")
        stream = make_stream()
        with LiveFeed(made.brokers, made.name, stream.kafka_records()) as feed:
            wait_for_quiet(stream)
            fault(feed, running)
            feed.finish()
        last_ms = max(record.time_ms for record in stream.kafka_records())
        # Before the clock carries event time beyond the last event, where the oracle ends.
        servers.wait_until(lambda: metrics_time_ms(pipeline) > last_ms - 12_000, SECONDS_MAX,
                           "the windows after the fault")
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    pipeline.once(*made.arguments(pipeline))
    expected = expected_of_topic(stream)
    assert sum(len(history.windows) for history in expected.metrics.values()) > 10
    pipeline.assert_equals(expected)


def test_frozen_broker(pipeline, own_kafka):
    """It keeps its connections and answers nothing for 20 s, ten times the idle timeout."""
    def freeze(feed, _):
        own_kafka.freeze()
        time.sleep(20)
        assert feed.feeding()
        own_kafka.thaw()
    run_live(pipeline, Topic(own_kafka, 2), lambda: stream_of_now(36, seed=301), freeze)


def test_restarted_broker(pipeline, own_kafka):
    """In order, and killed."""
    def restart(feed, _):
        assert feed.feeding()
        own_kafka.stop()
        time.sleep(3)
        own_kafka.start()
        own_kafka.kill()
        own_kafka.start()
    run_live(pipeline, Topic(own_kafka, 2), lambda: stream_of_now(24, seed=302), restart)


def test_broker_away_for_long(pipeline, own_kafka):
    """For longer than most questions to it wait: its return finds the same processes."""
    def away(feed, running):
        pids = children(running.process.pid, "hotpath-ingestor")
        assert feed.feeding()
        own_kafka.kill()
        time.sleep(16)
        own_kafka.start()
        time.sleep(6)
        assert children(running.process.pid, "hotpath-ingestor") == pids
    run_live(pipeline, Topic(own_kafka, 2), lambda: stream_of_now(40, seed=304), away)


def test_frozen_ingestor(pipeline, topic):
    """One of two, for longer than anybody believes its last word (5 s) and less than what `hotpath run` kills
    it after (10 s without a beat). That word is that its partition is idle; the other partition goes on."""
    def freeze(feed, running):
        pid = min(children(running.process.pid, "hotpath-ingestor"))
        os.kill(pid, signal.SIGSTOP)
        time.sleep(7)
        assert feed.feeding()
        os.kill(pid, signal.SIGCONT)
        assert pid in children(running.process.pid, "hotpath-ingestor")
    run_live(pipeline, topic(2), lambda: stream_of_now(26, seed=303, quiet=IDLE_SECONDS), freeze,
             "--ingestors", 2)
