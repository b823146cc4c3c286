"""What the shards of a state folder hold on disk, read past hotpath: vectors, watermarks, counts.

Only while no process writes there: hotpath's stores are opened without LMDB's locks. The layout of
the record is common/shard.c's (write_head); another format is an error, not a guess.
"""

import struct
from pathlib import Path
from typing import NamedTuple

import lmdb
import msgpack

STAGES = ("scorer", "profiler", "metrics")
HEAD_FORMAT = 2
CHECKSUM_BYTES = 4      # behind each value (common/shard_store.h)


class Head(NamedTuple):
    """One shard."""
    epoch: int
    watermark_ms: int
    counted: int        # events whose counting stage this is
    late: int
    skipped: int
    vector: dict        # partition -> (next offset, greatest event time)
    owed: int           # records of results that Redis does not have yet


def read_shards(state, stages=STAGES):
    """{(stage, shard number): Head} of all that have a store."""
    found = {}
    for stage in stages:
        for folder in sorted((Path(state) / stage).glob("[0-9]*")):
            if (folder / "data.mdb").exists() and (head := _read_head(folder)) is not None:
                found[stage, int(folder.name)] = head
    return found


def durable_offsets(state, shards, stages=STAGES):
    """{partition: least next offset over all shards}: what no commit in Kafka may pass. A shard
    without a store, or without an entry, has nothing: 0."""
    heads = read_shards(state, stages)
    vectors = [heads[stage, number].vector if (stage, number) in heads else {}
               for stage in stages for number in range(shards)]
    names = {name for vector in vectors for name in vector}
    return {name: min(vector.get(name, (0, 0))[0] for vector in vectors) for name in names}


def _read_head(folder):
    with lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as store, \
            store.begin() as transaction:
        epoch = transaction.get(b"epoch\0")
        record = transaction.get(b"h")
        owed = sum(1 for _ in _keys_from(transaction, b"o"))
    if record is None:
        return None     # taken, and never committed
    fields = msgpack.Unpacker(raw=False)
    fields.feed(record[:-CHECKSUM_BYTES])
    form = fields.unpack()
    if form != HEAD_FORMAT:
        raise ValueError(f"{folder} has a head of format {form}: see write_head in common/shard.c")
    watermark, _, _, counted, late, skipped, present = (fields.unpack() for _ in range(7))
    vector = {}
    for _ in range(present):
        name, following, greatest = (fields.unpack() for _ in range(3))
        vector[name] = (following, greatest)
    return Head(struct.unpack_from("<IIQ", epoch)[2], watermark, counted, late, skipped, vector, owed)


def _keys_from(transaction, prefix):
    cursor = transaction.cursor()
    if not cursor.set_range(prefix):
        return
    for key in cursor.iternext(values=False):
        if not key.startswith(prefix):
            return
        yield key
