"""A thread that lasts as long as a `with`: started on the way in, told to end and waited for on the way out."""

import threading


class Background(threading.Thread):
    """To be derived from: run () looks at `ended`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
