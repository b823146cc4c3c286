"""The sink and the connection to Redis: it is slow, cut, frozen, elsewhere, or wants another password.
Whatever happens, nothing that was acknowledged is missing, nothing older stands over something newer,
and the sink says in one line what is wrong and what can be done.

Drives build/bin/hotpath-sink as workers would (support/sink_bench.py), against a real Redis.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest
from support.redis_proxy import RedisProxy
from support.servers import Redis, free_port, wait_until
from support.sink_bench import (METRICS, PROFILER, SCORER, SHARDS, SINK, metrics, profile,
                                ranking)

MIB = 1 << 20


def users(client):
    return len(client.keys("user:profile:*"))


def send_profiles(worker, version, count=1000, size=0):
    for shard in range(SHARDS):
        worker.send_many(shard, [profile(f"u{i}", f"{version}{'.' * size}")
                                 for i in range(shard, count, SHARDS)])


def assert_profiles(client, version, count=1000):
    keys = client.keys("user:profile:*")
    values = {value.rstrip(".") for value in client.mget(keys)}
    assert (len(keys), values) == (count, {str(version)})


# --- slow, cut, frozen ---

def test_a_reply_a_second(make, redis):
    """Pipelined work that takes longer than --redis-timeout in all: each reply counts as progress."""
    with RedisProxy(redis.port) as proxy:
        sink = make.sink("--redis-timeout", "8s", url=proxy.url)
        profiler = make.worker(sink, PROFILER)
        connections = proxy.connections
        proxy.reply_seconds = 0.5
        began = time.monotonic()
        send_profiles(profiler, 1, 20)
        profiler.wait_executed(60)
        assert time.monotonic() - began > 8     # or the test shows nothing
        assert_profiles(make.client, 1, 20)
        assert proxy.connections == connections
        # More than ever can be answered: what is not taken waits with its worker, or is refused.
        before = sink.rss_bytes()
        for _ in range(20):
            send_profiles(profiler, 2, 1000, 2000)      # 40 MB in all
        time.sleep(2)
        grown = sink.rss_bytes() - before
        # (The address sanitizer keeps what is freed.)
        print(f"of 40 MB the sink grew by {grown / MIB:.1f} MiB")
        assert grown < 36 * MIB or "address" in SINK, f"{grown / MIB:.0f} MiB"
        # Rankings do not wait for the profiles before them.
        scorer = make.worker(sink, SCORER)
        proxy.reply_seconds = 0.0
        for shard in range(SHARDS):
            scorer.send(shard, ranking(10, [(f"a-{shard}", 1)]))
        scorer.wait_executed(20)
        profiler.wait_executed(60)
        assert_profiles(make.client, 2)


def test_a_redis_that_is_slower_than_the_timeout_is_given_more(make, redis):
    with RedisProxy(redis.port) as proxy:
        sink = make.sink("--redis-timeout", "300ms", url=proxy.url)
        profiler = make.worker(sink, PROFILER)
        proxy.reply_seconds = 1.0
        profiler.send(0, profile("u", "1"))
        profiler.wait_executed(60)
        assert "no answer for 300 ms" in sink.log()
        proxy.reply_seconds = 0.0
        profiler.send(0, profile("u", "2"))
        profiler.wait_executed(20)
        assert make.client.get("user:profile:t:u:s") == "2"


def test_connections_cut_in_the_midst_of_replies(make, redis):
    with RedisProxy(redis.port) as proxy:
        sink = make.sink(url=proxy.url)
        profiler, stage = make.worker(sink, PROFILER), make.worker(sink, METRICS)
        for round_number, cut in enumerate((60, 700, 5000, 5300)):
            proxy.cut_after_bytes = cut     # within the greeting, and beyond
            proxy.cut()
            send_profiles(profiler, round_number)
            for shard in range(SHARDS):
                stage.send(shard, metrics(10 + round_number, 4, 1))
            time.sleep(0.7)
            proxy.cut_after_bytes = None
            proxy.cut()
            profiler.wait_executed(20)
            stage.wait_executed(20)
            assert_profiles(make.client, round_number)
        assert make.client.zcard("rec:metrics:t:s:history") == 4
        assert len(profiler.generations) == 1       # nothing was lost, nothing need be sent again


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_a_frozen_redis(make, redis, seconds):
    """Its kernel takes connections and bytes; thawed, it executes what they hold, old before new."""
    sink = make.sink("--redis-timeout", "1s")
    profiler = make.worker(sink, PROFILER)
    send_profiles(profiler, 1)
    profiler.wait_executed()
    os.kill(redis.process.pid, signal.SIGSTOP)
    send_profiles(profiler, 2)
    time.sleep(seconds)
    assert "no answer for 1000 ms" in sink.log()
    os.kill(redis.process.pid, signal.SIGCONT)
    send_profiles(profiler, 3)
    profiler.wait_executed(30)
    time.sleep(1)
    assert_profiles(make.client, 3)
    assert len(profiler.generations) == 1


def test_killed_while_it_executes(make, redis):
    """Redis with its data on disk, killed again and again; then the sink beside it."""
    redis.arguments += ["--appendonly", "yes", "--appendfsync", "always"]
    redis.stop()
    redis.start()
    sink = make.sink()
    profiler, stage = make.worker(sink, PROFILER), make.worker(sink, METRICS)
    for version in range(1, 5):
        send_profiles(profiler, version, 4000)
        for shard in range(SHARDS):
            stage.send(shard, metrics(version, 4, version))
        time.sleep(0.02 * version)
        redis.kill()
        if version % 2:
            redis.start()
            profiler.wait_executed(60)
        else:       # what it had not acknowledged goes to its next life
            sink.kill()
            redis.start()
            sink.start()
            for worker in (profiler, stage):
                worker.greet_anew()
            send_profiles(profiler, version, 4000)
            for shard in range(SHARDS):
                stage.send(shard, metrics(version, 4, version))
            profiler.wait_executed(60)
        stage.wait_executed(60)
        assert_profiles(make.client, version, 4000)
        assert make.client.hget("rec:metrics:t:s", "window_end") == str(version * 60000)
        assert make.client.zcard("rec:metrics:t:s:history") == version


# --- who may write ---

def test_two_sinks_of_one_name(make):
    """The one that is alive goes on; the other says so and ends, not at once: no storm of restarts."""
    first = make.sink()
    profiler = make.worker(first, PROFILER)
    began = time.monotonic()
    second = make.sink(socket="second")
    assert second.process.wait(30) == 75
    assert time.monotonic() - began > 10
    line = second.log().splitlines()[-1]
    assert "another sink named hotpath-sink-s0 writes to this Redis" in line and "--name" in line
    profiler.send(0, profile("u", "1"))
    profiler.wait_executed()
    assert first.running() and "cannot be written" not in first.log()
    # Other prefixes and other databases are other pipelines.
    for arguments in (["--key-prefix", "v2:"], []):
        url = make.redis.url + ("" if arguments else "/1")
        other = make.sink(*arguments, socket="other", url=url)
        make.worker(other, PROFILER, lineage=0xdef)
        assert other.stop() == 0 and first.running()


def test_a_sink_frozen_with_commands_on_their_way(make, redis):
    """Its successor writes newer results; thawed, it writes nothing any more and ends."""
    with RedisProxy(redis.port) as proxy:
        first = make.sink(url=proxy.url)
        profiler = make.worker(first, PROFILER)
        send_profiles(profiler, 1)
        profiler.wait_executed()
        proxy.held = True       # its commands lie in the network
        send_profiles(profiler, 2)
        time.sleep(0.5)
        first.signal(signal.SIGSTOP)
        time.sleep(4)
        second = make.sink(socket="second")
        successor = make.worker(second, PROFILER, epoch=8)
        send_profiles(successor, 3)
        successor.wait_executed()
        second.wait_said("ended older redis connections")
        proxy.held = False      # what it had sent arrives: nobody takes it
        time.sleep(0.5)
        first.signal(signal.SIGCONT)
        assert first.process.wait(20) == 75
        assert "another life of the sink" in first.log()
        send_profiles(successor, 4)
        successor.wait_executed()
        assert_profiles(make.client, 4)
        assert len(successor.generations) == 1


def test_a_starting_sink_waits_for_one_that_is_ending(make):
    first = make.sink()
    make.worker(first, PROFILER)
    second = make.sink(socket="second")
    time.sleep(1)
    assert second.running()
    assert first.stop() == 0
    profiler = make.worker(second, PROFILER)
    profiler.send(0, profile("u", "1"))
    profiler.wait_executed()


def test_a_permission_that_is_missing_is_named(make, redis, tmp_path):
    url = redis.url.replace("//", "//hotpath:secret@")

    def permit(*rules):
        make.client.execute_command("ACL", "SETUSER", "hotpath", *rules)

    permit("on", ">secret", "allkeys", "+@all", "-set")
    refused = subprocess.run([SINK, "--listen", f"ipc://{tmp_path}/x", "--redis", url],
                             capture_output=True, text=True, timeout=30)
    assert refused.returncode == 78 and "NOPERM" in refused.stderr and "'set'" in refused.stderr
    # Of those that it can do without it says so, and works.
    permit("+set", "-client", "-info")
    sink = make.sink(url=url)
    sink.wait_said("redis refused a command of the connection")
    stage, profiler = make.worker(sink, METRICS), make.worker(sink, PROFILER)
    # A key pattern, while it runs.
    permit("+client", "+info", "resetkeys", "~hotpath:*", "~user:*")
    for shard in range(SHARDS):
        stage.send(shard, metrics(10, 4, 1))
    sink.wait_said("HMGET rec:metrics:t:s: NOPERM this user")
    permit("~rec:metrics:*")
    stage.wait_executed(20)
    profiler.send(0, profile("u", "1"))
    profiler.wait_executed()


# What docs/operations.md tells operators to permit.
PERMISSIONS = ("~hot:items:* ~item:stats:* ~user:profile:* ~rec:metrics:* ~hotpath:marker:* "
               "+auth +select +client|setname +client|id +client|list +client|kill +info +watch "
               "+multi +exec +get +set +expire +del +zadd +zrange +zremrangebyscore "
               "+zremrangebyrank +rename +hset +hmget +pexpire")


def test_the_documented_permissions_are_enough(make, redis):
    client = make.client
    client.execute_command("ACL", "SETUSER", "hotpath", "on", ">secret", *PERMISSIONS.split())
    sink = make.sink(url=redis.url.replace("//", "//hotpath:secret@") + "/2")
    scorer, stage = make.worker(sink, SCORER), make.worker(sink, METRICS)
    profiler = make.worker(sink, PROFILER)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"item-{shard}-{i}", 2000 - i) for i in range(1500)]))
        stage.send(shard, metrics(10, 4, 1))
        profiler.send(shard, profile(f"u{shard}", "1"))
    for worker in (scorer, stage, profiler):
        worker.wait_executed()
    assert "NOPERM" not in sink.log() and "refused" not in sink.log()


def test_a_password_that_changes(make, redis, tmp_path):
    client = make.client
    file = tmp_path / "redis-url"
    file.write_text(redis.url)
    sink = make.sink("--redis-file", file, url=None)
    profiler = make.worker(sink, PROFILER)
    client.config_set("requirepass", "first")
    client.client_kill_filter(_type="normal", skipme=True)
    said = sink.wait_said("NOAUTH")
    assert "--redis-file is read again" in said
    profiler.send(0, profile("u", "1"))
    file.write_text(redis.url.replace("//", "//:first@") + "\n")
    profiler.wait_executed(20)
    # While the connection stands, the old password does no harm; SIGHUP brings the new one.
    client.config_set("requirepass", "second")
    file.write_text(redis.url.replace("//", "//:second@"))
    sink.signal(signal.SIGHUP)
    sink.wait_said("the URL of redis was read again")
    profiler.send(0, profile("u", "2"))
    profiler.wait_executed(20)
    file.write_text("nonsense")
    sink.signal(signal.SIGHUP)
    sink.wait_said("cannot be used: the URL stays as it is")
    profiler.send(0, profile("u", "3"))
    profiler.wait_executed(20)
    assert client.get("user:profile:t:u:s") == "3"
    assert "first@" not in sink.log() and "second@" not in sink.log()


def test_a_password_from_the_environment_cannot_change(make, redis):
    client = make.client
    client.config_set("requirepass", "first")
    sink = make.sink(url=None, environment={"HOTPATH_REDIS": redis.url.replace("//", "//:first@")})
    make.worker(sink, PROFILER)
    client.config_set("requirepass", "second")
    client.client_kill_filter(_type="normal", skipme=True)
    said = sink.wait_said("WRONGPASS")
    assert "cannot be read again" in said and "--redis-file" in said
    client.config_set("requirepass", "first")
    sink.wait_said("redis takes writes again")


# --- elsewhere ---

def test_another_server_by_another_url(make, redis, tmp_path):
    file = tmp_path / "redis-url"
    file.write_text(redis.url)
    sink = make.sink("--redis-file", file, url=None)
    profiler = make.worker(sink, PROFILER)
    with Redis() as other:
        file.write_text(other.url)
        sink.signal(signal.SIGHUP)
        profiler.wait_generation(2)     # another Redis: everything live is wanted
        profiler.send(0, profile("u", "1"))
        profiler.wait_executed()
        assert other.client().get("user:profile:t:u:s") == b"1"


def test_a_unix_socket(make, redis, tmp_path):
    path = f"{tmp_path}/redis.sock"
    redis.arguments += ["--unixsocket", path]
    redis.stop()
    redis.start()
    make.client.config_set("requirepass", "a/b")
    make.client.auth("a/b")
    sink = make.sink(url=f"unix://:a%2Fb@{path}?db=3")
    profiler = make.worker(sink, PROFILER)
    profiler.send(0, profile("u", "1"))
    profiler.wait_executed()
    assert redis.client(db=3, password="a/b").get("user:profile:t:u:s") == b"1"


@pytest.fixture
def names(tmp_path):
    """A resolver for LD_PRELOAD that reads a file: "NAME ADDRESS" a line; "hang" for an address never
    answers."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = tmp_path / "names.c"
    source.write_text(NAMES_C)
    library = tmp_path / "names.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    file = tmp_path / "names.txt"
    file.write_text("")
    return file, {"LD_PRELOAD": str(library), "TEST_NAMES": str(file),
                  "ASAN_OPTIONS": "verify_asan_link_order=0:"
                                  + os.environ.get("ASAN_OPTIONS", "")}


NAMES_C = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo (const char *node, const char *service, const struct addrinfo *hints,
                 struct addrinfo **found)
{
    int (*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*) (const char *, const char *, const struct addrinfo *, struct addrinfo **)) dlsym (
            RTLD_NEXT, "getaddrinfo");
    char name[256], address[256];
    FILE *file = node && strstr (node, ".test") ? fopen (getenv ("TEST_NAMES"), "r") : NULL;
    if (!file || (hints && hints->ai_flags & AI_NUMERICHOST)) {
        if (file)
            fclose (file);
        return real (node, service, hints, found);
    }
    while (fscanf (file, "%255s %255s", name, address) == 2) {
        if (strcmp (name, node) != 0)
            continue;
        fclose (file);
        if (strcmp (address, "hang") == 0)
            for (;;)
                pause ();
        return real (address, service, hints, found);
    }
    fclose (file);
    return EAI_NONAME;
}
"""


def test_a_name_that_moves(make, redis, names):
    file, environment = names
    moved = Redis()
    moved.port = redis.port     # the same port at another address
    moved.arguments = ["--bind", "127.0.0.2"]
    file.write_text("redis.test 127.0.0.1\n")
    sink = make.sink(url=f"redis://redis.test:{redis.port}", environment=environment)
    profiler = make.worker(sink, PROFILER)
    profiler.send(0, profile("u", "1"))
    profiler.wait_executed()
    file.write_text("")         # for a while it does not resolve
    redis.stop()
    sink.wait_said("its name cannot be resolved: Name or service not known")
    profiler.send(0, profile("u", "2"))
    started = subprocess.Popen([shutil.which("redis-server"), "--port", str(moved.port), "--bind",
                                "127.0.0.2", "--save", ""], stdout=subprocess.DEVNULL)
    try:
        file.write_text("redis.test 127.0.0.2\n")
        profiler.wait_executed(20)
        profiler.wait_generation(2)
    finally:
        started.kill()
        started.wait()
        moved.destroy()


def test_a_look_up_that_hangs_stops_nobody(make, redis, names):
    """DNS that never answers: the loop goes on, says so, and takes SIGTERM."""
    file, environment = names
    file.write_text("redis.test 127.0.0.1\n")
    sink = make.sink("--redis-timeout", "500ms", url=f"redis://redis.test:{redis.port}",
                     environment=environment)
    profiler = make.worker(sink, PROFILER)
    file.write_text("redis.test hang\n")
    redis.stop()
    sink.wait_said("no answer for 500 ms")
    began = time.monotonic()
    sink.signal(signal.SIGTERM)
    assert sink.process.wait(20) == 0
    assert time.monotonic() - began < 18    # its drain takes 5 s; `hotpath run` kills it after 20
    profiler.push.close()


# --- a cluster ---

def cluster_node(tmp_path, name):
    return Redis("--cluster-enabled", "yes", "--cluster-config-file", str(tmp_path / name),
                 "--cluster-port", str(free_port()))


@pytest.fixture
def cluster(tmp_path):
    """One node of a Redis Cluster; it has all slots but those that a test takes away."""
    with cluster_node(tmp_path, "nodes") as server:
        client = server.client()
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), 20,
                   "the cluster is up")
        yield server


def test_a_cluster_of_one_node(make, cluster, tmp_path):
    plain = subprocess.run([SINK, "--listen", f"ipc://{tmp_path}/x", "--redis", cluster.url],
                           capture_output=True, text=True, timeout=30)
    assert plain.returncode == 78 and "--key-style=cluster" in plain.stderr
    sink = make.sink("--key-style", "cluster", url=cluster.url)
    scorer, stage = make.worker(sink, SCORER), make.worker(sink, METRICS)
    profiler = make.worker(sink, PROFILER)
    for shard in range(SHARDS):
        scorer.send(shard, ranking(10, [(f"item-{shard}-{i}", 2000 - i) for i in range(1500)]))
        stage.send(shard, metrics(10, 4, 1))
        profiler.send(shard, profile(f"u{shard}", "1"))
    for worker in (scorer, stage, profiler):
        worker.wait_executed()
    client = cluster.client(decode_responses=True)
    assert client.zcard("hot:items:{t:s}") == 3000
    # Slots that move to another node: said, with what can be done, and tried again.
    with cluster_node(tmp_path, "others") as other:
        slot = client.execute_command("CLUSTER", "KEYSLOT", "rec:metrics:{t:s}")
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port,
                               int(other.arguments[-1]))
        ids = [other.client(decode_responses=True).execute_command("CLUSTER", "MYID"),
               client.execute_command("CLUSTER", "MYID")]
        wait_until(lambda: ids[0] in str(client.execute_command("CLUSTER", "NODES")), 20, "they met")
        client.execute_command("CLUSTER", "DELSLOTS", slot)
        other.client().execute_command("CLUSTER", "ADDSLOTS", slot)
        for shard in range(SHARDS):
            stage.send(shard, metrics(11, 4, 1))
        assert "one that has all slots" in sink.wait_said("MOVED", 30)
        other.client().execute_command("CLUSTER", "DELSLOTS", slot)
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        stage.wait_executed(30)
