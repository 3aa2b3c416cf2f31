"""Tests of `compare` and `gate`: python3 -m unittest discover -b -s Benchmarks"""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest import mock

from runs import HERE, processor, speed
from tables import Comparison, number, save

sys.dont_write_bytecode = True  # gatec would be a file that nobody knows


def script(name):
    """A command of this folder as a module."""
    loader = SourceFileLoader(name, str(HERE / name))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


compare, gate = script("compare"), script("gate")


def line(problem, median, **more):
    return {"problem": problem, "median_ms": median, "min_ms": median / 2} | more


def steps(*rounds):
    """A comparison of one workload, by the milliseconds of both sides in each round."""
    name = ("lenet5-b128-sgd", "")
    sides = [tuple({name: line(name[0], ms, peak_bytes=1_000_000 * (n + 1))} for n, ms in enumerate(r)) for r in rounds]
    return Comparison("step", "torch", "cpu", sides)


class TableTests(unittest.TestCase):
    def test_speeds_are_those_of_the_median(self):
        self.assertEqual(speed(line("a", 4.0)), 0.25)
        self.assertEqual(speed(line("a", 4.0, gflops=100)), 50)

    def test_a_ratio_is_the_median_of_those_of_the_rounds(self):
        found = steps((1, 2), (2, 6), (1, 10))
        cells = [cell.strip() for cell in found.table().split("\n")[2].strip("|").split("|")]
        shown = ["lenet5-b128-sgd", "1.000", "6.000", "3.00", "2.00–10.00", "1.0", "2.0", "2.00", "2", "yes"]
        self.assertEqual(cells, shown)
        self.assertIn("Bounds reached: 1 of 1.", found.summary())
        self.assertIn("**no**", steps((1, 1.9)).table())

    def test_bounds_are_the_first_that_fit(self):
        gemm = Comparison("gemm", "torch", "cpu", [])
        self.assertEqual([gemm.must("1x4096x4096"), gemm.must("64x64x64")], [0.9, 1.5])
        copy = Comparison("ops", "copy", "cpu", [])
        self.assertEqual([copy.must(f"{n}-4096x4096") for n in ("tanh", "add")], [0.5, 0.85])
        self.assertIsNone(copy.must("add-256x256"))
        self.assertIsNone(Comparison("gemm", "torch", "cuda", []).must("64x64x64"))

    def test_what_the_peer_lacks_is_said(self):
        conv = Comparison("conv", "mlx", "cpu", [({("a", "x"): line("a", 1), ("b", "y"): line("b", 1)}, {})])
        conv.rounds[0][1]["a", "x"] = line("a", 2)
        self.assertIn("Not measured by mlx: b y.", conv.summary())

    def test_numbers(self):
        self.assertEqual([number(x) for x in (0.01234, 1.5, 234.56, 12345.6)], ["0.01234", "1.500", "234.6", "12346"])

    def test_only_measured_sections_are_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "Results/cpu.md"
            save(path, "cpu", {"step, torch": "## step, torch\n\nold\n", "gemm, torch": "## gemm, torch\n\nkept\n"})
            save(path, "cpu", {"step, torch": "## step, torch\n\nnew\n", "step, mlp": "## step, mlp\n\nadded\n"})
            titles = re.findall(r"^#+ (.*)\n\n(\w+)", path.read_text(), flags=re.MULTILINE)
        sections = [("gemm, torch", "kept"), ("step, mlp", "added"), ("step, torch", "new")]
        self.assertEqual(titles, [("Results on cpu", "Updated"), *sections])


class CompareTests(unittest.TestCase):
    """The command as a whole, with an `apus` that prints what it is told to."""

    def compare(self, *words, lines=(), python='exec python3 "$@"'):
        with tempfile.TemporaryDirectory() as folder:
            programs = {"apus": f"cat <<'END'\n{chr(10).join(map(json.dumps, lines))}\nEND", "python": python}
            for name, text in programs.items():
                (Path(folder) / name).write_text(f"#!/bin/sh\n{text}\n")
                (Path(folder) / name).chmod(0o755)
            tools = ["--apus", f"{folder}/apus", "--python", f"{folder}/python", "--rounds", "1", "--threads", "1"]
            return subprocess.run([HERE / "compare", *tools, *words], capture_output=True, text=True)

    def test_a_peer_that_is_missing_is_named_with_its_installation(self):
        # -S: as if nothing had been installed.
        for peer, package in (("torch", "torch"), ("mlx", "mlx[cpu]"), ("tinygrad", "tinygrad>=0.14")):
            run = self.compare("step", "--peer", peer, python='exec python3 -S "$@"')
            self.assertEqual((run.returncode, run.stdout), (69, ""))
            self.assertRegex(run.stderr, rf"{peer}_bench: .*pip install '{re.escape(package)}'")

    def test_apus_that_is_missing(self):
        run = subprocess.run([HERE / "compare", "gemm", "--apus", "/nowhere"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 69)
        self.assertIn("swift build -c release --product apus", run.stderr)

    def test_words_that_do_not_fit(self):
        wrong = [["gem"], ["gemm", "--peer", "numpy"], ["gemm", "--pass", "all"], ["gemm,conv", "--problem", "8x8x8"]]
        wrong += [["conv", "--peer", "copy"], ["ops", "--peer", "copy", "--device", "opencl"], ["scaling"]]
        wrong += [["ops", "--problem", "exp-256x256", "--save"], ["gemm", "--rounds", "0"]]
        for words in wrong:
            self.assertEqual(self.compare(*words).returncode, 64, words)

    def test_problems_that_make_no_sense_with_a_peer(self):
        lines = [line("negate-256x256", 0.5, gbytes_per_second=3.0)]
        self.assertEqual(self.compare("ops", "--peer", "copy", lines=lines).returncode, 64)

    def test_a_table_beside_a_peer(self):
        lines = [line("negate-4096x4096", 0.5, gbytes_per_second=3.0, benchmark="ops")]
        run = self.compare("ops", "--peer", "copy", lines=lines)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"## ops, copy\n\n.* 1 threads; .*copy; other processes took up to [\d.]+ cores; ")
        self.assertRegex(run.stdout, r"\| negate-4096x4096 \| +1.500 \| +[\d.]+ \| ")


class RoundTests(unittest.TestCase):
    def test_a_measurement_that_was_disturbed_is_repeated(self):
        for loads, kept, left in (([0.05], 0.05, 0), ([0.8, 0.05, 0.01], 0.05, 1), ([0.8, 0.3, 0.5, 0.0], 0.3, 1)):
            rest = list(loads)
            with mock.patch.object(compare, "OtherLoad", lambda: mock.Mock(cores=lambda: rest.pop(0))):
                found = compare.one_round([lambda: ({("a", ""): rest[0]}, {})])
            self.assertEqual((found, len(rest)), ((kept, ({("a", ""): kept}, {})), left))


class ProcessorTests(unittest.TestCase):
    def test_generations_of_one_name_differ(self):
        text = "processor\t: 0\ncpu family\t: {}\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu {}\n\n"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cpuinfo"
            for family, flags, vectors in ((25, "avx avx2", "AVX2"), (26, "avx2 avx512f", "AVX-512"), (15, "avx", "SSE")):
                path.write_text(text.format(family, flags) * 2)
                self.assertEqual(processor(path), f"AMD EPYC, family {family}, {vectors}")
            path.write_text("Features\t: fp asimd\n")
            self.assertNotIn("family", processor(path))


class Ratios:
    """A bench whose rows take what is said, one attempt after the other."""

    def __init__(self, ratios):
        self.left = list(ratios)

    def ratio(self, row, unit):
        return self.left.pop(0)


class GateTests(unittest.TestCase):
    rows = {"step a": {"unit": "gemm", "recorded": {processor(): 2.0, "another": 1.0}}}
    table = {"tolerance": 1.5, "elsewhere": 2.0, "attempts": 3, "rows": rows}

    def test_rows_are_words_of_bench(self):
        self.assertEqual(gate.words("gemm 8x8x8 NN"), ["gemm", "--problem", "8x8x8", "--transpose", "NN"])
        self.assertEqual(gate.words("ops exp-256x256"), ["ops", "--problem", "exp-256x256"])
        self.assertEqual(gate.words("step mlp-b128-adam"), ["step", "mlp-b128-adam"])
        self.assertEqual(gate.words("conv N1 input"), ["conv", "--problem", "N1", "--pass", "input"])

    def test_the_median_counts_when_the_first_attempt_is_too_slow(self):
        for ratios, slow in (([2.9], []), ([3.1, 9, 2.9], ["step a"]), ([3.1, 2.8, 2.9], [])):
            bench = Ratios(ratios)
            self.assertEqual((gate.check(bench, self.table), bench.left), (slow, []))

    def test_other_processors_have_more_room(self):
        rows = {"step a": {"unit": "gemm", "recorded": {"one": 1.0, "another": 2.0}}}
        self.assertEqual(gate.check(Ratios([3.9]), self.table | {"rows": rows}), [])
        self.assertEqual(gate.check(Ratios([4.1] * 3), self.table | {"rows": rows}), ["step a"])

    def test_the_table_holds_what_check_needs(self):
        table = json.loads((HERE / "gate.json").read_text())
        self.assertGreaterEqual(table["attempts"], 2)
        self.assertTrue(all(row["unit"] in ("gemm", "openblas", "copy") for row in table["rows"].values()))
        self.assertTrue(all(row["recorded"] for row in table["rows"].values()))


if __name__ == "__main__":
    unittest.main()
