"""What the scripts of the peers share: the words of `apus bench`, its clock and its lines."""

import argparse
import json
import os
import re
import statistics
import time


def arguments(description, devices):
    """The words of `apus bench`, and the number of threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("kind", choices=["gemm", "conv", "ops", "step"])
    parser.add_argument("workloads", nargs="?", help="with step: the workloads, with commas between")
    parser.add_argument("--problem", action="append", default=[])
    parser.add_argument("--transpose", choices=["NN", "NT", "TN"])
    parser.add_argument("--pass", dest="passes", choices=["forward", "input", "weight", "all"])
    parser.add_argument("--device", default=devices[0], choices=devices)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    result = parser.parse_args()
    result.problems = [name for names in result.problem for name in names.split(",")]
    result.steps = (result.workloads or "").split(",")
    return result


def measure(body, synchronize, runs, span=0.05):
    """Milliseconds for one execution: a few to warm up, then runs of as many as take `span` seconds."""

    def run(count):
        start = time.perf_counter()
        for _ in range(count):
            body()
        synchronize()
        return (time.perf_counter() - start) / count

    for _ in range(3):
        run(1)
    count = int(span / max(run(1), span / 100_000)) + 1
    return [run(count) * 1e3 for _ in range(runs)]


def report(peer, samples, operations=None, byte_count=None, **line):
    """Prints a line with the keys of `apus bench --json`; rates are those of the fastest run."""
    fastest = min(samples)
    line |= {"dtype": "float32", "median_ms": round(statistics.median(samples), 5), "min_ms": round(fastest, 5)}
    line |= {"runs": len(samples), "peer": peer}
    if operations:
        line["gflops"] = round(operations / fastest / 1e6, 2)
    if byte_count:
        line["gbytes_per_second"] = round(byte_count / fastest / 1e6, 2)
    print(json.dumps(line), flush=True)


def convolution(name):
    """The sizes of a convolution such as N32C64H32W32K64R3S3P1U1D1G1."""
    sizes = {"P": 0, "U": 1, "D": 1, "G": 1}
    return sizes | {letter: int(number) for letter, number in re.findall(r"([A-Z])(\d+)", name)}


def resident_bytes(key="VmRSS"):
    """What the system says of the memory of this process; `VmHWM` is the most it ever held."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))


def process_milliseconds():
    """Milliseconds since this process was started."""
    with open("/proc/self/stat") as stat:
        ticks = float(stat.read().rpartition(")")[2].split()[19])
    return (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")) * 1e3
