"""Kills runs at random moments, resumes them, and compares their weights with those of runs that were never stopped.

    python3 Tests/Conformance/kills_check.py [--kills 300] [--apus .build/release/apus] [--device cpu] [--seed 0]

There are five kinds of runs: mlp, lenet5, char-lstm, a table and a folder of images. Each kind gets a fifth of the
kills. A run is killed with SIGKILL and resumed, again and again, until it ends before the next kill or no kill is left.
Then its weights are compared, and the next run of the kind starts.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib


def png(path, value, seed):
    """Writes a gray image of 16x16 pixels, each `value` plus random noise of 0 to 59."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + bytes(min(255, value + noise.randrange(60)) for _ in range(16)) for _ in range(16))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    text = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(text)


def make_data(folder):
    rows = ["size,color,kind"]
    for index in range(400):
        rows.append(f"{index * 37 % 101},{['red', 'blue', ''][index % 3]},{['a', 'b'][index * 37 % 101 > 50]}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    words = ["the", "swift", "flies", "over", "a", "house", "and", "back", "again", "soon"]
    noise = random.Random(1)
    (folder / "text.txt").write_text(" ".join(noise.choice(words) for _ in range(4000)) + "\n")
    for name, value in [("dark", 20), ("light", 180)]:
        (folder / "pictures" / name).mkdir(parents=True)
        for index in range(60):
            png(folder / "pictures" / name / f"{index}.png", value, value * 1000 + index)


def recipes(folder):
    """The name of each kind, and the arguments of `apus train`."""
    pictures = ["--layers", "conv 4 3x3 pad 1, batchnorm, relu, pool 2x2 stride 2, dropout 0.2, dense 2"]
    return {
        "mlp": ["mlp", "--data", "synthetic", "--steps", "100", "--optimizer", "adam"],
        "lenet5": ["lenet5", "--data", "synthetic", "--steps", "60", "--batch-size", "32"],
        "char-lstm": [
            "char-lstm",
            "--data",
            f"text:{folder / 'text.txt'}",
            "--steps",
            "60",
            "--width",
            "32",
            "--depth",
            "1",
            "--sequence-length",
            "16",
            "--batch-size",
            "16",
            "--dropout",
            "0.1",
        ],
        "table": [
            "mlp",
            "--data",
            f"csv:{folder / 'table.csv'}",
            "--steps",
            "1200",
            "--batch-size",
            "32",
            "--schedule",
            "plateau",
        ],
        "pictures": pictures
        + [
            "--data",
            f"image-folder:{folder / 'pictures'}",
            "--image-size",
            "16",
            "--augment",
            "flip, crop pad 2",
            "--steps",
            "300",
            "--batch-size",
            "16",
        ],
    }


class Check:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.random = random.Random(options.seed)
        self.failures = []

    def words(self, recipe, run):
        return [
            self.options.apus,
            "train",
            *recipe,
            "--device",
            self.options.device,
            "--json",
            "--save-every",
            "0.05",
            "--output",
            str(run),
        ]

    def digest(self, words):
        """Runs the command to its end; returns the SHA-256 of the weights, and the seconds."""
        start = time.monotonic()
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"{' '.join(words)}\nended with {result.returncode}:\n{result.stderr}")
        return json.loads(result.stdout.splitlines()[-1])["weights_sha256"], time.monotonic() - start

    def kill_once(self, words, longest):
        """Runs the command and kills it after a random time of at most `longest` seconds. Returns whether it was
        killed: false if the command ended before this time. If it ended with an error, notes a failure."""
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(self.random.uniform(0.005, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stderr.close()
            return True
        errors = process.stderr.read().decode()
        process.stderr.close()
        if process.returncode != 0:
            self.failures.append(f"{' '.join(words)} ended with {process.returncode}: {errors[-2000:]}")
        return False

    def run(self, name, recipe, kills):
        """Kills runs of one kind, `kills` times in all. Checks that each run ends with the right weights and leaves
        nothing but checkpoints in its folder `checkpoints`. Returns the number of kills."""
        whole, _ = self.digest(self.words(recipe, self.folder / f"{name}-whole"))
        # The first run may have to build kernels. The second run takes as long as the later runs, so it is timed.
        again, seconds = self.digest(self.words(recipe, self.folder / f"{name}-again"))
        if again != whole:
            self.failures.append(f"{name}: two runs without kills have the weights {whole} and {again}")
        done, runs, at_once = 0, 0, 0
        while done < kills:
            run = self.folder / f"{name}-{runs}"
            runs += 1
            own = 0
            while done < kills:
                resume = ["--resume", str(run)] if (run / "config.json").exists() else []
                if not self.kill_once(self.words(recipe, run) + resume, seconds * 0.7):
                    break
                done += 1
                own += 1
                at_once += not (run / "checkpoints").exists()
            resume = ["--resume", str(run)] if (run / "config.json").exists() else []
            found, _ = self.digest(self.words(recipe, run) + resume)
            if found != whole:
                self.failures.append(f"{name}: after {own} kills the weights are {found}, not {whole}, in {run}")
            leftovers = [path.name for path in (run / "checkpoints").iterdir() if not path.name.startswith("step-")]
            if leftovers:
                self.failures.append(f"{name}: left over in {run}: {leftovers}")
        print(
            f"{name}: {done} kills of {runs} runs of {seconds:.1f} s, {at_once} before the first checkpoint; "
            f"weights {whole[:16]}",
            flush=True,
        )
        return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="the number of kills, for all kinds together")
    parser.add_argument("--apus", default=".build/release/apus", help="the command")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random times of the kills")
    options = parser.parse_args()
    options.apus = os.path.abspath(options.apus)
    with tempfile.TemporaryDirectory(prefix="apus-kills-") as folder:
        folder = pathlib.Path(folder)
        make_data(folder)
        check = Check(options, folder)
        kinds = recipes(folder)
        total = 0
        for index, (name, recipe) in enumerate(kinds.items()):
            # The last argument is the number of kills of this kind. These numbers sum to options.kills.
            total += check.run(name, recipe, options.kills * (index + 1) // len(kinds) - total)
    for failure in check.failures:
        print(failure)
    print(f"{total} kills, {len(check.failures)} failures")
    sys.exit(1 if check.failures else 0)


if __name__ == "__main__":
    main()
