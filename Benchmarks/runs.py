"""Runs `apus bench` and the scripts of the peers (other libraries, such as PyTorch), and parses the lines that they
print."""

import datetime
import json
import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The JSON lines that one side, Apus or the peer, has printed. A line is the measurement of one problem. The key is the
# problem and its transpose (gemm) or pass (conv); the second part is "" for other kinds of benchmarks.
Lines = dict[tuple[str, str], dict]

# The number of cores that other processes may use during a valid run. Threads that wait for each other, such as
# PyTorch's threads, become a hundred times as slow when one of them has no core.
QUIET = 0.1
# The maximum number of times that a disturbed run is measured.
ATTEMPTS = 3


class Failure(Exception):
    """The reason why a comparison cannot run, and the exit status."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


def output(command: list, threads: int) -> str:
    """Runs a command with APUS_THREADS set to `threads`, and returns its output. The command does not get the
    OPENBLAS_* variables, because they select other code in Apus and in peers. Raises a Failure if the command fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    words = [str(word) for word in command]
    try:
        run = subprocess.run(words, capture_output=True, text=True, env=environment | {"APUS_THREADS": str(threads)})
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}", 69) from error
    if run.returncode != 0:
        raise Failure(run.stderr.strip() or f"{' '.join(words)} failed", run.returncode if run.returncode > 0 else 1)
    return run.stdout


def lines(command: list, threads: int) -> Lines:
    """The lines that a benchmark prints, each with the number of cores that other processes used while it ran."""
    load = OtherLoad()
    text = output(command, threads)
    others = {"others": round(load.cores(), 3)}
    found = [json.loads(line) | others for line in text.splitlines() if line.startswith("{")]
    return {(line["problem"], line.get("transpose", line.get("pass", ""))): line for line in found}


def others(found: Lines) -> float:
    """The largest number of cores that other processes used during the runs that printed these lines."""
    return max((line.get("others", 0.0) for line in found.values()), default=0.0)


def quietest(run) -> Lines:
    """Calls `run` until a call is not disturbed by other processes, but at most ATTEMPTS times. Returns the lines of
    the call that was disturbed least."""
    attempts = []
    while len(attempts) < ATTEMPTS and (not attempts or others(attempts[-1]) > QUIET):
        attempts.append(run())
    return min(attempts, key=others)


def speed(line: dict) -> float:
    """The rate of the median run, or the number of executions per millisecond if the line has no rate. The rate in the
    line is the rate of the fastest run."""
    rate = line.get("gflops", line.get("gbytes_per_second", line.get("images_per_second")))
    return rate * line["min_ms"] / line["median_ms"] if rate else 1 / line["median_ms"]


@dataclass
class Apus:
    path: Path
    device: str
    threads: int

    def check(self):
        if not os.access(self.path, os.X_OK):
            raise Failure(f"{self.path} is missing; build it: swift build -c release --product apus", 69)

    def bench(self, words: list, threads: int | None = None, runs: int = 3) -> Lines:
        command = [self.path, "bench", *words, "--device", self.device, "--runs", runs, "--json"]
        return lines(command, threads or self.threads)

    def title(self) -> str:
        """The title of the device, such as the name of the GPU; empty if the device is `cpu` or was not found."""
        if self.device == "cpu":
            return ""
        text = output([self.path, "devices", "--json"], self.threads)
        devices = [json.loads(line) for line in text.splitlines()]
        # The line of a device that is not available has a reason, but no name.
        return next((line["title"] for line in devices if line.get("name", "").startswith(self.device)), "")

    def version(self) -> str:
        """The version and the commit, with a + if the sources have changes that are not committed."""
        version = output([self.path, "--version"], self.threads).strip()
        git = ["git", "-C", HERE.parent]
        try:
            commit = output([*git, "rev-parse", "--short", "HEAD"], self.threads).strip()
            built_from = ["Package.swift", "Sources", "Kernels", "Benchmarks/ApusBenchmarks"]
            changed = output([*git, "status", "--porcelain", "--", *built_from], self.threads).strip()
        except Failure:
            return version
        return f"{version} ({commit}{'+' if changed else ''})"


@dataclass
class Peer:
    """A library to compare with. A script in `Peers` measures it. `python` is the interpreter that runs the script, in
    which the library is installed. `kinds` maps each kind of benchmark to the patterns of the problems that the script
    supports (for `step`, to the names of the workloads). A form is a way to run the library, such as eager or compiled.
    `forms` maps a kind to the names of the forms; a kind without an entry has one form, which has no name."""

    name: str
    python: str
    apus: Apus
    version: str = ""
    kinds: dict[str, list[str]] = field(default_factory=dict)
    forms: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def names() -> list[str]:
        return sorted(path.stem.removesuffix("_bench") for path in (HERE / "Peers").glob("*_bench.py"))

    def __post_init__(self):
        """Asks the script what it supports. If the peer is missing, the script prints how to install it."""
        found = json.loads(self.run(["describe"]))
        self.version, self.kinds, self.forms = found["peer"], found["kinds"], found["forms"]
        if self.apus.device.partition(":")[0] not in found["devices"]:
            message = f"{self.name} runs only on {' and '.join(found['devices'])}, not on {self.apus.device}"
            raise Failure(message, 64)

    def choose(self, kind: str, forms: list[str]):
        """Restricts later runs of a kind to these forms."""
        known = self.forms.get(kind, [])
        if unknown := [form for form in forms if form not in known]:
            raise Failure(f"{self.name} has no form {unknown[0]} of {kind}; choose from {', '.join(known)}", 64)
        self.forms = self.forms | {kind: forms}

    def command(self, words: list) -> list:
        return [self.python, HERE / "Peers" / f"{self.name}_bench.py", *words]

    def run(self, words: list) -> str:
        return output(self.command(words), self.apus.threads)

    def bench(self, words: list, form: str = "") -> Lines:
        shared = ["--device", self.apus.device, "--runs", 3, "--threads", self.apus.threads]
        chosen = ["--form", form] if form else []
        return lines(self.command([*words, *shared, *chosen]), self.apus.threads)

    def forms_of(self, words: list) -> dict[str, Lines]:
        """Runs the peer in each of its forms, such as eager and compiled. Returns the lines by form."""
        return {form: quietest(lambda: self.bench(words, form)) for form in self.forms.get(words[0], [""])}


def processor_facts(path: Path = Path("/proc/cpuinfo")) -> tuple[str, str, str]:
    """The processor's name, its family and its widest vector instructions. The name alone does not identify the
    processor: in virtual machines, several generations can have the same name."""
    facts = dict(re.findall(r"^([^\t:\n]+)\t*: (.*)$", path.read_text(), re.MULTILINE))
    if "model name" not in facts:
        return platform.machine(), "?", "vectors unknown"
    flags = facts.get("flags", "").split()
    widest = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "SSE")
    return facts["model name"].strip(), facts.get("cpu family", "?"), widest


def processor(path: Path = Path("/proc/cpuinfo")) -> str:
    name, family, widest = processor_facts(path)
    return name if family == "?" else f"{name}, family {family}, {widest}"


def processor_key(path: Path = Path("/proc/cpuinfo")) -> str:
    """The identifier of the processor in file names."""
    name, family, widest = processor_facts(path)
    return name if family == "?" else f"family{family}-{widest.lower().replace('-', '')}"


def machine(threads: int) -> str:
    """The date, the processor, its number of cores and the number of threads."""
    return f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, {threads} threads"


class OtherLoad:
    """Measures the load from processes that do not belong to the comparison. Such load makes results unreliable."""

    def __init__(self):
        self.start = self.state()

    @staticmethod
    def state(path: str = "/proc/stat") -> tuple[float, float, float]:
        """Returns three times in seconds: the monotonic clock; the busy time of all cores, including interrupts and the
        time for which the host of a virtual machine took cores away (`steal`); the processor time of this process and
        of the children that it waited for."""
        with open(path) as stat:
            user, nice, system, _, _, *interrupts = map(int, stat.readline().split()[1:9])
        busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])

    def cores(self) -> float:
        """The load in cores. Counters are rounded down to whole ticks, so a difference of up to five ticks is not
        counted as load."""
        passed, busy, own = (now - then for now, then in zip(self.state(), self.start))
        return max(0, busy - own - 5 / os.sysconf("SC_CLK_TCK")) / max(passed, 1e-3)
