"""A standalone cluster of separate processes on this machine: a master and its workers."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_WAIT = 90


class Cluster:
    """Processes by what they are.

    Attributes
    ----------
    master : str
        Its address.
    workers : list of int
        Process ids.
    """

    def __init__(self, folder: Path) -> None:
        import pyspark

        self._class = Path(pyspark.__file__).parent / "bin" / "spark-class"
        self._folder = folder
        self._processes: list[subprocess.Popen] = []
        log = self._start("master", "Master", "--port", "0", "--webui-port", "0")
        self.master = self._told(log, r"Starting Spark master at (spark://\S+)")
        self.workers: list[int] = []

    def add_worker(self, name: str) -> None:
        """Start a worker of one core, and wait until the master knows it."""
        place = self._folder / name
        options = ("--cores", "1", "--memory", "1g", "--work-dir", str(place), "--webui-port", "0")
        log = self._start(name, "Worker", *options, self.master)
        self._told(log, r"(Successfully registered) with master")
        self.workers.append(self._processes[-1].pid)

    def _start(self, name: str, kind: str, *arguments: str) -> Path:
        log = self._folder / f"{name}.log"
        command = [str(self._class), f"org.apache.spark.deploy.{kind.lower()}.{kind}"]
        environment = os.environ | {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_MASTER_HOST": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
        }
        with log.open("w") as stream:
            self._processes.append(
                subprocess.Popen(
                    [*command, "--host", "127.0.0.1", *arguments],
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
        return log

    def _told(self, log: Path, pattern: str) -> str:
        until = time.monotonic() + _WAIT
        while time.monotonic() < until:
            found = re.search(pattern, log.read_text(errors="replace"))
            if found:
                return found[1]
            time.sleep(0.2)
        pytest.fail(f"not told within {_WAIT} s: {pattern}\n{log.read_text(errors='replace')}")

    def stop(self) -> None:
        """End all processes, and those that they started."""
        for process in reversed(self._processes):
            for pid in [*descendants(process.pid), process.pid]:
                kill(pid)
            process.wait()


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those have, and so on."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    own = [int(child) for child in told.split()]
    return [each for child in own for each in (child, *descendants(child))] + _by_threads(pid, own)


def _by_threads(pid: int, known: list[int]) -> list[int]:
    """Return what other threads of a process have started, as those of a JVM do."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            if child not in known:
                found += [child, *descendants(child)]
    return found


def kill(pid: int) -> None:
    """Kill a process at once, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_worker(pid: int) -> None:
    """Kill a worker and its executors, by process id."""
    for each in [pid, *descendants(pid)]:
        kill(each)


@contextmanager
def standalone(folder: Path, workers: int):
    """Yield a cluster, and end its processes."""
    cluster = Cluster(folder)
    try:
        for number in range(workers):
            cluster.add_worker(f"worker-{number}")
        yield cluster
    finally:
        cluster.stop()
