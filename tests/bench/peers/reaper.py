"""Runs a Python program and waits for all processes that come of it, also those whose parent ended
first: so that the CPU of all of them is in what wait4 says of this process. Ends as the program
does.

    reaper.py PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LEFT_SECONDS_MAX = 20


def main():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("reaper: prctl failed")
    code = subprocess.Popen([sys.executable, *sys.argv[1:]]).wait()
    # PyFlink's JVM ends a moment after the program that started it.
    deadline = time.monotonic() + LEFT_SECONDS_MAX
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            if time.monotonic() > deadline:
                for left in children():
                    os.kill(left, signal.SIGKILL)
            time.sleep(0.05)


def children():
    """Of this process, which has one thread."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


if __name__ == "__main__":
    sys.exit(main())
