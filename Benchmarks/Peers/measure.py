"""Code shared by the scripts of the peers, which are the libraries that Apus is compared with. Like `apus bench`, it
parses arguments, times functions and prints JSON lines."""

import argparse
import ctypes
import importlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def arguments(description, devices, forms=None, dtypes=None, precisions=("float32",)):
    """Parses the arguments of `apus bench`, and also `--form` and `--threads`.

    `forms` maps a kind, such as `gemm`, to the names of the ways in which the peer can run this kind, such as eager and
    compiled. A kind without an entry has one form, which has no name. `dtypes` maps a kind to the element types that
    the peer supports. A kind without an entry supports only `float32`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("kind", choices=["gemm", "conv", "ops", "step", "loader", "describe"])
    parser.add_argument("workloads", nargs="?", default="", help="with step: the workloads, separated by commas")
    parser.add_argument("--problem", action="append", default=[], help="required with gemm, conv, ops and loader")
    parser.add_argument("--transpose", choices=["NN", "NT", "TN"])
    parser.add_argument("--pass", dest="passes", choices=["forward", "input", "weight", "all"])
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--precision", default="float32", choices=precisions)
    parser.add_argument("--device", default=devices[0], help=f"{' or '.join(devices)} (default: {devices[0]})")
    parser.add_argument("--form", default="", help="one of the forms that describe lists (default: the first)")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    result = parser.parse_args()
    result.devices, result.forms = devices, forms or {}
    known = result.forms.get(result.kind, [""])
    result.form = result.form or known[0]
    if result.form not in known:
        parser.error(f"unknown form {result.form} of {result.kind}; choose from {', '.join(known)}")
    if result.dtype not in (known := (dtypes or {}).get(result.kind, ["float32"])):
        parser.error(f"{result.kind} has no type {result.dtype}; choose from {', '.join(known)}")
    if result.kind != "describe" and result.device.partition(":")[0] not in devices:
        parser.error(f"unknown device {result.device}; choose from {', '.join(devices)}")
    names = ([result.workloads] if result.workloads else []) if result.kind == "step" else result.problem
    result.names = [name for words in names for name in words.split(",")]
    if result.kind in ("gemm", "conv", "ops", "loader") and not result.names:
        parser.error(f"{result.kind} needs --problem; Benchmarks/compare passes the problems of apus bench")
    result.transposes = [result.transpose] if result.transpose else ["NN", "NT", "TN"]
    result.passes = [result.passes] if result.passes not in (None, "all") else ["forward", "input", "weight"]
    return result


def stop(reason, install):
    """Prints the reason and how to install what is missing. Exits with 69, as `apus` does if a device is missing."""
    script = Path(sys.argv[0]).stem
    print(f"{script}: {reason}; install it: {install}", file=sys.stderr)
    sys.exit(69)


def need(module, package):
    """If a module cannot be imported, prints how to install it and exits with status 69."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        stop(error, f"{sys.executable} -m pip install '{package}'")


def library(source, *flags):
    """Compiles a C file of this directory for this processor and loads it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        stop("no C compiler was found", "apt-get install gcc libc6-dev")
    with tempfile.TemporaryDirectory() as folder:
        result, path = f"{folder}/library.so", Path(__file__).with_name(source)
        shared = ["-O3", "-march=native", "-shared", "-fPIC", "-pthread", *flags]
        subprocess.run([compiler, *shared, "-o", result, path], check=True)
        return ctypes.CDLL(result)


def serve(options, peer, bodies, steps=(), problems="*", large=()):
    """Runs the selected measurements, or prints what the script supports if the kind is `describe`.

    `bodies` maps each supported kind to a function that takes the name of a problem and prints a line for each of its
    measurements (nothing if the form does not apply to the problem). `steps` are the supported workloads of `step`, and
    `large` those that run only if they are named. For all other kinds, `problems` is the pattern of the names of the
    supported problems.
    """
    if options.kind == "describe":
        kinds = {kind: list(steps) if kind == "step" else [problems] for kind in bodies}
        print(json.dumps({"peer": peer, "devices": options.devices, "kinds": kinds, "forms": options.forms}))
    elif options.kind not in bodies:
        sys.exit(f"{Path(sys.argv[0]).stem}: {options.kind} is not supported; choose from {', '.join(bodies)}")
    elif unknown := [name for name in options.names if options.kind == "step" and name not in (*steps, *large)]:
        known = ", ".join([*steps, *large])
        sys.exit(f"{Path(sys.argv[0]).stem}: unknown workload {unknown[0]}; choose from {known}")
    else:
        for name in options.names or steps:
            bodies[options.kind](name)


def measure(body, synchronize, runs, span=0.05):
    """Returns, for each run, the milliseconds per execution of `body`. A run executes `body` often enough to take about
    `span` seconds. Before the first run come three warm-up executions and a timed one, from which the number of
    executions per run is computed."""

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


def report(peer, samples, operations=None, byte_count=None, images=None, dtype="float32", **line):
    """Prints a line with the keys of `apus bench --json`. Rates are computed from the fastest run."""
    fastest = min(samples)
    line |= {"dtype": dtype, "median_ms": round(statistics.median(samples), 5), "min_ms": round(fastest, 5)}
    line |= {"runs": len(samples), "peer": peer}
    if operations:
        line["gflops"] = round(operations / fastest / 1e6, 2)
    if byte_count:
        line["gbytes_per_second"] = round(byte_count / fastest / 1e6, 2)
    if images:
        line["images_per_second"] = round(images / fastest * 1e3, 1)
    print(json.dumps(line), flush=True)


def convolution(name):
    """The sizes of a convolution such as N32C64H32W32K64R3S3P1U1D1G1."""
    sizes = {"P": 0, "U": 1, "D": 1, "G": 1}
    return sizes | {letter: int(number) for letter, number in re.findall(r"([A-Z])(\d+)", name)}


class ProcessUse:
    """The time and memory of a process that runs a workload of `step`: the time from the start of the process to the
    first loss, and the peak resident memory minus the resident memory before the model was built. Apus measures both in
    the same way on the CPU. Only the first workload of a process has these values."""

    is_used = False

    def __init__(self):
        self.is_first, ProcessUse.is_used = not ProcessUse.is_used, True
        self.before = status_bytes("VmRSS")

    def first_loss(self):
        with open("/proc/self/stat") as stat:
            ticks = float(stat.read().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        self.first_step_ms = round(age * 1e3)

    def line(self):
        if not self.is_first:
            return {}
        return {"first_step_ms": self.first_step_ms, "peak_bytes": status_bytes("VmHWM") - self.before}


def status_bytes(key):
    """Memory of this process from the system: `VmRSS` is the current resident size, `VmHWM` its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))
