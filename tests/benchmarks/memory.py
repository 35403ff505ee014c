"""Peak memory of each process of an ingest, at one number of variants and at twice as many.

    python -m tests.benchmarks.memory [--people 12380] [--sites 2000]

Prints JSON: the largest resident set of any process, and the ratio of the doubled file to the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.ingest import ROOT, ingest_command, write_study


def peak_mb(command: list[str]) -> float:
    """Return the largest VmHWM, in MB, of a command and of the processes it starts."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            pids = [process.pid, *map(int, children.read_text().split())]
        except OSError:
            break
        for pid in pids:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:  # ended meanwhile
                continue
            found = [line for line in status.splitlines() if line.startswith("VmHWM")]
            peak = max(peak, *(int(line.split()[1]) for line in found), 0)
        time.sleep(0.02)
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1024


def measure(people: int, sites: int) -> dict:
    result: dict = {"people": people, "sites": [sites, 2 * sites], "peak_mb": {}}
    with tempfile.TemporaryDirectory() as folder:
        studies = [write_study(Path(folder) / str(n), people, n) for n in (sites, 2 * sites)]
        for workers in (1, 2):
            peaks = [peak_mb(ingest_command(study, workers)) for study in studies]
            result["peak_mb"][f"workers_{workers}"] = [round(peak) for peak in peaks]
            result[f"doubled / single, workers {workers}"] = round(peaks[1] / peaks[0], 3)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=12_380)
    parser.add_argument("--sites", type=int, default=2_000)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.sites), indent=1))
