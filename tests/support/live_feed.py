"""Feeds records to a topic as time goes by: each when the clock reaches its record time.

One producer sends all of them, so that what a broker that is away does not take waits in it and comes
later, in order, as from a real client. What this does not do: make the records (maker does, with
start_ms a moment from now).
"""

import threading
import time

from confluent_kafka import Producer

FLUSH_SECONDS_MAX = 60


class LiveFeed:
    """A thread that feeds; leaving it waits until every record was taken by the brokers.

    `settings` are more of librdkafka's, such as compression.type.
    """

    def __init__(self, brokers, topic, records, **settings):
        self.topic = topic
        self.records = sorted(records, key=lambda record: record.time_ms)
        self.refused = []
        self.taken = 0
        self.producer = Producer({
            "bootstrap.servers": brokers, "linger.ms": 5, "acks": "all",
            "enable.idempotence": True, "reconnect.backoff.max.ms": 500, "log_level": 0,
            **{name.replace("_", "."): value for name, value in settings.items()}})
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _keep(self, error, _message):
        if error is not None:
            self.refused.append(error)
        else:
            self.taken += 1

    def _run(self):
        for record in self.records:
            while not self.stopped.is_set():
                wait = record.time_ms / 1000 - time.time()
                self.producer.poll(min(max(wait, 0), 0.1))
                if wait <= 0:
                    break
            if self.stopped.is_set():
                return
            self.producer.produce(self.topic, value=record.value, key=record.key,
                                  partition=record.partition, timestamp=record.time_ms,
                                  on_delivery=self._keep)

    def feeding(self):
        return self.thread.is_alive()

    def __enter__(self):
        self.thread.start()
        return self

    def finish(self):
        """Waits for the last record's time, and until all were taken."""
        self.thread.join()
        left = self.producer.flush(FLUSH_SECONDS_MAX)
        if left or self.refused or self.taken != len(self.records):
            raise RuntimeError(f"{self.taken} of {len(self.records)} records were taken, {left} "
                               f"not sent, refused: {self.refused[:1]}")

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        self.producer.purge()
