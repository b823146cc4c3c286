"""The three jobs in PyFlink's DataStream API, as teams write them, in one job: JSON is parsed once,
windows hold aggregates. It is the kind form: three jobs of one team parse three times.

Its parameters are constants, as they are in such jobs: the defaults of docs/config.md, with what
the scenarios of tests/bench/scenarios say otherwise.

    pyflink_peer.py --brokers HOST:PORT --topic T --scenarios-dir DIR --redis URL --state DIR
                    --jars DIR
"""

import argparse
import json
import sys
from pathlib import Path

from profiles import ProfileUpdate
from pyflink.common import Configuration, Duration, Time, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import FlatMapFunction, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.window import SlidingEventTimeWindows, TumblingEventTimeWindows
from scenarios import read_scenarios
from windows import HotScore, MetricsSum, RankWindow, ToItemScore, ToMetrics

OUT_OF_ORDERNESS_SECONDS = 5
CHECKPOINT_MS = 10_000
# The defaults of both are 1000: each entry that is not in the cache is a call to the JVM.
STATE_CACHE_ENTRIES = 200_000
BUNDLE_EVENTS = 10_000


class ParseEvent(FlatMapFunction):
    """A line to a tuple: "tenant/scenario", user, item, action, ms, category, tags, watched ms,
    rate."""

    def __init__(self, scenarios):
        self.scenarios = scenarios

    def flat_map(self, line):
        try:
            event = json.loads(line)
            scenario = f"{event['tenant_id']}/{event['scenario_id']}"
            if scenario not in self.scenarios:
                return
            context = event.get("context") or {}
            watched, content = event.get("watch_duration"), event.get("duration")
            rate = event.get("completion_rate")
            if rate is None and watched is not None and content:
                rate = watched / content
            yield (scenario, event["user_id"], event["item_id"], event["action_type"].lower(),
                   int(event["timestamp"]), context.get("category"), context.get("tags") or [],
                   None if watched is None else int(watched * 1000 + 0.5), rate)
        except (ValueError, KeyError, TypeError):
            return


def any_value():
    """Made anew for each use: one that has been used holds a Java object, and can't be pickled."""
    return Types.PICKLED_BYTE_ARRAY()


def main():
    parser = argparse.ArgumentParser()
    for name in ("brokers", "topic", "scenarios-dir", "redis", "state", "jars"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    scenarios = read_scenarios(options.scenarios_dir)

    configuration = Configuration()
    configuration.set_string("state.backend.type", "hashmap")
    configuration.set_string("execution.checkpointing.storage", "filesystem")
    configuration.set_string("execution.checkpointing.dir", f"file://{options.state}")
    configuration.set_string("python.state.cache-size", str(STATE_CACHE_ENTRIES))
    configuration.set_string("python.fn-execution.bundle.size", str(BUNDLE_EVENTS))
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    environment.set_parallelism(1)
    environment.enable_checkpointing(CHECKPOINT_MS)
    # The workers are processes of their own: they need this Python, and the modules beside this.
    environment.set_python_executable(sys.executable)
    for module in Path(__file__).parent.glob("*.py"):
        environment.add_python_file(str(module))
    environment.add_jars(*[f"file://{jar}" for jar in sorted(Path(options.jars).glob("*.jar"))
                           if jar.name.startswith(("flink-connector-kafka", "kafka-clients",
                                                   "flink-connector-base"))])

    source = (KafkaSource.builder().set_bootstrap_servers(options.brokers)
              .set_topics(options.topic).set_group_id("pyflink-peer")
              .set_starting_offsets(KafkaOffsetsInitializer.earliest())
              .set_bounded(KafkaOffsetsInitializer.latest())
              .set_value_only_deserializer(SimpleStringSchema()).build())
    # Times are the records' own, set by the producer: a watermark for each partition exists in the
    # source alone, and Python runs behind it.
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(
        Duration.of_seconds(OUT_OF_ORDERNESS_SECONDS))
    events = environment.from_source(source, strategy, "events") \
        .flat_map(ParseEvent(scenarios), output_type=any_value())

    size, slide = Time.minutes(60), Time.minutes(15)
    events.key_by(lambda event: f"{event[0]}|{event[2]}", key_type=Types.STRING()) \
        .window(SlidingEventTimeWindows.of(size, slide)) \
        .aggregate(HotScore(scenarios, slide.to_milliseconds()),
                   window_function=ToItemScore(), accumulator_type=any_value(),
                   output_type=any_value()) \
        .key_by(lambda score: score[0], key_type=Types.STRING()) \
        .window(TumblingEventTimeWindows.of(slide)) \
        .process(RankWindow(scenarios, options.redis, slide.to_milliseconds()),
                 output_type=Types.STRING())
    events.key_by(lambda event: f"{event[0]}|{event[1]}", key_type=Types.STRING()) \
        .process(ProfileUpdate(scenarios, options.redis), output_type=Types.STRING())
    events.key_by(lambda event: event[0], key_type=Types.STRING()) \
        .window(TumblingEventTimeWindows.of(Time.minutes(30))) \
        .aggregate(MetricsSum(), window_function=ToMetrics(scenarios, options.redis),
                   accumulator_type=any_value(), output_type=Types.STRING())
    environment.execute("hotpath's three jobs in PyFlink")


if __name__ == "__main__":
    main()
