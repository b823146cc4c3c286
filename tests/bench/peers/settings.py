"""The settings of `make bench-peers`, from the environment: run.sh says what each means."""

import shlex

import engines
from bench_process import BenchError, integer


class Settings:
    def __init__(self, environment):
        self.events = integer(environment, "BENCH_PEERS_EVENTS", 1_000_000)
        self.runs = integer(environment, "BENCH_PEERS_RUNS", 2)
        self.slow_events = integer(environment, "BENCH_PEERS_SLOW_EVENTS", 20_000)
        self.slow_runs = integer(environment, "BENCH_PEERS_SLOW_RUNS", 1)
        self.check_events = integer(environment, "BENCH_PEERS_CHECK_EVENTS", 20_000)
        self.slow_check_events = integer(environment, "BENCH_PEERS_SLOW_CHECK_EVENTS", 2000)
        self.arguments = shlex.split(environment.get("BENCH_ARGUMENTS", ""))     # of hotpath run
        self.peers = environment.get("BENCH_PEERS", " ".join(engines.PEERS)).split()
        if min(self.events, self.slow_events) < 10_000:
            raise BenchError("BENCH_PEERS_EVENTS and BENCH_PEERS_SLOW_EVENTS must be at least "
                             "10000")
        # Fewer would leave a scenario without an event in the last slide: see docs/peers.md.
        if min(self.check_events, self.slow_check_events) < 1000:
            raise BenchError("BENCH_PEERS_CHECK_EVENTS and BENCH_PEERS_SLOW_CHECK_EVENTS must be "
                             "at least 1000")
        if min(self.runs, self.slow_runs) < 1:
            raise BenchError("BENCH_PEERS_RUNS and BENCH_PEERS_SLOW_RUNS must be at least 1")
        if not set(self.peers) <= set(engines.PEERS) or not self.peers:
            raise BenchError(f"BENCH_PEERS: {', '.join(engines.PEERS)}")
