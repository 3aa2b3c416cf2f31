"""Runs the command on damaged and hostile files of every format, and reports crashes, traps and exceeded limits.

    python mutants_check.py APUS [--formats png,csv] [--count 10000] [--seconds 600] [--jobs 2] [--seed 1] [--keep DIR]

On a mutant the command has to exit with 0, 1, 64, 65 or 74, within 1 GB of resident memory and 10 seconds, with a
message of at most 16 KiB without control characters. Formats of which one process reads many files (images) run in
batches; a failing batch is halved until the mutant is found. Failing mutants are kept in DIR. Requires only Python.
"""

import argparse
import concurrent.futures
import gzip
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

MEMORY = 1 << 30
SECONDS = 10
# Far above the measured use: a runaway process ends here before it exhausts the machine.
ADDRESS_SPACE = 6 << 30
HERE = Path(__file__).parent
ALLOWED = {0, 1, 64, 65, 74}


# --- Mutations

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63]


def mutated(data, random, others):
    """Random changes of bytes: flips, limits of number types, deletions, copies, and fragments of other files."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 4, 16])):
        kind = random.randrange(9)
        at = random.randrange(len(data) + 1)
        if random.random() < 0.4:
            at = min(at, random.randrange(64))  # Headers are small and matter most.
        size = random.choice([1, 2, 4, 8, 64, 1024])
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = random.randrange(256)
        elif kind in (2, 3):
            width = random.choice([1, 2, 4, 8])
            number = random.choice(NUMBERS) & ((1 << (8 * width)) - 1)
            data[at : at + width] = number.to_bytes(width, random.choice(["little", "big"]))
        elif kind == 4:
            del data[at : len(data) if random.random() < 0.3 else at + size]
        elif kind == 5:
            data[at:at] = data[at : at + size] * random.choice([1, 2, 50])
        elif kind == 6:
            data[at:at] = random.randbytes(size)
        elif kind == 7:
            other = random.choice(others)
            start = random.randrange(len(other) + 1)
            data[at : at + size] = other[start : start + size]
        else:
            data[at : at + size] = bytes([random.choice([0, 0xFF, 0x20, 0x1B])]) * size
    return bytes(data)


WORDS = [
    "0", "-1", "1", "9223372036854775807", "9223372036854775808", "1e308", "1e999", "-0", "nan", "1000000", "16777216",
    "\x1b[2J", "\u202e", "", " ", "\t", "\n", "\r\n", "null", "[]", "{}", '""', "\\ud800", "é",
    "\u0301" * 50, "x" * 5000,
]  # fmt: skip


def rewritten(text, random, words):
    """Random changes of tokens: replacements, limits of number types, copies, and deletions."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", text) or [""]
    for _ in range(random.choice([1, 1, 2, 4])):
        kind = random.randrange(6)
        at = random.randrange(len(tokens))
        if kind == 0:
            tokens[at] = random.choice(WORDS)
        elif kind == 1:
            tokens[at] = random.choice(words)
        elif kind == 2:
            tokens[at:at] = tokens[at : at + random.randrange(1, 12)] * random.choice([1, 1, 2, 200])
        elif kind == 3 and len(tokens) > 1:
            del tokens[at : at + random.choice([1, 1, 4])]
        elif kind == 4:
            numbers = [i for i, token in enumerate(tokens) if token.isdigit()]
            if numbers:
                tokens[random.choice(numbers)] = random.choice(WORDS[:12])
        else:
            other = random.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        tokens = tokens or [""]
    return "".join(tokens)


# --- Formats: seeds, mutants, and the command that reads each format


def safetensors(path):
    data = Path(path).read_bytes()
    count = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + count])
    return header, data[8 + count :]


def fixture_pictures(kind):
    """The image files in images.safetensors, whose bytes are stored as numbers of any width."""
    header, data = safetensors(HERE / "images.safetensors")
    widths = {"U8": "B", "I64": "q", "I32": "i", "F32": "f", "F64": "d"}
    found = []
    for name, entry in header.items():
        if name == "__metadata__" or "file" not in name or kind not in name:
            continue
        begin, end = entry["data_offsets"]
        code = widths[entry["dtype"]]
        numbers = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end])
        found.append(bytes(int(number) for number in numbers))
    return found


def png_repaired(data):
    """The same chunks with correct checksums: otherwise every mutant fails there."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        if length > len(data) - at - 12:
            break
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return out + data[at:]


def png(width, height, color, depth=8):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    rows = b"".join(b"\0" + os.urandom(width * channels * depth // 8) for _ in range(height))

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def idx(extents, data):
    return bytes([0, 0, 8, len(extents)]) + b"".join(struct.pack(">I", extent) for extent in extents) + data


def tar(files):
    out = b""
    for name, data in files:
        header = bytearray(512)
        header[: len(name)] = name.encode()
        header[100:108] = b"0000644\0"
        header[124:136] = b"%011o\0" % len(data)
        header[156:157] = b"0"
        header[257:263] = b"ustar\0"
        out += bytes(header) + data + b"\0" * (-len(data) % 512)
    return tar_repaired(out) + b"\0" * 1024


def tar_repaired(data):
    """Corrects the checksum of every block that looks like a header."""
    data = bytearray(data)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % (sum(data[at : at + 512]) & 0o777777)
    return bytes(data)


class Format:
    """One format: `mutant` returns the bytes or the text of a mutant, and `words` the command that reads it."""

    batch = 1

    def __init__(self, place, apus, tiny):
        self.place, self.apus, self.tiny = place, apus, tiny

    def train(self, model, data, *more):
        return [
            "train", model, "--data", data, "--device", "cpu", "--steps", "1", "--batch-size", "4", "--output",
            str(self.folder / "run"), *more,
        ]  # fmt: skip

    def run(self, mutants):
        """Runs the command on some mutants in a new folder."""
        self.folder = Path(tempfile.mkdtemp(dir=self.place))
        try:
            return outcome(self.apus, self.words(mutants))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        return str(path)


class IDX(Format):
    def mutant(self, random):
        images = idx([12, 6, 5], random.randbytes(360))
        labels = idx([12], bytes(i % 10 for i in range(12)))
        part = random.randrange(2)
        files = [images, labels]
        files[part] = mutated(files[part], random, files)
        kind = random.randrange(3)
        if kind:
            files = [gzip.compress(file, 1) for file in files]
        if kind == 2:
            files[part] = mutated(files[part], random, files)
        return (files[0], files[1])

    def words(self, mutants):
        (images, labels), good = mutants[0], idx([12], bytes(i % 10 for i in range(12)))
        self.write("train-images-idx3-ubyte" + (".gz" if images[:2] == b"\x1f\x8b" else ""), images)
        self.write("train-labels-idx1-ubyte" + (".gz" if labels[:2] == b"\x1f\x8b" else ""), labels)
        self.write("t10k-images-idx3-ubyte", idx([12, 6, 5], bytes(360)))
        self.write("t10k-labels-idx1-ubyte", good)
        return self.train("mlp", f"mnist:{self.folder}")


class CIFAR(Format):
    def mutant(self, random):
        names = b"".join(b"class%d\n" % i for i in range(10))
        record = lambda: bytes([random.randrange(10)]) + bytes(3072)
        files = [(f"cifar/data_batch_{i}.bin", record() * 2) for i in range(1, 6)]
        files += [("cifar/test_batch.bin", record() * 2), ("cifar/batches.meta.txt", names)]
        data = tar(files)
        data = mutated(data, random, [data])
        if random.random() < 0.8:
            data = tar_repaired(data)
        if random.random() < 0.4:
            data = gzip.compress(data, 1)
            if random.random() < 0.3:
                data = mutated(data, random, [data])
        return data

    def words(self, mutants):
        return self.train("lenet5", "cifar10:" + self.write("cifar.tar", mutants[0]))


class Pictures(Format):
    """Images in a folder; images that cannot be read are left out."""

    batch = 100

    def words(self, mutants):
        for number, data in enumerate(mutants):
            self.write(f"data/train/{'ab'[number % 2]}/{number:04}.{self.end}", data)
        for name in "ab":
            for part in ("train", "test"):
                self.write(f"data/{part}/{name}/good.png", png(8, 8, 2))
        more = ["--skip-bad", "--image-size", "28", "--workers", "0", "--epochs", "1"]
        words = self.train("lenet5", f"image-folder:{self.folder}/data", *more)
        del words[words.index("--steps") : words.index("--steps") + 2]
        return words


class PNG(Pictures):
    end = "png"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seeds = fixture_pictures("png") + [png(9, 7, color, depth) for color in (0, 2, 4, 6) for depth in (8, 16)]

    def mutant(self, random):
        data = mutated(random.choice(self.seeds), random, self.seeds)
        return png_repaired(data) if random.random() < 0.8 else data


class JPEG(Pictures):
    end = "jpg"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seeds = fixture_pictures("jpeg")

    def mutant(self, random):
        return mutated(random.choice(self.seeds), random, self.seeds)


class CSV(Format):
    seed = 'height,colour,when,class\n1.5,red,2,a\n-2e3,"blue ""x""",3,b\n,green,4,a\n0.25,red,5,b\n' * 3

    def mutant(self, random):
        text = rewritten(self.seed, random, ["red", "1.5", '"', ",", ";", "\r", "a,b,c,d"])
        data = text.encode("utf-8", "surrogatepass")
        if random.random() < 0.3:
            data = mutated(data, random, [data])
        if random.random() < 0.3:
            data = gzip.compress(data, 1)
        return data

    def words(self, mutants):
        return self.train("mlp", "csv:" + self.write("a.csv", mutants[0]))


class Text(Format):
    seed = "In the beginning was the word, and 12 words followed it; all's well.\nEnds — here.\n" * 6

    def mutant(self, random):
        data = rewritten(self.seed, random, ["the", "'", "日本", "\u0301", "\x00"]).encode("utf-8", "surrogatepass")
        return mutated(data, random, [data]) if random.random() < 0.5 else data

    def words(self, mutants):
        kind = ["character", "word", "bpe", "wordpiece"][zlib.crc32(mutants[0]) % 4]
        source = "text:" + self.write("a.txt", mutants[0])
        return self.train("char-lstm", source, "--tokenizer", kind, *SMALL_TEXT)


class LabelledText(Text):
    seed = "good\tall is well here\nbad\tnothing is well\ngood\tit is what it is\n" * 8

    def words(self, mutants):
        return self.train("text-lstm", "labelled-text:" + self.write("a.tsv", mutants[0]), *SMALL_TEXT)


SMALL_TEXT = ["--width", "8", "--depth", "1", "--sequence-length", "8"]


class Weights(Format):
    """A safetensors file as the weights of a model."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.data = next(self.tiny.glob("run/checkpoints/*/weights.safetensors"), None).read_bytes()

    def mutant(self, random):
        count = struct.unpack("<Q", self.data[:8])[0]
        header, rest = self.data[8 : 8 + count].decode(), self.data[8 + count :]
        if random.random() < 0.3:
            return mutated(self.data, random, [self.data])
        header = rewritten(header, random, ["F32", "I64", "shape", "data_offsets", "U8", "__metadata__"])
        header = header.encode("utf-8", "surrogatepass")
        return struct.pack("<Q", len(header)) + header + rest

    def words(self, mutants):
        path = self.write("a.safetensors", mutants[0])
        if zlib.crc32(mutants[0]) % 2:
            return ["summary", path]
        return self.train("mlp", f"mnist:{self.tiny}", "--weights", path)


class Config(Format):
    seed = json.dumps(
        {"model": "mlp", "epochs": 1, "batch_size": 4, "learning_rate": 0.1, "seed": 3, "schedule": "cosine",
         "weight_decay": 0.1, "layers": "dense 8, relu, dense 10"}
    )  # fmt: skip

    def mutant(self, random):
        return rewritten(self.seed, random, ["layers", "steps", "classes", "true", "image_size", "transform"])

    def words(self, mutants):
        path = self.write("a.json", mutants[0])
        return ["train", "--config", path, "--data", f"mnist:{self.tiny}", "--device", "cpu", "--steps", "1",
                "--batch-size", "4", "--output", str(self.folder / "run")]  # fmt: skip


class Tokenizer(Format):
    """The tokenizer of a checkpoint whose digest matches the mutant."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.runs = sorted(self.tiny.glob("text-*"))

    def mutant(self, random):
        run = random.choice(self.runs)
        text = next(run.glob("checkpoints/*/state.json")).read_text()
        numbers = []

        def keep(number):
            numbers.append(number)
            return f"@{len(numbers) - 1}@"

        state = json.loads(text, parse_float=keep)
        tokenizer = find(state, "tokenizer")
        changed = rewritten(
            json.dumps(tokenizer[0]["tokenizer"]), random, ["content", "kind", "pieces", "[UNK]", "257"]
        )
        try:
            tokenizer[0]["tokenizer"] = json.loads(changed)
        except (ValueError, RecursionError):
            return (run, changed)
        state.pop("sha256")

        def written(value):
            text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("\x7f", "\\u007f")
            return re.sub(r'"@(\d+)@"', lambda match: numbers[int(match.group(1))], text)

        state["sha256"] = hashlib.sha256(written(state).encode("utf-8", "surrogatepass")).hexdigest()
        return (run, written(state))

    def words(self, mutants):
        run, text = mutants[0]
        shutil.copytree(run, self.folder / "run")
        state = next(self.folder.glob("run/checkpoints/*/state.json"))
        state.write_bytes(text.encode("utf-8", "surrogatepass"))
        return ["generate", str(self.folder / "run"), "--length", "4", "--prompt", "In the", "--device", "cpu"]


def find(value, key):
    """All objects inside of a JSON value that have the key."""
    if isinstance(value, dict):
        return ([value] if key in value else []) + [found for inner in value.values() for found in find(inner, key)]
    return [found for inner in value for found in find(inner, key)] if isinstance(value, list) else []


class Layers(Format):
    seeds = [
        "conv 6 5x5 pad 2, relu, pool 2, conv 16 5x5, relu, pool 2, flatten, dense 120, relu, dense 10",
        "residual (conv 1 3x3 pad same, batchnorm | conv 1 1x1), concat (relu | tanh), globalpool, dense 10",
        "rows, lstm 8 layers 2 both all, gru 4, dropout 0.5, dense 10 no-bias",
        "conv 8 3x3 stride 2 pad 1 dilation 2 groups 1, avgpool 2 stride 1 pad 1, gelu, dense 10",
    ]

    def mutant(self, random):
        words = [
            "conv",
            "dense",
            "residual",
            "(",
            ")",
            "|",
            ",",
            "layers",
            "pad",
            "stride",
            "x",
            "groups",
            "lstm",
            "all",
        ]
        return rewritten(random.choice(self.seeds), random, words).replace("\0", "")[:100_000]

    def words(self, mutants):
        return ["summary", "--layers=" + mutants[0]]


class Transforms(Format):
    seeds = [
        "shorter 32, center-crop 28", "flip, crop pad 4 reflect, color 0.2, erase 0.5", "scales 28 32, crop 28",
        "resize 28 bicubic, rotate 10 fill 3, affine rotate 10 move 0.1, shift 0.2, gray 0.5", "pad 40x30, crop 28",
        "resized-crop 28 scale 0.5 1 ratio 0.8 1.2, flip-vertical 0.3, color brightness 0.1 hue 0.1",
    ]  # fmt: skip

    def mutant(self, random):
        words = ["resize", "pad", "crop", "28", "16384", "8192", ",", "reflect", "fill", "x", "0.5", "cutmix", "erase"]
        return rewritten(random.choice(self.seeds), random, words).replace("\0", "")[:100_000]

    def words(self, mutants):
        option = ["--transform=", "--augment="][zlib.crc32(mutants[0].encode("utf-8", "surrogatepass")) % 2]
        return self.train("lenet5", f"mnist:{self.tiny}", option + mutants[0])


FORMATS = {
    "idx": IDX, "cifar": CIFAR, "png": PNG, "jpeg": JPEG, "csv": CSV, "text": Text, "labelled-text": LabelledText,
    "safetensors": Weights, "config": Config, "tokenizer": Tokenizer, "layers": Layers, "transforms": Transforms,
}  # fmt: skip


# --- Running


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setsid()


def outcome(apus, words):
    """Runs the command; returns the problem or None, the seconds, and the bytes of memory."""
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
    # Processor time, since other processes may share the processor.
    used = usage.ru_utime + usage.ru_stime
    if not done or used > SECONDS:
        return f"took {used:.1f} s of the processor, {seconds:.1f} s in all", used, memory
    if code not in ALLOWED or b"Fatal error" in text:
        return f"ended with {code}: {text[-300:]!r}", used, memory
    if memory > MEMORY:
        return f"took {memory >> 20} MiB", used, memory
    if len(text) > 16_384 + 4096 or re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", text):
        return f"its message: {text[:300]!r}", used, memory
    return None, used, memory


def check(kind, place, apus, tiny, seed, first, count):
    """Runs some mutants; returns those that fail with the reason, and the maximum seconds and bytes of one run."""
    form = FORMATS[kind](place, apus, tiny)
    mutants = [form.mutant(random.Random(f"{kind} {seed} {number}")) for number in range(first, first + count)]
    failures, most_seconds, most_memory = [], 0, 0
    rest = [list(range(start, min(start + form.batch, count))) for start in range(0, count, form.batch)]
    while rest:
        part = rest.pop()
        try:
            reason, seconds, memory = form.run([mutants[i] for i in part])
        except (OSError, ValueError) as error:
            # A text that does not fit on a command line is skipped.
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
    """Creates small data sets, and runs with a checkpoint of each tokenizer."""
    tiny = place / "tiny"
    tiny.mkdir()
    for name in ("train", "t10k"):
        (tiny / f"{name}-images-idx3-ubyte").write_bytes(idx([20, 28, 28], os.urandom(20 * 784)))
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
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the most for one format")
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
