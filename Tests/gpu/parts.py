"""The parts of `run`. `ORDER` is the order in which they run."""

import ctypes
import datetime
import json
import os
import platform
import re
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from machine import HERE, Failed, Machine, Skipped

PARTS: dict[str, "Part"] = {}


@dataclass
class Part:
    body: Callable[[Machine], None]
    limit: float
    summary: str


def part(name: str, limit: float, summary: str):
    """Declares a part, which is stopped after `limit` seconds."""

    def declare(body):
        PARTS[name] = Part(body, limit, summary)
        return body

    return declare


# MARK: - The machine


@part("devices", 60, "what this machine has")
def devices(machine: Machine):
    facts = machine.outcome.facts
    facts["date"] = str(datetime.date.today())
    facts["cores"] = machine.cores
    facts["system"] = f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}"
    if shutil.which("nvidia-smi"):
        query = "name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit"
        _, text = machine.call(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], check=False)
        facts["nvidia-smi"] = text.strip()
    program = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"
    status, text = machine.call([sys.executable, "-c", program], check=False)
    facts["torch"] = text.strip().splitlines()[-1] if status == 0 else "not found"
    found = machine.devices()
    for line in found:
        machine.note(f"{line['name']}: {line['title']}, {line['driver']}" if line["available"] else line["reason"])
    kind = machine.device.partition(":")[0]
    match = [line for line in found if line["available"] and line["name"].startswith(kind)]
    if not match:
        raise Failed(f"no device {machine.device}: {[line.get('reason') for line in found]}")
    facts["title"], facts["driver"] = match[0]["title"], match[0]["driver"]
    facts["version"] = (HERE / "version").read_text().strip()


# MARK: - Results


def first_images(machine: Machine, count: int) -> Path:
    """A folder with only the first `count` images of each set of Fashion-MNIST."""
    folder = machine.scratch / "first"
    folder.mkdir(exist_ok=True)
    for path in machine.images.iterdir():
        data = path.read_bytes()
        header, size = (16, 28 * 28) if "images" in path.name else (8, 1)
        (folder / path.name).write_bytes(data[:4] + struct.pack(">I", count) + data[8 : header + count * size])
    return folder


def losses_on(machine: Machine, device: str, data: Path) -> list[float]:
    """The losses of 20 steps of LeNet-5. The data are one batch, so each step is an epoch and has a line of metrics."""
    output = machine.scratch / f"losses-{device.replace(':', '-')}"
    words = ["train", "lenet5", "--data", f"mnist:{data}", "--batch-size", "128", "--epochs", "20", "--seed", "1"]
    machine.run_apus(*words, "--device", device, "--output", output)
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


@part("losses", 240, "LeNet-5's first 20 losses against the CPU, and apus verify")
def losses(machine: Machine):
    data = first_images(machine, 128)
    expected, found = (losses_on(machine, device, data) for device in ("cpu", machine.device))
    if len(expected) != 20 or len(found) != 20:
        raise Failed(f"{len(expected)} and {len(found)} losses instead of 20")
    worst = max(abs(a - b) / abs(a) for a, b in zip(expected, found))
    machine.note(f"largest relative difference of 20 losses of LeNet-5 from the CPU's: {worst:.2g}")
    machine.outcome.facts["losses"] = worst
    wrong = [] if worst <= 1e-5 else [f"the losses differ by {worst:.2g}, more than 1e-5"]
    for model in ["lenet5"] if machine.is_quick else ["lenet5", "lstm", "resnet18"]:
        words = ["verify", model, "--devices", f"cpu,{machine.device}", "--batch-size", "16"]
        status, text = machine.run_apus(*words, check=False)
        last = text.strip().splitlines()[-1] if text.strip() else ""
        machine.note(f"apus verify {model}: {'agrees' if status == 0 else last}")
        wrong += [] if status == 0 else [f"verify {model}: {last}"]
    if wrong:
        raise Failed("; ".join(wrong))


@part("train", 200, "LeNet-5 to an accuracy of 0.90 on Fashion-MNIST")
def train(machine: Machine):
    epochs = "1" if machine.is_quick else "12"
    data = first_images(machine, 512) if machine.is_quick else machine.images
    output = machine.scratch / "train"
    words = ["train", "lenet5", "--data", f"mnist:{data}", "--epochs", epochs, "--seed", "1", "--json"]
    words += ["--batch-size", "64", "--learning-rate", "2e-3", "--schedule", "cosine"]
    words += ["--device", machine.device, "--output", output]
    _, text = machine.run_apus(*words)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    count = struct.unpack(">I", (data / "train-images-idx3-ubyte").read_bytes()[4:8])[0]
    measured = [line for line in lines if "test_accuracy" in line and "epoch" in line]
    if not measured:
        raise Failed("the run printed no accuracy")
    best = max(line["test_accuracy"] for line in measured)
    rate = max(line.get("examples_per_second", 0) for line in measured)
    machine.note(f"{count} images, {len(measured)} epochs, best accuracy {best:.4f}, {rate:.0f} examples per second")
    reached = next((line for line in measured if line["test_accuracy"] >= 0.90), None)
    if reached:
        machine.note(f"accuracy 0.90 after {reached['epoch']} epochs, {reached['seconds']:.1f} s with all evaluations")
        machine.outcome.facts["train_seconds"] = reached["seconds"]
    elif not machine.is_quick:
        raise Failed(f"the accuracy was at most {best:.4f}")


# MARK: - Benchmarks

OPERATIONS = """
    copy negate relu rsqrt exp log tanh sigmoid sin erf gelu gelu-tanh gelu-tanh-gradient to-float16 add multiply divide
    less add-row add-column fused-chain transpose concatenate sum sum-rows sum-columns max-rows argmax-rows
    cumulative-sum-rows cumulative-sum-columns variance-rows log-sum-exp-rows softmax-rows layer-norm-rows gather-rows
""".split()
PRODUCTS = "4096x4096x4096,8192x8192x8192,2048x2048x2048,1024x1024x1024"
# Layers of ResNet-50 with a batch of 256.
CONVOLUTIONS = """
    N256C64H56W56K64R3S3P1U1D1G1 N256C128H28W28K128R3S3P1U1D1G1 N256C256H14W14K256R3S3P1U1D1G1
    N256C512H7W7K512R3S3P1U1D1G1 N256C256H56W56K64R1S1P0U1D1G1 N256C1024H14W14K256R1S1P0U1D1G1
""".split()
NETWORKS = """
    mlp-b128-adam resnet18-cifar-b32 vgg16bn-cifar-b32 alexnet-224-b16 rnn-rows-b128-h128 lstm-rows-b128-h128
    gru-rows-b128-h128 charlm-lstm2-h256-t64-b32 transformer4-d256-t128-b16
""".split()


def needs_torch(machine: Machine):
    """Skips the part if PyTorch is missing or, for a CUDA device, finds no GPU. PyTorch has no OpenCL, so an OpenCL
    device is compared with PyTorch on the CPU."""
    if machine.has_torch is None:
        check = "sys.exit(not torch.cuda.is_available())" if machine.device != "opencl" else ""
        status, _ = machine.call([sys.executable, "-c", f"import sys, torch; {check}"], check=False)
        machine.has_torch = status == 0
    if not machine.has_torch:
        raise Skipped(f"the PyTorch of {sys.executable} is missing, or finds no GPU")


def names(operations: list[str], side: int) -> str:
    return ",".join(f"{name}-{side}x{side}" for name in operations)


@part("lenet5", 240, "a step of LeNet-5, eager and compiled")
def lenet5(machine: Machine):
    needs_torch(machine)
    machine.compare("step", "lenet5-b128-sgd", "--forms", "eager")
    if not machine.is_quick:
        machine.compare("step", "lenet5-b128-sgd", "--forms", "channels-last,compiled")


@part("gemm", 240, "products of float32, bfloat16 and int8")
def gemm(machine: Machine):
    needs_torch(machine)
    machine.compare("gemm", "--problem", "64x64x64" if machine.is_quick else PRODUCTS)
    machine.compare("gemm", "--problem", "64x64x64" if machine.is_quick else PRODUCTS, "--dtype", "bfloat16")
    if not machine.is_quick:
        # PyTorch multiplies int8 fastest if the right operand is column-major.
        machine.compare("gemm", "--problem", PRODUCTS, "--dtype", "int8", "--transpose", "NT")


@part("bandwidth", 240, "operations on 64 MB and more, as shares of a copy")
def bandwidth(machine: Machine):
    needs_torch(machine)
    if machine.device == "opencl":
        raise Skipped("a copy is measured on the CPU and on CUDA only")
    chosen = ["negate", "sum"] if machine.is_quick else OPERATIONS
    machine.compare("ops", "--peer", "copy", "--problem", names(chosen, 4096))


@part("attention", 120, "attention against PyTorch's scaled_dot_product_attention")
def attention(machine: Machine):
    needs_torch(machine)
    problem = f"attention-{'256x256' if machine.is_quick else '2048x2048'}"
    for dtype in ("bfloat16", "float32"):
        machine.compare("ops", "--problem", problem, "--dtype", dtype, "--forms", "eager")


@part("resnet50", 300, "a step of ResNet-50, bfloat16, batch 256")
def resnet50(machine: Machine):
    needs_torch(machine)
    name = "resnet18-cifar-b32" if machine.is_quick else "resnet50-224-b256"
    machine.compare("step", name, "--precision", "mixed-bfloat16", "--forms", "eager,channels-last")


@part("lstm", 120, "a step of an LSTM with 2 layers of 512")
def lstm(machine: Machine):
    needs_torch(machine)
    machine.compare("step", "lstm-rows-b128-h128" if machine.is_quick else "lstm2-h512-t64-b64", "--forms", "eager")


@part("conv", 300, "convolutions of bfloat16 and float32")
def conv(machine: Machine):
    needs_torch(machine)
    problems = "N2C8H8W8K8R3S3P1U1D1G1" if machine.is_quick else ",".join(CONVOLUTIONS)
    machine.compare("conv", "--problem", problems, "--dtype", "bfloat16")
    machine.compare("conv", "--problem", problems)


@part("ops", 300, "operations against PyTorch's")
def ops(machine: Machine):
    needs_torch(machine)
    chosen = ["negate", "sum"] if machine.is_quick else OPERATIONS
    machine.compare("ops", "--problem", names(chosen, 256 if machine.is_quick else 4096), "--forms", "eager")


@part("networks", 500, "training steps of the other networks")
def networks(machine: Machine):
    needs_torch(machine)
    chosen = NETWORKS[:1] if machine.is_quick else NETWORKS
    machine.compare("step", ",".join(chosen), "--forms", "eager,channels-last")


# MARK: - Tests

KERNELS = """
    GPUDriver Elementwise Reduction Matmul Convolution MatrixTile Pooling Attention MatrixAttention Recurrent Index Scan
    Sort Random Custom RunFailure
""".split()
OPERATION_SUITES = [
    "ApusTests.SmokeTests", "ApusTensorTests.OpCaseTests/equalsTheScalarReference",
    "ApusTensorTests.OpCaseTests/gradientsEqualTheReferenceDevice", "ApusTensorTests.OpCaseTests/specialValuesAreKept",
    "ApusTensorTests.LoopTests", "ApusTensorTests.LongSumTests", "ApusTensorTests.ScalarOperandTests",
    "ApusTensorTests.FaultTests", "ApusTensorTests.CoverageTests/everyDevice", "ApusNNTests.FusedAttentionTests",
    "ApusNNTests.RecurrentTests", "ApusNNTests.CompiledStepTests", "ApusNNTests.DeferredGradientTests",
]  # fmt: skip


def kernel_suites(names: list[str]) -> list[str]:
    return [f"ApusGPUTests.{name}Tests" for name in names]


@part("kernels", 500, "the test suites of kernels")
def kernels(machine: Machine):
    kind = machine.device.partition(":")[0]
    variables = {"APUS_KERNEL_CLASS": "gpu"} if kind == "opencl" else {}
    machine.suites(kind, kernel_suites(["Sort", "Scan"] if machine.is_quick else KERNELS), **variables)


@part("operations", 530, "the test suites of operations")
def operations(machine: Machine):
    kind = machine.device.partition(":")[0]
    variables = {"APUS_KERNEL_CLASS": "gpu"} if kind == "opencl" else {}
    chosen = [OPERATION_SUITES[0], OPERATION_SUITES[-5]] if machine.is_quick else OPERATION_SUITES
    machine.suites(f"cpu,{kind}", chosen, **variables)


def opencl_variables(machine: Machine) -> dict[str, str]:
    """The environment variables with which the OpenCL loader finds a device. The packages of NVIDIA's driver for
    machines without a display often lack the file that names its OpenCL library. Raises `Skipped` if there is no
    device."""
    vendors = Path("/etc/OpenCL/vendors")
    found: dict[str, str] = {}
    if not any("nvidia" in path.read_text() for path in vendors.glob("*.icd")):
        folders = ["", "/usr/local/nvidia/lib64/", "/usr/lib/x86_64-linux-gnu/", "/usr/lib64/"]
        for path in (f"{folder}libnvidia-opencl.so.1" for folder in folders):
            try:
                ctypes.CDLL(path)
            except OSError:
                continue
            folder = machine.scratch / "vendors"
            folder.mkdir(exist_ok=True)
            (folder / "nvidia.icd").write_text(f"{path}\n")
            found["OCL_ICD_VENDORS"] = str(folder)
            break
    _, text = machine.run_apus("devices", "--json", check=False, **found)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if not any(line["available"] and line["name"].startswith("opencl") for line in lines):
        raise Skipped("this machine has no OpenCL device")
    return found


@part("ptx", 60, "the inline PTX that the driver's OpenCL compiler takes")
def ptx(machine: Machine):
    libraries = f"{machine.folder}/lib:{os.environ.get('LD_LIBRARY_PATH', '')}"
    variables = opencl_variables(machine) | {"LD_LIBRARY_PATH": libraries}
    _, text = machine.call([sys.executable, HERE / "ptx.py"], **variables)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    for line in lines:
        state = "builds, right numbers" if line["right"] else "builds, wrong numbers" if line["built"] else "not built"
        log = "" if line["right"] and "__asm__" not in line["log"] else " ".join(line["log"].split())[:500]
        machine.note(f"{line['name']}: {state}{': ' + log if log else ''}")
    if not lines or not lines[0]["right"]:
        raise Failed("not even the kernel without PTX gives the right numbers")


@part("opencl", 500, "the suites of kernels and operations on the GPU's OpenCL")
def opencl(machine: Machine):
    variables = opencl_variables(machine) | {"APUS_KERNEL_CLASS": "gpu"}
    _, text = machine.run_apus("verify", "lenet5", "--devices", "cpu,opencl:0", check=False, **variables)
    machine.note(f"apus verify lenet5: {(text.strip().splitlines() or ['no output'])[-1]}")
    chosen = kernel_suites(
        ["Sort"] if machine.is_quick else [name for name in KERNELS if not name.startswith("Matrix")]
    )
    chosen += [] if machine.is_quick else OPERATION_SUITES[:2]
    machine.suites("opencl", chosen, **variables)


SANITIZED = ["Sort", "Scan", "Index", "Pooling", "Attention", "Recurrent", "MatrixTile/smallProducts", "Reduction"]


@part("sanitizer", 530, "compute-sanitizer on the suites of kernels")
def sanitizer(machine: Machine):
    known = [shutil.which("compute-sanitizer"), "/usr/local/cuda/bin/compute-sanitizer"]
    tool = next((path for path in known if path and os.access(path, os.X_OK)), None)
    if tool is None:
        raise Skipped("compute-sanitizer was not found")
    suites = [f"ApusGPUTests.{name.replace('/', 'Tests/') if '/' in name else name + 'Tests'}" for name in SANITIZED]
    suites = suites[:1] if machine.is_quick else suites
    wrong = []
    for check in ("memcheck", "racecheck"):
        machine.note(f"{check}:")
        options = ["--tool", check, "--error-exitcode", "99", "--print-limit", "20"]
        options += ["--report-api-errors", "no"] if check == "memcheck" else []
        try:
            machine.suites("cuda", suites, [tool, *options])
        except Failed as reason:
            wrong.append(f"{check}: {reason}")
    text = (machine.results / "parts.log").read_text().rpartition("===== sanitizer =====")[2]
    if refused := re.search(r"Device not supported.*|Unable to (?:find|attach).*", text):
        raise Skipped(f"compute-sanitizer cannot check this device: {refused[0]}")
    if wrong:
        raise Failed("; ".join(wrong))


# The parts that say most about Apus come first, because a borrowed machine may be available only for a few minutes.
ORDER = """
    devices losses lenet5 gemm kernels bandwidth train attention resnet50 lstm operations ptx conv ops sanitizer opencl
    networks
""".split()
