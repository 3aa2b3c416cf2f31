"""Tests of `run`, its modules and `pack`: python3 -m unittest discover -b -s Tests/gpu"""

import json
import re
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
import machine as machines  # noqa: E402
import parts  # noqa: E402
import ptx  # noqa: E402
import report  # noqa: E402
from machine import Failed, Machine, Outcome, Skipped  # noqa: E402

HERE = Path(__file__).resolve().parent


def script(name):
    loader = SourceFileLoader(name, str(HERE / name))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


run, pack = script("run"), script("pack")

SECTION = """## step, torch, eager

2026-11-30, a processor; 3 rounds.

| problem         | Apus ms | torch ms | form  | ratio | range     | must | reached |
|-----------------|--------:|---------:|-------|------:|-----------|-----:|---------|
| lenet5-b128-sgd |   0.120 |    0.480 | eager |  4.00 | 3.90–4.10 |    3 | yes     |

Geometric mean of the ratios: 4.00.
"""


class MachineTests(unittest.TestCase):
    """Parts on a machine without the packed programs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.results = Path(folder.name)
        with mock.patch.object(machines, "unpack", return_value=self.results):
            self.machine = Machine(self.results, "cuda", is_quick=True)
        self.addCleanup(self.machine.close)

    def outcome(self, body, limit=10.0) -> Outcome:
        return self.machine.run("part", body, limit)

    def test_outcomes_are_stored(self):
        def fails(_):
            raise Failed("broken")

        def skips(_):
            raise Skipped("no device")

        cases = [(fails, "failed", "broken"), (skips, "skipped", "no device"), (lambda _: None, "passed", "")]
        cases += [(lambda _: [][0], "failed", "IndexError: list index out of range")]
        for body, status, reason in cases:
            found = self.outcome(body)
            self.assertEqual((found.status, found.reason), (status, reason))
            self.assertEqual(json.loads(self.machine.state_path.read_text())["part"]["status"], status)

    def test_commands_end_at_the_deadline_with_their_children(self):
        found = self.outcome(lambda machine: machine.call(["sh", "-c", "echo begun; sleep 60 & wait"]), limit=0.5)
        self.assertRegex(found.reason, "^stopped after [01] s: sh -c")
        self.assertLess(found.seconds, 5)
        self.assertIn("begun", (self.results / "parts.log").read_text())

    def test_a_failed_command_is_reported_with_its_last_line(self):
        found = self.outcome(lambda machine: machine.call(["sh", "-c", "echo one; echo two; exit 3"]))
        self.assertRegex(found.reason, r"^two \(status 3 of sh ")

    def suite(self, output, status=0) -> Outcome:
        self.machine.tests = self.results / "tests"
        self.machine.tests.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {status}\n")
        self.machine.tests.chmod(0o755)
        return self.outcome(lambda machine: machine.suites("cuda", ["A", "B"]))

    def test_suites_pass_only_if_tests_ran(self):
        skipped = '➜ Test slow() skipped: "a reason"\n'
        passed = self.suite(f"{skipped}✔ Test run with 12 tests in 1 suite passed after 0.5 seconds.")
        self.assertEqual(
            (passed.status, sorted(passed.notes)[0]),
            ("passed", "A: 12 tests passed, 0.5 s; skipped: slow() (a reason)"),
        )
        cases = [("✔ Test run with 0 tests in 0 suites passed after 0.001 seconds.", 0), ("Fatal error", 132)]
        cases += [("✘ Test run with 3 tests in 1 suite failed after 2.0 seconds with 4 issues.", 1)]
        clean = "✔ Test run with 2 tests in 1 suite passed after 1.0 seconds."
        cases += [(f"{clean}\n========= ERROR SUMMARY: 3 errors", 0)]
        for output, status in cases:
            self.assertEqual(self.suite(output, status).status, "failed", output)
        self.assertEqual(self.suite(f"{clean}\n========= ERROR SUMMARY: 0 errors").status, "passed")

    def test_parts_that_ended_are_not_repeated(self):
        calls = []
        known = {"one": parts.Part(lambda _: calls.append("one"), 100, ""), "two": parts.Part(self.broken, 100, "")}
        with mock.patch.object(run, "PARTS", known), mock.patch("builtins.print"):
            self.assertFalse(run.run(self.machine, ["one", "two"], None, again=False))
            self.assertFalse(run.run(self.machine, ["one", "two"], None, again=False))
            self.assertEqual((calls, self.machine.state["two"]["status"]), (["one"], "failed"))
            self.assertTrue(run.run(self.machine, ["one"], None, again=True))
            self.assertEqual(calls, ["one", "one"])
            self.assertTrue(run.run(self.machine, ["one"], 5, again=True))
            self.assertEqual(calls, ["one", "one"], "too little time was left")

    @staticmethod
    def broken(_):
        raise Failed("broken")


class PartTests(unittest.TestCase):
    def test_every_part_has_a_place_and_less_than_nine_minutes(self):
        self.assertEqual(sorted(parts.ORDER), sorted(parts.PARTS))
        self.assertLess(max(part.limit for part in parts.PARTS.values()), 540)

    def test_suites_and_their_files_exist(self):
        for name in [*parts.kernel_suites(parts.KERNELS), *parts.OPERATION_SUITES]:
            module, suite = name.split("/")[0].split(".")
            files = list((HERE.parent / module).rglob("*.swift"))
            self.assertTrue(any(f"struct {suite} " in path.read_text() for path in files), name)

    def test_the_workloads_are_those_of_apus(self):
        root = HERE.parent.parent
        text = (root / "Benchmarks/ApusBenchmarks/Workloads").rglob("*.swift")
        known = "".join(path.read_text() for path in text)
        # The rows of elementwise.def that cost more than 2 are workloads, too, with their names in kebab case.
        rows = re.findall(r"^[A-Z0-9_]+\((\w+), (\d+),", (root / "Kernels/elementwise.def").read_text(), re.MULTILINE)
        costly = {re.sub("[A-Z]", lambda letter: "-" + letter[0].lower(), name) for name, cost in rows if int(cost) > 2}
        self.assertIn("floor-divide", costly)
        for name in [*parts.NETWORKS, "lenet5-b128-sgd", "resnet50-224-b256", "lstm2-h512-t64-b64", *parts.OPERATIONS]:
            self.assertTrue(f'"{name}"' in known or name in costly, name)

    def test_images_are_cut(self):
        with tempfile.TemporaryDirectory() as folder:
            images, labels = Path(folder) / "train-images-idx3-ubyte", Path(folder) / "train-labels-idx1-ubyte"
            images.write_bytes(b"\0\0\x08\x03" + bytes([0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(3 * 784))
            labels.write_bytes(b"\0\0\x08\x01" + bytes([0, 0, 0, 3, 7, 8, 9]))
            scratch = Path(folder) / "scratch"
            scratch.mkdir()
            images_only = mock.Mock(images=mock.Mock(iterdir=lambda: [images, labels]), scratch=scratch)
            first = parts.first_images(images_only, 2)
            self.assertEqual((first / labels.name).read_bytes(), b"\0\0\x08\x01\0\0\0\x02\x07\x08")
            self.assertEqual(len((first / images.name).read_bytes()), 16 + 2 * 784)


class ReportTests(unittest.TestCase):
    def test_aims_are_read_from_the_tables(self):
        state = {"lenet5": {"status": "passed", "seconds": 9, "reason": "", "notes": [], "sections": [SECTION]}}
        found = {what: (value, mark) for what, _, value, mark in report.aims(state)}
        self.assertEqual(found["step of LeNet-5, ms"], ("0.12", True))
        self.assertEqual(found["step of LeNet-5, eager PyTorch"], ("4.00", True))
        self.assertEqual(found["float32 products 4096³, cuBLAS"], ("", None))
        text = report.text(state, ["lenet5", "gemm"])
        self.assertIn("| gemm | not run | 0 |", text)
        self.assertIn("## step, torch, eager\n", text)

    def test_the_page_is_named_after_the_device(self):
        self.assertEqual([report.name(title) for title in ("NVIDIA H200", "")], ["nvidia-h200", "gpu"])


class ProbeTests(unittest.TestCase):
    def test_expected_numbers(self):
        for name, (_, _, expected) in ptx.PROBES.items():
            self.assertEqual(len(expected) % ptx.WARP, 0, name)
        self.assertEqual(ptx.bfloat16(3.0), 0x4040)
        # Row 9, column 7 is the last of the four numbers of lane 7: 16 · 10 · 8.
        self.assertEqual(ptx.MMA_OUTPUT[4 * 7 + 3], ptx.floats([1280])[0])
        # Row 1 of the second matrix begins with the numbers 72 and 73 (its elements 8 and 9), which lane 4 holds.
        self.assertEqual(ptx.MATRIX_OUTPUT[4 * 4 + 1], 72 | 73 << 16)


class PackTests(unittest.TestCase):
    def test_the_c_library_is_not_packed(self):
        names = ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0"]
        self.assertTrue(all(pack.GLIBC.match(name) for name in names))
        self.assertFalse(any(pack.GLIBC.match(name) for name in ["libcurl.so.4", "libmount.so", "libdispatch.so"]))


if __name__ == "__main__":
    unittest.main()
