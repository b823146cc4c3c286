"""Named crash points (common/crash_point.h) from Python's side: the table, and a folder by which a test
arms one at any time in whichever process of a kind passes it first."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
_ENTRY = re.compile(r'X \((\w+),\s+"([a-z-]+)",\s+CRASH_(\w+),\s+"([^"]+)"\)')
_WORKERS = ("scorer", "profiler", "metrics")


class Point(NamedTuple):
    name: str
    kinds: tuple    # of process
    where: str


def table():
    """Every point there is, as the source has it."""
    text = (ROOT / "common" / "crash_point.h").read_text()
    points = [Point(name, _WORKERS if kinds == "WORKERS" else (kinds.lower(),), where)
              for _, name, kinds, where in _ENTRY.findall(text)]
    in_list = text[text.index("#define CRASH_POINT_LIST"):].count("    X (")
    if not points or len(points) != in_list:
        raise ValueError("common/crash_point.h has a list that cannot be read here")
    return points


class Acted(NamedTuple):
    kind: str
    name: str
    pid: int
    action: str


class CrashFolder:
    """Processes that are started with environment () look here at each point that they pass."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for part in ("armed", "taken"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def environment(self):
        return {"HOTPATH_CRASH_DIR": str(self.folder)}

    def arm(self, kind, name, options=""):
        """The first process of the kind that passes the point takes it. Options as in the header."""
        new = self.folder / f"new.{kind}.{name}"
        new.write_text(options)
        new.rename(self.folder / "armed" / f"{kind}.{name}")

    def is_armed(self, kind, name):
        """Nobody has passed it yet."""
        return (self.folder / "armed" / f"{kind}.{name}").exists()

    def disarm(self, kind, name):
        """False: it was taken before."""
        try:
            (self.folder / "armed" / f"{kind}.{name}").unlink()
            return True
        except FileNotFoundError:
            return False

    def disarm_all(self):
        for path in (self.folder / "armed").iterdir():
            self.disarm(*path.name.split(".", 1))

    def acted(self):
        """All that has happened, in order."""
        try:
            lines = (self.folder / "acted").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Acted(*place.split(".", 1), int(pid), action)
                for place, pid, action in (line.split() for line in lines)]
