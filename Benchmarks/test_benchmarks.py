"""Tests of `compare` and `gate`: python3 -m unittest discover -b -s Benchmarks"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest import mock

import runs
from runs import HERE, OtherLoad, processor, speed
from tables import Comparison, bounds, counted, number, save

sys.dont_write_bytecode = True  # otherwise Python would write a stray file named gatec


def script(name):
    """Loads a command of this directory as a module."""
    loader = SourceFileLoader(name, str(HERE / name))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


compare, gate = script("compare"), script("gate")


def line(problem, median, **more):
    return {"problem": problem, "median_ms": median, "min_ms": median / 2} | more


def steps(*rounds):
    """A comparison of one workload, from the milliseconds of both sides in each round."""
    name = ("lenet5-b128-sgd", "")
    sides = [tuple({name: line(name[0], ms, peak_bytes=1_000_000 * (n + 1))} for n, ms in enumerate(r)) for r in rounds]
    return Comparison("step", "torch", "cpu", sides)


class TableTests(unittest.TestCase):
    def test_speeds_are_computed_from_the_median_run(self):
        self.assertEqual(speed(line("a", 4.0)), 0.25)
        self.assertEqual(speed(line("a", 4.0, gflops=100)), 50)

    def test_a_ratio_is_the_median_over_the_rounds(self):
        found = steps((1, 2), (2, 6), (1, 10))
        cells = [cell.strip() for cell in found.table().split("\n")[2].strip("|").split("|")]
        shown = ["lenet5-b128-sgd", "1.000", "6.000", "3.00", "2.00–10.00", "1.0", "2.0", "2.00", "2", "yes"]
        self.assertNotIn("disturbed", found.table())
        self.assertEqual(cells, shown)
        self.assertIn("Bounds reached: 1 of 1.", found.summary())
        self.assertIn("**no**", steps((1, 1.9)).table())

    def test_bounds_are_the_first_that_fit(self):
        gemm = Comparison("gemm", "torch", "cpu", [])
        product = {"ratio": 1.5, "peak": 0.75}
        self.assertEqual([gemm.must("1x4096x4096"), gemm.must("64x64x64")], [{"ratio": 0.9}, product])
        copy = Comparison("ops", "copy", "cpu", [])
        self.assertEqual([copy.must(f"{n}-4096x4096")["ratio"] for n in ("tanh", "add")], [0.5, 0.85])
        self.assertIsNone(copy.must("add-256x256"))
        self.assertIsNone(Comparison("gemm", "torch", "cuda", []).must("64x64x64"))

    def test_a_row_is_judged_by_the_rounds_without_other_processes(self):
        found = steps((1, 3), (1, 1), (1, 5))
        name = ("lenet5-b128-sgd", "")
        found.rounds[1][1][name]["others"] = 0.43
        self.assertRegex(found.table(), r"\| +4.00 \| 3.00–5.00 \|")
        self.assertRegex(found.table(), r"\| yes +\| 1 of 3 +\|")
        self.assertIn("Bounds reached: 1 of 1.", found.summary())

    def test_a_row_that_others_disturbed_is_not_judged(self):
        for side in (0, 1):
            for milliseconds in (0.1, 10):
                found = steps((1, milliseconds), (1, milliseconds), (1, milliseconds))
                for index in (0, 1):
                    found.rounds[index][side]["lenet5-b128-sgd", ""]["others"] = 0.11
                self.assertRegex(found.table(), r"\| not judged +\| 2 of 3 +\|")
                self.assertNotRegex(found.table() + found.summary(), r"yes|\*\*no|Bounds reached")
                self.assertIn(
                    "Not judged: 1 of 1 rows, during whose runs other processes took up to 0.11", found.summary()
                )

    def test_a_mean_is_not_judged_with_a_disturbed_row(self):
        rows = {("a", "forward"): line("a", 1, gflops=3), ("b", "forward"): line("b", 1, gflops=3, others=0.5)}
        peer = {key: row | {"gflops": 1} for key, row in rows.items()}
        self.assertIn("must be 1.2: not judged", Comparison("conv", "torch", "cpu", [(rows, peer)]).summary())
        rows["b", "forward"]["others"] = peer["b", "forward"]["others"] = 0
        self.assertIn("must be 1.2: reached", Comparison("conv", "torch", "cpu", [(rows, peer)]).summary())

    def test_a_product_reaches_the_peer_or_the_peak(self):
        def product(apus, torch, peak, **more):
            sides = [{("8x8x8", "NN"): line("8x8x8", 1.0, gflops=2 * rate)} for rate in (apus, torch)]
            sides[0]["8x8x8", "NN"] |= {"peak_gflops": peak} | more
            return Comparison("gemm", "torch", "cpu", [tuple(sides)])

        cases = [(150, 100, 400, "1.5", "yes"), (140, 100, 400, "1.5", "**no**")]
        cases += [(140, 100, 180, "0.75 of peak", "yes"), (134, 100, 180, "0.75 of peak", "**no**")]
        for apus, torch, peak, must, reached in cases:
            cells = product(apus, torch, peak).row(("8x8x8", "NN"))
            self.assertEqual((cells[7], cells[8:10]), (f"{apus / peak:.2f}", [must, reached]))
        self.assertEqual(
            product(140, 100, 180, peak_others=0.2).row(("8x8x8", "NN"))[8:10], ["0.75 of peak", "not judged"]
        )

    def test_the_fastest_form_of_the_peer_counts(self):
        name = ("lenet5-b128-sgd", "")
        forms = {"eager": [(3, 9), (2, 9)], "compiled": [(2, 30), (2.5, 40)], "channels-last": [None, None]}
        rounds = [
            ({name: line(name[0], 1, peak_bytes=8)}, {
                form: {name: line(name[0], found[n][0], peak_bytes=found[n][1])} if found[n] else {}
                for form, found in forms.items()
            })
            for n in range(2)
        ]  # fmt: skip
        rounds[0][1]["eager"][name]["others"] = 0.7
        chosen = [peer[name] for _, peer in counted(rounds)]
        shown = [(row["form"], row["median_ms"], row["peak_bytes"], row["others"]) for row in chosen]
        self.assertEqual(shown, [("compiled", 2, 9, 0.7), ("compiled", 2.5, 9, 0)])
        self.assertIn("| compiled |", Comparison("step", "torch", "cpu", counted(rounds)).table())

    def test_a_comparison_of_one_type_has_its_own_title_and_bounds(self):
        gemm = Comparison("gemm", "torch", "cuda:0", [], variant="bfloat16")
        self.assertEqual((gemm.title, gemm.must("4096x4096x4096")), ("gemm, torch, bfloat16", {"ratio": 0.85}))
        self.assertEqual(Comparison("gemm", "torch", "cuda", []).must("4096x4096x4096"), {"ratio": 0.9})
        self.assertIsNone(Comparison("gemm", "torch", "cpu", [], variant="bfloat16").must("64x64x64"))

    def test_targets_name_no_processor(self):
        targets = json.loads((HERE / "targets.json").read_text())
        self.assertLessEqual({entry["device"] for entry in targets}, {"cpu", "opencl", "cuda"})
        self.assertNotRegex((HERE / "targets.json").read_text(), r"(?i)zen|epyc|xeon|avx|amd|intel|family")
        for entry in targets:
            names = (entry["device"], entry["kind"], entry["peer"])
            self.assertTrue(all(set(bound) <= {"ratio", "peak"} for bound in bounds(*names).values()), names)

    def test_problems_that_the_peer_did_not_measure_are_listed(self):
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
    """Tests of the whole command, with a fake `apus` that prints given lines."""

    def compare(self, *words, lines=(), python='exec python3 "$@"'):
        with tempfile.TemporaryDirectory() as folder:
            programs = {"apus": f"cat <<'END'\n{chr(10).join(map(json.dumps, lines))}\nEND", "python": python}
            for name, text in programs.items():
                (Path(folder) / name).write_text(f"#!/bin/sh\n{text}\n")
                (Path(folder) / name).chmod(0o755)
            tools = ["--apus", f"{folder}/apus", "--python", f"{folder}/python", "--rounds", "1", "--threads", "1"]
            return subprocess.run([HERE / "compare", *tools, *words], capture_output=True, text=True)

    def test_a_peer_that_is_missing_is_named_with_its_installation(self):
        # With -S, Python does not find installed packages.
        for peer, package in (("torch", "torch"), ("mlx", "mlx[cpu]"), ("tinygrad", "tinygrad>=0.14")):
            run = self.compare("step", "--peer", peer, python='exec python3 -S "$@"')
            self.assertEqual((run.returncode, run.stdout), (69, ""))
            self.assertRegex(run.stderr, rf"{peer}_bench: .*pip install '{re.escape(package)}'")

    def test_apus_that_is_missing(self):
        run = subprocess.run([HERE / "compare", "gemm", "--apus", "/nowhere"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 69)
        self.assertIn("swift build -c release --product apus", run.stderr)

    def test_invalid_arguments(self):
        wrong = [["gem"], ["gemm", "--peer", "numpy"], ["gemm", "--pass", "all"], ["gemm,conv", "--problem", "8x8x8"]]
        wrong += [["conv", "--peer", "copy"], ["ops", "--peer", "copy", "--device", "opencl"], ["scaling"]]
        wrong += [["ops", "--problem", "exp-256x256", "--save"], ["gemm", "--rounds", "0"]]
        for words in wrong:
            self.assertEqual(self.compare(*words).returncode, 64, words)

    def test_problems_that_the_peer_does_not_support(self):
        lines = [line("negate-256x256", 0.5, gbytes_per_second=3.0)]
        self.assertEqual(self.compare("ops", "--peer", "copy", lines=lines).returncode, 64)

    def test_a_peer_of_several_forms(self):
        rows = {
            form: line("lenet5-b128-sgd", ms)
            for form, ms in (("eager", 4.0), ("channels-last", 5.0), ("compiled", 3.0))
        }
        describe = {
            "peer": "torch 9",
            "devices": ["cpu"],
            "kinds": {"step": ["lenet5-b128-sgd"]},
            "forms": {"step": [*rows]},
        }
        cases = "".join(f"*--form*{form}*) echo '{json.dumps(row)}' ;; " for form, row in rows.items())
        python = f"case \"$*\" in *describe*) echo '{json.dumps(describe)}' ;; {cases}*) exit 1 ;; esac"
        run = self.compare("step", lines=[line("lenet5-b128-sgd", 1.0)], python=python)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"\| +1.000 \| +3.000 \| compiled \| +3.00 \|")
        run = self.compare("step", "--forms", "eager", lines=[line("lenet5-b128-sgd", 1.0)], python=python)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"## step, torch, eager\n[^#]*\| +1.000 \| +4.000 \| eager \| +4.00 \|")
        self.assertEqual(self.compare("step", "--forms", "eagre", python=python).returncode, 64)

    def test_a_product_is_compared_with_the_peak_of_the_same_round(self):
        row = line("8x8x8", 2.0, gflops=100, transpose="NN")
        describe = {"peer": "p", "devices": ["cpu"], "kinds": {"gemm": ["*"]}, "forms": {}}
        peak = json.dumps(row | {"gflops": 120})
        python = f"""case "$*" in *describe*) echo '{json.dumps(describe)}' ;; *peak_bench*) echo '{peak}' ;;
            *) echo '{json.dumps(row | {"gflops": 60})}' ;; esac"""
        run = self.compare("gemm", lines=[row], python=python)
        self.assertEqual(run.returncode, 0, run.stderr)
        # Apus has 100 GFLOP/s in its fastest run, so 50 in the median run. The peak is 120, the rate of the fastest run
        # of peak_bench.py.
        self.assertRegex(run.stdout, r"\| of peak \|.* must ")
        self.assertRegex(run.stdout, r"\| +1.67 \| 1.67–1.67 \| +0.42 \| +1.5 \| ")

    def test_the_printed_comparison_with_a_peer(self):
        lines = [line("negate-4096x4096", 0.5, gbytes_per_second=3.0, benchmark="ops")]
        run = self.compare("ops", "--peer", "copy", lines=lines)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"## ops, copy\n\n.* 1 threads; .*copy; other processes took up to [\d.]+ cores; ")
        self.assertRegex(run.stdout, r"\| negate-4096x4096 \| +1.500 \| +[\d.]+ \| ")


class RoundTests(unittest.TestCase):
    def test_the_title_of_a_device_beside_one_that_is_not_available(self):
        lines = [{"available": False, "reason": "no driver"}, {"name": "opencl:0", "title": "A GPU"}]
        with mock.patch.object(runs, "output", return_value="\n".join(map(json.dumps, lines))):
            self.assertEqual(runs.Apus(Path("apus"), "opencl", 1).title(), "A GPU")

    def test_a_run_that_was_disturbed_is_repeated(self):
        for loads, kept, left in (([0.05], 0.05, 0), ([0.8, 0.05, 0.01], 0.05, 1), ([0.8, 0.3, 0.5, 0.0], 0.3, 1)):
            rest = list(loads)
            found = runs.quietest(lambda: {("a", ""): {"others": rest.pop(0)}})
            self.assertEqual((found, len(rest)), ({("a", ""): {"others": kept}}, left))

    def test_a_round_merges_the_lines_of_its_parts_by_form(self):
        parts = [
            ({("a", ""): 1}, {"eager": {("a", ""): 2}, "compiled": {}}),
            ({("b", ""): 3}, {"eager": {("b", ""): 4}}),
        ]
        found = compare.one_round([lambda part=part: part for part in parts])
        self.assertEqual(found, ({("a", ""): 1, ("b", ""): 3}, {"eager": {("a", ""): 2, ("b", ""): 4}, "compiled": {}}))

    def test_the_load_of_others_excludes_this_process_and_its_children(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stat"
            path.write_text("cpu  100 20 30 5000 600 7 8 9 50 60\ncpu0 1 2 3\n")
            _, busy, _ = OtherLoad.state(path)
        self.assertAlmostEqual(busy * os.sysconf("SC_CLK_TCK"), 100 + 20 + 30 + 7 + 8 + 9)
        for busy, own, cores in ((31.0, 21.0, 0.995), (31.0, 31.0, 0), (31.04, 31.0, 0), (30.0, 31.0, 0)):
            with mock.patch.object(OtherLoad, "state", side_effect=[(0, 0, 0), (10, busy, own)]):
                self.assertAlmostEqual(OtherLoad().cores(), cores)

    def test_the_load_is_that_of_each_run(self):
        states = [(0, 0, 0), (10, 15.05, 10)]
        with mock.patch.object(OtherLoad, "state", side_effect=states):
            found = runs.lines(["echo", '{"problem": "a", "median_ms": 1}'], 1)
        self.assertEqual(found, {("a", ""): {"problem": "a", "median_ms": 1, "others": 0.5}})


class PeakTests(unittest.TestCase):
    def test_all_products_have_the_peak_rate_of_the_processor(self):
        words = [
            sys.executable,
            HERE / "Peers/peak_bench.py",
            "gemm",
            "--problem",
            "64x64x64,8x8x128",
            "--threads",
            "1",
        ]
        run = subprocess.run([*words, "--transpose", "NT", "--runs", "1"], capture_output=True, text=True)
        found = [json.loads(row) for row in run.stdout.splitlines()]
        self.assertEqual([row["problem"] for row in found], ["64x64x64", "8x8x128"], run.stderr)
        self.assertAlmostEqual(found[0]["gflops"] / found[1]["gflops"], 1, places=2)
        # Even a core that other programs use too reaches 0.1 GFLOP/s.
        self.assertGreater(found[0]["gflops"], 0.1)


class ProcessorTests(unittest.TestCase):
    def test_generations_of_one_name_differ(self):
        text = "processor\t: 0\ncpu family\t: {}\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nflags\t\t: fpu {}\n\n"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cpuinfo"
            for family, flags, vectors in (
                (25, "avx avx2", "AVX2"),
                (26, "avx2 avx512f", "AVX-512"),
                (15, "avx", "SSE"),
            ):
                path.write_text(text.format(family, flags) * 2)
                self.assertEqual(processor(path), f"AMD EPYC, family {family}, {vectors}")
            path.write_text("Features\t: fp asimd\n")
            self.assertNotIn("family", processor(path))


class Ratios:
    """A fake bench that returns given ratios, one for each attempt."""

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

    def test_the_limit_is_larger_on_processors_without_a_recorded_ratio(self):
        rows = {"step a": {"unit": "gemm", "recorded": {"one": 1.0, "another": 2.0}}}
        self.assertEqual(gate.check(Ratios([3.9]), self.table | {"rows": rows}), [])
        self.assertEqual(gate.check(Ratios([4.1] * 3), self.table | {"rows": rows}), ["step a"])

    def test_gate_json_has_the_fields_that_check_needs(self):
        table = json.loads((HERE / "gate.json").read_text())
        self.assertGreaterEqual(table["attempts"], 2)
        self.assertTrue(all(row["unit"] in ("gemm", "openblas", "copy") for row in table["rows"].values()))
        self.assertTrue(all(row["recorded"] for row in table["rows"].values()))


if __name__ == "__main__":
    unittest.main()
