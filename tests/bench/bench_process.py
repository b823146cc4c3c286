"""Runs one command and measures it: CPU, peak memory and bytes written, of it and of its children.

How: while the command runs, /proc/PID/stat (user and system time of all threads, also of those that
ended), VmHWM and /proc/PID/io of it and of its children are read every 20 ms, and the last reading
of a process counts. So up to 20 ms of wall time of each process's end is not seen, and the kernel
counts in ticks of 10 ms. The sums over all are exact nevertheless: they are wait4's rusage of the
command, which holds what it waited for. The difference is reported as `unattributed`, not spread.

Bytes written are those that the kernel must write to a disk (write_bytes: pages made dirty); a
state folder in a tmpfs has none.

Not counted: the servers (their CPU is measured apart by cpu_seconds), and this program.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
BLOCK_BYTES = 512       # of rusage's ru_oublock
RESTARTED = "died and is started again"     # what `hotpath run` logs of a part


class BenchError(Exception):
    """The bench cannot say a number: its message says why."""


def whole_number(name, text):
    """The whole number that a setting says."""
    try:
        return int(text)
    except ValueError:
        raise BenchError(f"{name}: {text} is no whole number") from None


def integer(environment, name, otherwise):
    """A setting that is a whole number; `otherwise` where it is not set, or empty."""
    text = environment.get(name)
    return whole_number(name, text) if text else otherwise


@dataclass
class Process:
    name: str
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    written_bytes: int = 0


@dataclass
class Measured:
    code: int
    stdout: str
    stderr: str
    wall_seconds: float
    cpu_seconds: float          # exact, of all together
    written_bytes: int          # likewise
    processes: dict = field(default_factory=dict)   # pid -> Process

    def by_name(self):
        """{name: (CPU seconds, sum of peak RSS bytes, processes)}."""
        names = {}
        for process in self.processes.values():
            cpu, rss, count = names.get(process.name, (0.0, 0, 0))
            names[process.name] = (cpu + process.cpu_seconds, rss + process.rss_bytes, count + 1)
        return names

    def written_by(self, name):
        return sum(process.written_bytes for process in self.processes.values()
                   if process.name == name)


def cpu_seconds(pid):
    """User and system seconds of a process so far, or None if it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()    # the name before may hold anything
    return (int(fields[11]) + int(fields[12])) / TICKS


def written_bytes(pid):
    """What a process had the kernel write to disks so far, or None if it has gone."""
    try:
        text = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines()
                 if line.startswith("write_bytes:")), None)


def _sample(pid, processes, is_parent):
    try:
        name = os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        name, status = None, ""     # it is ending: its times can still be read
    cpu = cpu_seconds(pid)
    if cpu is None or (name is None and pid not in processes):
        return
    process = processes.setdefault(pid, Process(name))
    process.name = name or process.name
    process.cpu_seconds = max(process.cpu_seconds, cpu)
    if not is_parent:       # the kernel adds to its bytes those of each child that has ended
        process.written_bytes = max(process.written_bytes, written_bytes(pid) or 0)
    at = status.find("VmHWM:")
    if at >= 0:
        process.rss_bytes = max(process.rss_bytes, int(status[at:].split()[1]) * 1024)


def _children(parent):
    pids = set()
    try:
        for task in os.listdir(f"/proc/{parent}/task"):
            pids.update(map(int, Path(f"/proc/{parent}/task/{task}/children").read_text().split()))
    except OSError:
        pass
    return pids


def _sample_all(parent, processes, deep):
    pids = {parent, *processes}
    looked_at = set()
    while looked_at != pids:
        for pid in (pids if deep else {parent}) - looked_at:
            pids |= _children(pid)
            looked_at.add(pid)
        if not deep:
            break
    for pid in pids:
        _sample(pid, processes, pid == parent)


def run(command, folder, seconds_max, deep=False):
    """Runs the command with its output in files of `folder`; a Measured whatever its exit code.
    BenchError, and all of it killed, if it takes longer than seconds_max. `deep`: the children's
    children are read too, ten times less often since they may have many threads; the sum of CPU
    holds them only if whoever is their parent waits for them."""
    out_path, error_path = Path(folder) / "stdout.txt", Path(folder) / "stderr.txt"
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("HOTPATH_")}
    processes = {}
    with open(out_path, "wb") as out, open(error_path, "wb") as errors:
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                 env=environment, cwd=folder, start_new_session=True)
    ended = 0
    try:
        while not ended:
            _sample_all(child.pid, processes, deep)
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
            if ended:
                break
            if time.monotonic() - began > seconds_max:
                raise BenchError(f"it did not end in {seconds_max:g} s: {' '.join(command)}\n"
                                 + tail(error_path))
            time.sleep(SAMPLE_SECONDS * (10 if deep else 1))
    finally:
        if not ended:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        else:
            child.returncode = os.waitstatus_to_exitcode(status)    # we reaped it ourselves
    return Measured(child.returncode, out_path.read_text(errors="replace"),
                    error_path.read_text(errors="replace"), time.monotonic() - began,
                    usage.ru_utime + usage.ru_stime, usage.ru_oublock * BLOCK_BYTES, processes)


def tail(path, lines=25):
    return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
