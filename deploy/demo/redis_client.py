"""As much of a Redis client as the demo needs: one connection, one command at a time, text."""

import socket


class RedisError(Exception):
    """The server's error answer, or a broken connection."""


class RedisClient:
    def __init__(self, port, seconds_max=10):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds_max)
        except OSError as error:
            raise RedisError(f"127.0.0.1:{port}: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def close(self):
        self.answers.close()
        self.socket.close()

    def ask(self, *words):
        """The answer to one command: text, an integer, None, or a list of these."""
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        try:
            self.socket.sendall(b"".join(parts))
            return self._answer()
        except OSError as error:
            raise RedisError(f"the connection broke: {error}") from error

    def pairs(self, *words):
        """The answer to HGETALL or ZREVRANGE … WITHSCORES as {name: value}, in its order."""
        answer = self.ask(*words)
        return dict(zip(answer[::2], answer[1::2]))

    def _answer(self):
        line = self.answers.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("the connection ended")
        kind, text = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"-":
            raise RedisError(text)
        if kind == b":":
            return int(text)
        if kind == b"$":
            size = int(text)
            return None if size < 0 else self._bytes(size)
        if kind == b"*":
            return [self._answer() for _ in range(max(0, int(text)))]
        return text

    def _bytes(self, size):
        got = self.answers.read(size + 2)
        if len(got) != size + 2:
            raise RedisError("the connection ended")
        return got[:size].decode(errors="replace")
