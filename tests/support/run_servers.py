"""Starts servers for a person or a script, and ends them with it.

    PYTHONPATH=tests build/venv/bin/python -m support.run_servers kafka redis -- tests/bench/run.sh

runs the command with HOTPATH_TEST_BROKERS, HOTPATH_TEST_REDIS_URL and HOTPATH_TEST_MONGODB_URI set
for those that were asked for, and exits with the command's code. Without a command it prints these
lines and runs until SIGINT or SIGTERM.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys

from support.servers import Kafka, Mongodb, Redis

_KINDS = {
    "kafka": (Kafka, "HOTPATH_TEST_BROKERS", lambda server: server.brokers),
    "redis": (Redis, "HOTPATH_TEST_REDIS_URL", lambda server: server.url),
    "mongodb": (Mongodb, "HOTPATH_TEST_MONGODB_URI", lambda server: server.url),
    "mongodb-standalone": (lambda: Mongodb(standalone=True), "HOTPATH_TEST_MONGODB_URI",
                           lambda server: server.url),
}


def main(arguments):
    own, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, command = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=sorted(_KINDS), metavar="server",
                        help=", ".join(sorted(_KINDS)))
    kinds = parser.parse_args(own).kinds
    # SIGTERM must unwind the stack, or the servers' folders stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    variables = {}
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            make, variable, address = _KINDS[kind]
            variables[variable] = address(stack.enter_context(make()))
        if command:
            return subprocess.run(command, env={**os.environ, **variables}).returncode
        for variable, value in variables.items():
            print(f"{variable}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
