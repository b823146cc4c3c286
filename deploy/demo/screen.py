"""Where the demo shows what it sees: redrawn in place on a terminal, plain text elsewhere."""

import os
import shutil
import sys

_STYLES = {"": "", "bold": "\x1b[1m", "dim": "\x1b[2m", "up": "\x1b[32m", "down": "\x1b[31m",
           "good": "\x1b[1;32m"}
_SIGNS = {"up": "▲", "down": "▼", "same": "·", "bar": "█"}
_ASCII_SIGNS = {"up": "+", "down": "-", "same": "=", "bar": "#"}


class Screen:
    def __init__(self):
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.signs = _SIGNS if utf8 else _ASCII_SIGNS
        self.drawn_lines = 0            # of the frame that a next one may replace

    def say(self, text="", style=""):
        """One line that stays."""
        self.drawn_lines = 0
        self._write([(text, style)])

    def frame(self, lines):
        """Several (text, style); replaces the last frame if nothing was said since and it fits."""
        size = shutil.get_terminal_size()
        if self.is_terminal and 0 < self.drawn_lines < size.lines:
            sys.stdout.write(f"\x1b[{self.drawn_lines}F\x1b[J")
        self._write(lines)
        self.drawn_lines = len(lines)

    def _write(self, lines):
        columns = shutil.get_terminal_size().columns
        for text, style in lines:
            if self.is_terminal:
                # A line that wraps would be two when it is replaced.
                text = text[:columns - 1]
                if style:
                    text = f"{_STYLES[style]}{text}\x1b[0m"
            sys.stdout.write(text.rstrip() + "\n")
        sys.stdout.flush()
