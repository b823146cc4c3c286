"""What the sink promises by itself: a lesser result never replaces a greater one, whatever dies
in between; a shard that is missing delays a result, not for ever; a Redis that is away, full or
empty again loses nothing; what is acknowledged is in Redis.

Drives build/bin/hotpath-sink as workers would (support/sink_bench.py), against a real Redis.
"""

import json
import os
import subprocess
import time

import zmq
from support.servers import free_port, wait_until
from support.sink_bench import (METRICS, PROFILER, RANKING, SCORER, SHARDS, SINK, header, metrics,
                                profile, ranking)


def test_each_kind_of_result_is_written_and_acknowledged(make):
    sink = make.sink()
    scorer, profiler = make.worker(sink, SCORER), make.worker(sink, PROFILER)
    stage = make.worker(sink, METRICS)
    scorer.send(0, ranking(10, [("a", 5), ("b:1", 0.1)]))
    scorer.poll(300)
    assert scorer.acks.get(0, (0,))[0] == 0         # half of a ranking is not in Redis
    scorer.send(1, ranking(10, [("c", 3)]))
    profiler.send(1, profile("u 1", '{"x": 1}'))
    stage.send(0, metrics(10, 4, 1))
    stage.send(1, metrics(10, 4, 1))
    for worker in (scorer, profiler, stage):
        worker.wait_executed()
    client = make.client
    assert client.zrange("hot:items:t:s", 0, -1, desc=True, withscores=True) == [
        ("a", 5.0), ("c", 3.0), ("b:1", 0.1)]
    meta = client.hgetall("hot:items:t:s:meta")
    assert abs(int(meta.pop("computed_at")) - time.time() * 1000) < 60000
    assert meta == {"lineage": f"{0xabc:016x}", "window_start": "540000", "window_end": "600000",
                    "era": "1", "revision": "1", "shards": "2", "complete": "1", "exact": "1",
                    "items": "3", "changed": "0"}
    assert client.get("user:profile:t:u%201:s") == '{"x": 1}'
    fields = client.hgetall("rec:metrics:t:s")
    assert (fields["total_actions"], fields["ctr"]) == ("10", "0.25")
    member, = client.zrange("rec:metrics:t:s:history", 0, -1, withscores=True)
    assert member[1] == 600000.0
    assert {name: str(value) for name, value in json.loads(member[0]).items()} == fields
    for key in client.keys():
        assert client.pttl(key) > 0, key
    assert sink.stop() == 0


def test_an_older_window_delivered_late_is_dropped_and_acknowledged(make):
    scorer = make.worker(make.sink(), SCORER)
    for window in (11, 10):
        for shard in range(SHARDS):
            scorer.send(shard, ranking(window, [(f"w{window}-{shard}", 1)]))
        scorer.wait_executed()
    assert set(make.client.zrange("hot:items:t:s", 0, -1)) == {"w11-0", "w11-1"}


def test_a_killed_sink_keeps_the_newer_of_two_windows(make):
    sink = make.sink()
    scorer, stage = make.worker(sink, SCORER), make.worker(sink, METRICS)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(11, [(f"new-{shard}", 1)]))
        stage.send(shard, metrics(11, 4, 1))
    scorer.wait_executed()
    stage.wait_executed()
    sink.kill()
    sink.start()
    for worker in (scorer, stage):
        before = worker.incarnation
        wait_until(lambda: worker.greet() or worker.incarnation > before, 20, "a new life")
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"old-{shard}", 1)]))
        stage.send(shard, metrics(10, 8, 1))
    scorer.wait_executed()
    stage.wait_executed()
    client = make.client
    assert set(client.zrange("hot:items:t:s", 0, -1)) == {"new-0", "new-1"}
    assert client.hget("rec:metrics:t:s", "window_end") == "660000"
    assert client.zrange("rec:metrics:t:s:history", 0, -1, withscores=True)[0][1] == 600000.0
    assert client.zcard("rec:metrics:t:s:history") == 2
    assert len(scorer.generations) == 1     # the same Redis: nobody need send all


def test_a_part_sent_once_more_is_not_waited_with(make):
    """Killed when Redis had a window and one of its shards had not been told: the next life gets that
    shard's part alone, and does not wait --gather-timeout for the others."""
    sink = make.sink()
    stage = make.worker(sink, METRICS)
    for window in (10, 11):
        for shard in range(SHARDS):
            stage.send(shard, metrics(window, 4, shard))
    stage.wait_executed()
    sink.kill()
    sink.start()
    stage.greet_anew()
    stage.send(0, metrics(10, 4, 0))
    for shard in range(SHARDS):
        stage.send(shard, metrics(11, 4, shard))
    stage.wait_executed(20)
    members = make.client.zrange("rec:metrics:t:s:history", 0, -1)
    assert [json.loads(member)["complete"] for member in members] == [1, 1]


def test_a_missing_shard_delays_a_result_not_for_ever(make):
    scorer = make.worker(make.sink("--gather-timeout", "500ms"), SCORER)
    scorer.send(0, ranking(10, [("a", 5)]))
    scorer.wait_executed()
    client = make.client
    meta = client.hgetall("hot:items:t:s:meta")
    assert (meta["shards"], meta["complete"]) == ("1", "0")
    scorer.send(1, ranking(10, [("b", 6)]))
    scorer.wait_executed()
    meta = client.hgetall("hot:items:t:s:meta")
    assert (meta["shards"], meta["complete"]) == ("2", "1")
    assert client.zrange("hot:items:t:s", 0, -1) == ["a", "b"]


def test_a_gap_is_refused_and_asked_for_again(make):
    profiler = make.worker(make.sink(), PROFILER)
    profiler.push.send(profiler.frame([(0, 2, 0, 1, profile("u", "2"))]))
    wait_until(lambda: profiler.poll() and profiler.acks.get(0) == (0, 1, True), 20, "a gap is told")
    profiler.push.send(profiler.frame([(0, 1, 0, 1, profile("u", "1")),
                                       (0, 2, 0, 1, profile("u", "2"))]))
    profiler.sequence = {0: 2}
    profiler.wait_executed()
    assert make.client.get("user:profile:t:u:s") == "2"


def test_a_large_ranking_comes_in_chunks_and_leaves_no_temporary_key(make):
    scorer = make.worker(make.sink(), SCORER)
    # More than the writer sends without an answer (1 MiB).
    items = [(f"item-{i:05}-{'x' * 150}", 10000 - i) for i in range(10000)]
    scorer.send(0, ranking(10, items[0::2]), chunk_bytes=50000)
    scorer.send(1, ranking(10, items[1::2]), chunk_bytes=50000)
    scorer.wait_executed()
    client = make.client
    assert client.zrange("hot:items:t:s", 0, -1, desc=True, withscores=True) == [
        (item, float(score)) for item, score in items]
    assert sorted(client.keys("hot:items*")) == ["hot:items:t:s", "hot:items:t:s:meta"]


def test_redis_away_and_back_loses_nothing(make, redis):
    sink = make.sink()
    scorer, profiler = make.worker(sink, SCORER), make.worker(sink, PROFILER)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"first-{shard}", 1)]))
    scorer.wait_executed()
    redis.stop()
    for shard in range(SHARDS):
        scorer.send(shard, ranking(11, [(f"second-{shard}", 1)]))
    for shard in range(SHARDS):
        profiler.send_many(shard, [profile(f"u{i}", str(i)) for i in range(shard, 1000, SHARDS)])
    profiler.poll(500)
    assert all(ack[0] == 0 for ack in profiler.acks.values())
    redis.start()
    scorer.wait_executed(20)
    profiler.wait_executed(20)
    client = make.client
    assert set(client.zrange("hot:items:t:s", 0, -1)) == {"second-0", "second-1"}
    assert len(client.keys("user:profile:*")) == 1000
    scorer.wait_generation(2)       # told of another Redis


def test_an_emptied_redis_is_noticed_and_filled_again(make):
    sink = make.sink()
    scorer = make.worker(sink, SCORER)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"a-{shard}", 1)]))
    scorer.wait_executed()
    make.client.flushall()
    scorer.wait_generation(2)
    time.sleep(0.5)
    assert not make.client.exists("hot:items:t:s")      # perhaps its scenario has ended
    scorer.send(0, ranking(10, [("a-0", 1)]))           # a worker says that it has not
    scorer.wait_executed()
    assert make.client.zcard("hot:items:t:s") == 2


def test_a_full_redis_is_waited_for(make):
    sink = make.sink()
    profiler = make.worker(sink, PROFILER)
    client = make.client
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    profiler.send(0, profile("u", "1"))
    profiler.send(0, profile("u", "2"))
    profiler.poll(700)
    assert profiler.acks.get(0, (0,))[0] == 0
    client.config_set("maxmemory", "0")
    profiler.wait_executed()
    assert client.get("user:profile:t:u:s") == "2"
    time.sleep(1.2)      # a check or two: a marker that could not be written is no loss
    profiler.greet()
    assert len(profiler.generations) == 1


def test_a_key_of_another_type_stops_nobody_else(make):
    client = make.client
    client.set("rec:metrics:t:s:history", "foreign")
    client.set("hot:items:t:s", "foreign")
    sink = make.sink()
    stage, scorer = make.worker(sink, METRICS), make.worker(sink, SCORER)
    for shard in range(SHARDS):
        stage.send(shard, metrics(10, 4, 1))
        scorer.send(shard, ranking(10, [(f"a-{shard}", 1)]))
    scorer.wait_executed()
    assert client.zcard("hot:items:t:s") == 2
    stage.poll(200)
    assert stage.acks.get(0, (0,))[0] == 0
    client.delete("rec:metrics:t:s:history")
    stage.wait_executed(20)
    assert client.zcard("rec:metrics:t:s:history") == 1


def test_a_former_owner_is_refused(make):
    sink = make.sink()
    scorer = make.worker(sink, SCORER, epoch=8)
    former = make.worker(sink, SCORER, epoch=7)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"a-{shard}", 1)]))
    scorer.wait_executed()
    for shard in range(SHARDS):
        former.send(shard, ranking(12, [(f"ghost-{shard}", 1)]))
    former.poll(500)
    assert former.acks == {}
    assert set(make.client.zrange("hot:items:t:s", 0, -1)) == {"a-0", "a-1"}


def test_frames_that_cannot_be_read_stop_nothing(make):
    sink = make.sink()
    profiler = make.worker(sink, PROFILER)
    good = profiler.frame([(0, 1, 0, 1, profile("u", "1"))])
    for size in range(0, len(good) - 1, 3):
        profiler.push.send(good[:size])
    profiler.push.send(os.urandom(1000))
    profiler.send(0, b"no result")
    profiler.send(0, header(RANKING, 10) + b"\xc1")
    profiler.send(0, profile("v", "2"))
    profiler.wait_executed()
    assert make.client.get("user:profile:t:v:s") == "2"
    assert sink.stop() == 0


def run_sink(*arguments):
    return subprocess.run([SINK, *arguments], capture_output=True, text=True, timeout=20)


def test_what_stops_a_start_is_one_line_and_a_code(tmp_path, redis):
    listen = ["--listen", f"ipc://{tmp_path}/x"]
    away = run_sink(*listen, "--redis", f"redis://127.0.0.1:{free_port()}")
    assert away.returncode == 69 and "127.0.0.1" in away.stderr.splitlines()[-1]
    redis.client().config_set("requirepass", "secret")
    wrong = run_sink(*listen, "--redis", redis.url.replace("//", "//:wrong@"))
    assert wrong.returncode == 78 and "wrong@" not in wrong.stderr
    assert run_sink(*listen, "--redis", redis.url).returncode == 78
    url = redis.url.replace("//", "//:secret@")
    taken = zmq.Context.instance().socket(zmq.PULL)
    port = taken.bind_to_random_port("tcp://127.0.0.1")
    busy = run_sink("--listen", f"tcp://127.0.0.1:{port}", "--redis", url)
    assert busy.returncode == 69 and str(port) in busy.stderr.splitlines()[-1]
    taken.close()
    plain = run_sink("--listen", "tcp://0.0.0.0:*", "--redis", url)
    assert plain.returncode != 0 and "--allow-plain-tcp" in plain.stderr
    assert run_sink(*listen).returncode == 64
    assert run_sink(*listen, "--redis", "nonsense").returncode == 64
