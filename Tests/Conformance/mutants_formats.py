"""The formats of mutants_check.py: undamaged files (seeds), mutants made from them, and the command that reads each
format."""

import gzip
import hashlib
import json
import random
import re
import shutil
import struct
import zlib
from pathlib import Path

from mutations import mutated, rewritten

HERE = Path(__file__).parent


# --- Files


def safetensors(path):
    data = Path(path).read_bytes()
    count = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + count])
    return header, data[8 + count :]


def fixture_pictures(kind):
    """Returns the image files that images.safetensors contains in tensors with `kind` in their names. Each element of
    such a tensor, whatever its type, is one byte of the file."""
    header, data = safetensors(HERE / "images.safetensors")
    codes = {"U8": "B", "I64": "q", "I32": "i", "F32": "f", "F64": "d"}
    found = []
    for name, entry in header.items():
        if name == "__metadata__" or "file" not in name or kind not in name:
            continue
        begin, end = entry["data_offsets"]
        code = codes[entry["dtype"]]
        numbers = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end])
        found.append(bytes(int(number) for number in numbers))
    return found


def png_repaired(data):
    """Returns the PNG file with correct checksums of its chunks. With a wrong checksum, the command would stop before
    it reads the changed bytes."""
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
    noise = random.Random(f"{width} {height} {color} {depth}")
    rows = b"".join(b"\0" + noise.randbytes(width * channels * depth // 8) for _ in range(height))

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


# --- Formats


class Format:
    """One format. `mutant` returns a mutant: bytes, a string, or a tuple of the parts that `arguments` needs.
    `arguments` writes the given mutants, at most `batch`, into `folder`, and returns the arguments with which the
    command reads them. A mutant that is a string may itself be one of these arguments. `tiny` is a folder with
    undamaged data sets and runs."""

    batch = 1

    def __init__(self, tiny):
        self.tiny, self.folder = tiny, None

    def train(self, model, data, *more):
        return [
            "train", model, "--data", data, "--device", "cpu", "--steps", "1", "--batch-size", "4", "--output",
            str(self.folder / "run"), *more,
        ]  # fmt: skip

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
            files = [gzip.compress(file, 1, mtime=0) for file in files]
        if kind == 2:
            files[part] = mutated(files[part], random, files)
        return (files[0], files[1])

    def arguments(self, mutants):
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
            data = gzip.compress(data, 1, mtime=0)
            if random.random() < 0.3:
                data = mutated(data, random, [data])
        return data

    def arguments(self, mutants):
        return self.train("lenet5", "cifar10:" + self.write("cifar.tar", mutants[0]))


class Pictures(Format):
    """Mutants that are the images of an image folder. The command skips images that it cannot read (`--skip-bad`)."""

    batch = 100

    def arguments(self, mutants):
        for number, data in enumerate(mutants):
            self.write(f"data/train/{'ab'[number % 2]}/{number:04}.{self.end}", data)
        for name in "ab":
            for part in ("train", "test"):
                self.write(f"data/{part}/{name}/good.png", png(8, 8, 2))
        more = ["--skip-bad", "--image-size", "28", "--workers", "0", "--epochs", "1"]
        arguments = self.train("lenet5", f"image-folder:{self.folder}/data", *more)
        del arguments[arguments.index("--steps") : arguments.index("--steps") + 2]
        return arguments


class PNG(Pictures):
    end = "png"

    def __init__(self, tiny):
        super().__init__(tiny)
        self.seeds = fixture_pictures("png") + [png(9, 7, color, depth) for color in (0, 2, 4, 6) for depth in (8, 16)]

    def mutant(self, random):
        data = mutated(random.choice(self.seeds), random, self.seeds)
        return png_repaired(data) if random.random() < 0.8 else data


class JPEG(Pictures):
    end = "jpg"

    def __init__(self, tiny):
        super().__init__(tiny)
        self.seeds = fixture_pictures("jpeg")

    def mutant(self, random):
        return mutated(random.choice(self.seeds), random, self.seeds)


class CSV(Format):
    seed = 'height,color,when,class\n1.5,red,2,a\n-2e3,"blue ""x""",3,b\n,green,4,a\n0.25,red,5,b\n' * 3

    def mutant(self, random):
        text = rewritten(self.seed, random, ["red", "1.5", '"', ",", ";", "\r", "a,b,c,d"])
        data = text.encode("utf-8", "surrogatepass")
        if random.random() < 0.3:
            data = mutated(data, random, [data])
        if random.random() < 0.3:
            data = gzip.compress(data, 1, mtime=0)
        return data

    def arguments(self, mutants):
        return self.train("mlp", "csv:" + self.write("a.csv", mutants[0]))


class Text(Format):
    seed = "In the beginning was the word, and 12 words followed it; all's well.\nEnds — here.\n" * 6

    def mutant(self, random):
        data = rewritten(self.seed, random, ["the", "'", "日本", "\u0301", "\x00"]).encode("utf-8", "surrogatepass")
        return mutated(data, random, [data]) if random.random() < 0.5 else data

    def arguments(self, mutants):
        kind = ["character", "word", "bpe", "wordpiece"][zlib.crc32(mutants[0]) % 4]
        source = "text:" + self.write("a.txt", mutants[0])
        return self.train("char-lstm", source, "--tokenizer", kind, *SMALL_TEXT)


class LabelledText(Text):
    seed = "good\tall is well here\nbad\tnothing is well\ngood\tit is what it is\n" * 8

    def arguments(self, mutants):
        return self.train("text-lstm", "labelled-text:" + self.write("a.tsv", mutants[0]), *SMALL_TEXT)


SMALL_TEXT = ["--width", "8", "--depth", "1", "--sequence-length", "8"]


class Weights(Format):
    """A safetensors file as the weights of a model."""

    def __init__(self, tiny):
        super().__init__(tiny)
        self.data = next(self.tiny.glob("run/checkpoints/*/weights.safetensors"), None).read_bytes()

    def mutant(self, random):
        count = struct.unpack("<Q", self.data[:8])[0]
        header, rest = self.data[8 : 8 + count].decode(), self.data[8 + count :]
        if random.random() < 0.3:
            return mutated(self.data, random, [self.data])
        header = rewritten(header, random, ["F32", "I64", "shape", "data_offsets", "U8", "__metadata__"])
        header = header.encode("utf-8", "surrogatepass")
        return struct.pack("<Q", len(header)) + header + rest

    def arguments(self, mutants):
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

    def arguments(self, mutants):
        path = self.write("a.json", mutants[0])
        return ["train", "--config", path, "--data", f"mnist:{self.tiny}", "--device", "cpu", "--steps", "1",
                "--batch-size", "4", "--output", str(self.folder / "run")]  # fmt: skip


class Tokenizer(Format):
    """A run whose `state.json` has a changed tokenizer, with a digest that fits the change, so that the command accepts
    the file and reads the tokenizer. If the changed tokenizer is not valid JSON, its text replaces the whole file."""

    def __init__(self, tiny):
        super().__init__(tiny)
        self.runs = sorted(self.tiny.glob("text-*"))

    def mutant(self, random):
        run = random.choice(self.runs)
        text = next(run.glob("checkpoints/*/state.json")).read_text()
        numbers = []

        def keep(number):
            """Replaces a floating-point number by a mark. The digest depends on the spelling of the number, so
            `written` replaces the mark by this spelling."""
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

    def arguments(self, mutants):
        run, text = mutants[0]
        shutil.copytree(run, self.folder / "run")
        state = next(self.folder.glob("run/checkpoints/*/state.json"))
        state.write_bytes(text.encode("utf-8", "surrogatepass"))
        return ["generate", str(self.folder / "run"), "--length", "4", "--prompt", "In the", "--device", "cpu"]


def find(value, key):
    """All objects in a JSON value that have the key `key`; the value itself may be one of them."""
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

    def arguments(self, mutants):
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

    def arguments(self, mutants):
        option = ["--transform=", "--augment="][zlib.crc32(mutants[0].encode("utf-8", "surrogatepass")) % 2]
        return self.train("lenet5", f"mnist:{self.tiny}", option + mutants[0])


FORMATS = {
    "idx": IDX, "cifar": CIFAR, "png": PNG, "jpeg": JPEG, "csv": CSV, "text": Text, "labelled-text": LabelledText,
    "safetensors": Weights, "config": Config, "tokenizer": Tokenizer, "layers": Layers, "transforms": Transforms,
}  # fmt: skip
