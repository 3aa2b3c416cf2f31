"""What the parts of `run` use: the unpacked programs, the folder of results, and processes with a time limit."""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Libraries that are not used from the archive if the machine has its own: its driver may need a newer version.
SYSTEM = ["libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libOpenCL.so.1"]

# The number of characters from the end of each output that the log keeps.
KEPT = 100_000


class Failed(Exception):
    """The reason why a part failed."""


class Skipped(Exception):
    """The reason why a part cannot run on this machine."""


@dataclass
class Outcome:
    """The result of a part: `passed`, `failed` or `skipped`, the reason if it did not pass, notes for the report, and
    the tables of `Benchmarks/compare`."""

    status: str
    seconds: float = 0
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    facts: dict = field(default_factory=dict)


def has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def unpack(archives: list[Path], parent: Path) -> Path:
    """Unpacks the archives into a folder of `parent`, unless an earlier call has done it. Returns the folder."""
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(archive.read_bytes())
    folder = parent / f"apus-gpu-{os.getuid()}-{digest.hexdigest()[:16]}"
    if folder.exists():
        return folder
    incomplete = Path(tempfile.mkdtemp(dir=parent))
    for archive in archives:
        with tarfile.open(archive) as tar:
            tar.extractall(incomplete, filter="data")
    for name in SYSTEM:
        if has_library(name):
            (incomplete / "lib" / name).unlink(missing_ok=True)
    # `Benchmarks/compare` starts Apus with this script, which sets the library path for Apus alone: PyTorch has its own
    # libraries.
    script = f'#!/bin/sh\nLD_LIBRARY_PATH={folder}/lib:$LD_LIBRARY_PATH exec {folder}/bin/apus "$@"\n'
    (incomplete / "apus").write_text(script)
    (incomplete / "apus").chmod(0o755)
    incomplete.rename(folder)
    return folder


def end_group(process: subprocess.Popen):
    """Ends a command and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Machine:
    """Runs the unpacked programs on this machine. Each part has its own `deadline`, notes and tables."""

    def __init__(self, results: Path, device: str, is_quick: bool):
        self.results, self.device, self.is_quick = results, device, is_quick
        temporary = Path(tempfile.gettempdir())
        self.folder = unpack(sorted(HERE.glob("*.tar.*")), temporary)
        self.apus = self.folder / "apus"
        self.tests = self.folder / "bin/ApusPackageTests.xctest"
        self.images = self.folder / "fashion-mnist"
        self.benchmarks = HERE / "Benchmarks"
        self.scratch = Path(tempfile.mkdtemp(prefix="apus-gpu-run-", dir=temporary))
        self.cores = len(os.sched_getaffinity(0))
        self.environment = os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")}
        self.has_torch: bool | None = None
        self.deadline = 0.0
        self.outcome = Outcome("passed")
        self.lock = threading.Lock()
        self.live: set[subprocess.Popen] = set()
        self.state = json.loads(self.state_path.read_text()) if self.state_path.exists() else {}

    @property
    def state_path(self) -> Path:
        return self.results / "parts.json"

    def stop(self):
        """Ends all commands that run, and prevents the start of others."""
        self.deadline = 0
        for process in list(self.live):
            end_group(process)

    def close(self):
        self.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run(self, name: str, body, limit: float) -> Outcome:
        """Runs a part and stores its outcome."""
        start = time.monotonic()
        self.deadline, self.outcome = start + limit, Outcome("passed")
        self.log(f"\n===== {name} =====\n")
        try:
            body(self)
        except Skipped as reason:
            self.outcome.status, self.outcome.reason = "skipped", str(reason)
        except Exception as reason:  # whatever it is, the other parts run
            is_known = isinstance(reason, Failed)
            self.outcome.status = "failed"
            self.outcome.reason = str(reason) if is_known else f"{type(reason).__name__}: {reason}"
        self.outcome.seconds = round(time.monotonic() - start, 1)
        self.log(f"\n{name}: {self.outcome.status} {self.outcome.reason}\n")
        self.state[name] = asdict(self.outcome)
        part = self.state_path.with_suffix(".part")
        part.write_text(json.dumps(self.state, indent=1))
        part.rename(self.state_path)
        return self.outcome

    def log(self, text: str):
        with self.lock, (self.results / "parts.log").open("a") as log:
            log.write(text)

    def note(self, text: str):
        with self.lock:
            self.outcome.notes.append(text)

    def call(self, words: list, check=True, **variables: str) -> tuple[int, str]:
        """Runs a command to its end or to the deadline of the part. Returns its exit status and its output. Raises
        `Failed` if the command runs into the deadline or, with `check`, if its status is not 0."""
        words = [str(word) for word in words]
        left = self.deadline - time.monotonic()
        line = " ".join([*(f"{name}={value}" for name, value in variables.items()), *words])
        if left <= 0:
            raise Failed(f"no time was left for: {line}")
        start = time.monotonic()
        # The command gets a process group of its own, so that it can be ended with all its children.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env=self.environment | variables,
        )  # fmt: skip
        self.live.add(process)
        try:
            data, _ = process.communicate(timeout=left)
            is_late = False
        except subprocess.TimeoutExpired:
            end_group(process)
            data, _ = process.communicate()
            is_late = True
        finally:
            self.live.discard(process)
        text = data.decode(errors="replace")
        seconds = time.monotonic() - start
        self.log(f"\n$ {line}\n{text[-KEPT:]}\n[status {process.returncode}, {seconds:.1f} s]\n")
        if is_late:
            raise Failed(f"stopped after {seconds:.0f} s: {line}")
        if check and process.returncode != 0:
            last = next((part for part in reversed(text.splitlines()) if part.strip()), "no output")
            raise Failed(f"{last[:300]} (status {process.returncode} of {line})")
        return process.returncode, text

    def run_apus(self, *words, check=True, **variables: str) -> tuple[int, str]:
        return self.call([self.apus, *words], check, **variables)

    def devices(self) -> list[dict]:
        """The lines of `apus devices --json`."""
        _, text = self.run_apus("devices", "--json", check=False)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def compare(self, *words):
        """Runs `Benchmarks/compare` and keeps its tables."""
        rounds = 1 if self.is_quick else 3
        shared = ["--device", self.device, "--apus", self.apus, "--rounds", rounds, "--attempts", 1]
        command = [sys.executable, self.benchmarks / "compare", *words, *shared, "--python", sys.executable]
        _, text = self.call(command)
        # Remove the progress messages of compare. They are on standard error, which `call` merges into the output.
        text = re.sub(r"^compare: .*\n", "", text, flags=re.MULTILINE)
        sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
        if not sections:
            raise Failed("compare printed no table")
        self.outcome.sections += sections

    def suites(self, devices: str, filters: list[str], prefix: list = (), **variables: str):
        """Runs test suites, each in its own process, several at a time. Raises `Failed` if a suite fails or runs no
        test, or if compute-sanitizer finds an error."""
        libraries = f"{self.folder}/lib:{os.environ.get('LD_LIBRARY_PATH', '')}"
        chosen = {
            "APUS_TEST_DEVICES": devices,
            "LD_LIBRARY_PATH": libraries,
            "SWIFT_BACKTRACE": "enable=no",
        } | variables

        def suite(name: str) -> str:
            """What is wrong with the suite; empty if nothing is."""
            words = [*prefix, self.tests, "--testing-library", "swift-testing", "--filter", name]
            try:
                status, text = self.call(words, check=False, **chosen)
            except Failed as reason:
                self.note(f"{name}: {reason}")
                return f"{name} was stopped"
            last = re.findall(r"Test run with (\d+) tests?.* (passed|failed) after ([\d.]+) seconds(.*)", text)
            count, verdict, seconds, issues = last[-1] if last else ("no", f"ended with status {status}", "?", "")
            skipped = [
                f"{test} ({why})" for test, why in re.findall(r"(\S+) skipped: \"?(.*?)\"?$", text, re.MULTILINE)
            ]
            known = re.findall(r"^========= ERROR SUMMARY: (\d+) error", text, flags=re.MULTILINE)
            found = f", {sum(map(int, known))} errors of the sanitizer" if known else ""
            left_out = f"; skipped: {', '.join(skipped)}" if skipped else ""
            self.note(f"{name}: {count} tests {verdict}, {seconds} s{issues.rstrip('.')}{found}{left_out}")
            is_right = status == 0 and verdict == "passed" and int(count) > 0 and not any(map(int, known))
            return "" if is_right else f"{name} {verdict}{found}"

        with ThreadPoolExecutor(max(2, min(self.cores, 12))) as pool:
            wrong = [reason for reason in pool.map(suite, filters) if reason]
        if wrong:
            raise Failed("; ".join(wrong))
