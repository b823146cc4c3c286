"""Reads what configd publishes, as one of those who follow it: by the Clone pattern of
common/config_wire.h.

    snapshot = read_snapshot ("ipc:///…/configd")      # {(tenant, scenario): Published}
"""

import json
import os
import time
from typing import NamedTuple

import msgpack
import zmq

VERSION = 2
WANTED, SNAPSHOT = 1, 1
SECONDS_MAX = 30
ASK_AGAIN_MS = 500


class Published(NamedTuple):
    active: bool
    era: int
    number: int
    config: dict


def requests_endpoint(endpoint):
    if endpoint.startswith("tcp://"):
        address, port = endpoint.rsplit(":", 1)
        return f"{address}:{int(port) + 1}"
    return f"{endpoint}.requests"


def read_snapshot(endpoint, seconds=SECONDS_MAX):
    topic = b"S" + os.urandom(8).hex().encode()
    wanted = b"".join(map(msgpack.packb, [VERSION, WANTED, "test-reader", 1, topic.decode(), 0, 0]))
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber, \
            context.socket(zmq.PUSH) as requests:
        subscriber.linger = requests.linger = 0
        subscriber.subscribe(topic)
        subscriber.connect(endpoint)
        requests.connect(requests_endpoint(endpoint))
        found, chunks = {}, 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            requests.send(wanted)
            while subscriber.poll(ASK_AGAIN_MS):
                values = msgpack.Unpacker(max_buffer_size=0)
                values.feed(subscriber.recv()[len(topic):])
                version, kind, _, _, _, chunk, chunk_count, entries = (next(values) for _ in range(8))
                assert (version, kind) == (VERSION, SNAPSHOT)
                if chunk != chunks:
                    found, chunks = {}, 0
                    continue
                chunks += 1
                for _ in range(entries):
                    tenant, scenario, active, era, number, text = (next(values) for _ in range(6))
                    found[tenant, scenario] = Published(active, era, number,
                                                        json.loads(text) if text else None)
                if chunks == chunk_count:
                    return found
    raise TimeoutError(f"no snapshot from {endpoint} in {seconds} s")
