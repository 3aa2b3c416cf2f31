"""Runs the command on damaged and hostile files of every format, and reports crashes, traps and exceeded limits.

    python mutants_check.py APUS [--formats png,csv] [--count 10000] [--seconds 600] [--jobs 2] [--seed 1] [--keep DIR]

Each such file is a mutant. On a mutant, the command has to exit with 0, 1, 64, 65 or 74, use at most 1 GiB of resident
memory and 10 seconds of processor time, and write at most 20 KiB to standard error, without control characters other
than tabs and line feeds.
Image formats run in batches, since one process reads many images. A failing batch is halved until the failing mutants
are found. Failing mutants are kept in DIR. Needs only Python.
"""

import argparse
import concurrent.futures
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutants_formats import FORMATS, SMALL_TEXT, Text, idx

MEMORY = 1 << 30
SECONDS = 10
# The limit of the virtual address space. It is far above MEMORY, the limit of the measured resident memory, and ends a
# runaway process before it exhausts the machine's memory.
ADDRESS_SPACE = 6 << 30
ALLOWED = {0, 1, 64, 65, 74}


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setsid()


def outcome(apus, words):
    """Runs the command. Returns the problem or None, the seconds of processor time, and the bytes of memory."""
    began = time.monotonic()
    words = [word.encode("utf-8", "surrogatepass") for word in words]
    with tempfile.TemporaryFile() as errors:
        environment = {**os.environ, "APUS_THREADS": "1", "HOME": "", "XDG_CACHE_HOME": ""}
        process = subprocess.Popen(
            [apus, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, preexec_fn=limits,
            env=environment,
        )  # fmt: skip
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.monotonic() - began
            if done or seconds > 6 * SECONDS:
                break
            time.sleep(0.002 if seconds < 0.1 else 0.02)
        if not done:
            os.kill(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        errors.seek(0)
        text = errors.read(1 << 20)
    memory = usage.ru_maxrss * 1024
    code = os.waitstatus_to_exitcode(status)
    # The limit applies to processor time, because other processes may use the processor too.
    used = usage.ru_utime + usage.ru_stime
    if not done or used > SECONDS:
        return f"took {used:.1f} s of processor time, {seconds:.1f} s of wall time", used, memory
    if code not in ALLOWED or b"Fatal error" in text:
        return f"ended with {code}: {text[-300:]!r}", used, memory
    if memory > MEMORY:
        return f"took {memory >> 20} MiB", used, memory
    if len(text) > 16_384 + 4096 or re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", text):
        return f"output on standard error is too long or has control characters: {text[:300]!r}", used, memory
    return None, used, memory


def run(form, mutants, place, apus):
    """Runs the command on some mutants in a new folder."""
    form.folder = Path(tempfile.mkdtemp(dir=place))
    try:
        return outcome(apus, form.arguments(mutants))
    finally:
        shutil.rmtree(form.folder, ignore_errors=True)


def check(kind, place, apus, tiny, seed, first, count):
    """Runs the mutants `first` to `first + count - 1`. Returns the failing ones as (number, reason, mutant), and the
    maximum seconds and bytes of one run."""
    form = FORMATS[kind](tiny)
    mutants = [form.mutant(random.Random(f"{kind} {seed} {number}")) for number in range(first, first + count)]
    failures, most_seconds, most_memory = [], 0, 0
    rest = [list(range(start, min(start + form.batch, count))) for start in range(0, count, form.batch)]
    while rest:
        part = rest.pop()
        try:
            reason, seconds, memory = run(form, [mutants[i] for i in part], place, apus)
        except (OSError, ValueError) as error:
            # A mutant that cannot be an argument of a command is skipped: errno 7 means that it is too long, a
            # ValueError that it contains a null character.
            reason, seconds, memory = (None if isinstance(error, ValueError) or error.errno == 7 else str(error)), 0, 0
        most_seconds, most_memory = max(most_seconds, seconds), max(most_memory, memory)
        if reason is None:
            continue
        if len(part) > 1:
            rest += [part[: len(part) // 2], part[len(part) // 2 :]]
        else:
            failures.append((first + part[0], reason, mutants[part[0]]))
    return failures, most_seconds, most_memory


def prepare(place, apus):
    """Creates small data sets, a trained MLP, and a trained language model for each tokenizer."""
    tiny = place / "tiny"
    tiny.mkdir()
    for name in ("train", "t10k"):
        (tiny / f"{name}-images-idx3-ubyte").write_bytes(idx([20, 28, 28], random.Random(0).randbytes(20 * 784)))
        (tiny / f"{name}-labels-idx1-ubyte").write_bytes(idx([20], bytes(i % 10 for i in range(20))))
    (tiny / "a.txt").write_text(Text.seed * 4)

    def train(*words):
        subprocess.run([apus, "train", *words, "--device", "cpu", "--steps", "1"], check=True, capture_output=True)

    train("mlp", "--data", f"mnist:{tiny}", "--output", str(tiny / "run"), "--batch-size", "4")
    for kind in ("character", "word", "bpe", "wordpiece"):
        output = str(tiny / f"text-{kind}")
        train("char-lstm", "--data", f"text:{tiny}/a.txt", "--tokenizer", kind, "--output", output, *SMALL_TEXT)
    return tiny


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apus")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the maximum time for one format")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", default="mutants-kept")
    arguments = parser.parse_args()
    apus = str(Path(arguments.apus).resolve())
    is_clean = True
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        tiny = prepare(place, apus)
        for kind in arguments.formats.split(","):
            began = time.monotonic()
            chunk = max(FORMATS[kind].batch, 20)
            done, failures, seconds, memory = 0, [], 0.0, 0
            with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
                starts = iter(range(0, arguments.count, chunk))
                running = {}
                while True:
                    while len(running) < arguments.jobs and time.monotonic() - began < arguments.seconds:
                        first = next(starts, None)
                        if first is None:
                            break
                        size = min(chunk, arguments.count - first)
                        job = pool.submit(check, kind, place, apus, tiny, arguments.seed, first, size)
                        running[job] = size
                    if not running:
                        break
                    for job in concurrent.futures.wait(running, return_when="FIRST_COMPLETED").done:
                        found, most_seconds, most_memory = job.result()
                        done += running.pop(job)
                        failures += found
                        seconds, memory = max(seconds, most_seconds), max(memory, most_memory)
            for number, reason, mutant in failures:
                is_clean = False
                print(f"{kind} {number}: {reason}")
                keep = Path(arguments.keep)
                keep.mkdir(exist_ok=True)
                data = mutant[-1] if isinstance(mutant, tuple) else mutant
                (keep / f"{kind}-{number}").write_bytes(
                    data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
                )
            most = f"at most {seconds:.1f} s and {memory >> 20} MiB for a process"
            print(
                f"{kind}: {done} mutants, {len(failures)} failed, {most}, {time.monotonic() - began:.0f} s", flush=True
            )
    sys.exit(0 if is_clean else 1)


if __name__ == "__main__":
    main()
