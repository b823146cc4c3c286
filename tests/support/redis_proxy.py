"""A proxy in front of a Redis that is slow, cuts connections, or stands still.

    with RedisProxy(redis.port) as proxy:
        proxy.reply_seconds = 1.0       # each reply of the server takes so long, one after the other
        proxy.cut_after_bytes = 100     # of replies; then the connection is closed, in the middle
        proxy.held = True               # nothing goes either way, connections stay open
        proxy.cut ()                    # closes all connections now
        proxy.target = other.port       # new connections go there

What this does not do: change bytes.
"""

import contextlib
import socket
import threading
import time

POLL_SECONDS = 0.02
CHUNK_BYTES = 65536


def reply_end(data, at=0):
    """Where the reply that begins at `at` ends, or None: it is not whole."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, number = data[at:at + 1], data[at + 1:line]
    at = line + 2
    if kind == b"$":
        end = at + (int(number) + 2 if int(number) >= 0 else 0)
        return end if end <= len(data) else None
    if kind == b"*":
        for _ in range(max(int(number), 0)):
            at = reply_end(data, at)
            if at is None:
                return None
    return at


class RedisProxy:
    def __init__(self, target):
        self.target = target
        self.reply_seconds = 0.0
        self.cut_after_bytes = None
        self.held = False
        self.replies = 0            # that went through
        self.connections = 0
        self.open = set()
        self.lock = threading.Lock()
        self.ending = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.listener.close()
        self.cut()

    def cut(self):
        with self.lock:
            ends = list(self.open)
            self.open.clear()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def serve(self):
        while not self.ending:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                if not self.ending:
                    with contextlib.suppress(OSError, UnboundLocalError):
                        client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            with self.lock:
                self.open |= {client, server}
            for pump, source, to in ((self.forward, client, server),
                                     (self.backward, server, client)):
                threading.Thread(target=self.run, args=(pump, source, to), daemon=True).start()

    def run(self, pump, source, to):
        with contextlib.suppress(OSError, ValueError):
            pump(source, to)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self.lock:
                self.open.discard(end)

    def wait_while_held(self):
        while self.held and not self.ending:
            time.sleep(POLL_SECONDS)

    def forward(self, client, server):
        while data := client.recv(CHUNK_BYTES):
            self.wait_while_held()
            server.sendall(data)

    def backward(self, server, client):
        data, sent = b"", 0
        while more := server.recv(CHUNK_BYTES):
            data += more
            while data:
                end = reply_end(data)
                if end is None:
                    break
                self.wait_while_held()
                if self.reply_seconds:
                    time.sleep(self.reply_seconds)
                    piece, data = data[:end], data[end:]
                    self.replies += 1
                else:
                    piece, data = data, b""     # whole or not: as fast as it comes
                if self.cut_after_bytes is not None and \
                        sent + len(piece) > self.cut_after_bytes:
                    client.sendall(piece[:max(self.cut_after_bytes - sent, 0)])
                    return
                client.sendall(piece)
                sent += len(piece)
