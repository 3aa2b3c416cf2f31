"""The report of `run`: a page like those of Benchmarks/Results, made from the outcomes of the parts."""

import datetime
import re
import statistics
from pathlib import Path

HEADER = """# Results on {title}

{date}. `Tests/gpu/run` writes this page on a machine with a GPU. The tables are those of `Benchmarks/compare`, see
[Benchmarks](../../Documentation/Benchmarks.md): a ratio is the speed of Apus divided by the speed of the peer.
"""

# What no part measures, and why.
UNMEASURED = [
    "TF32 products, and float32 products as three of TF32: Apus has no such precision.",
    "Products and convolutions by cuBLASLt and cuDNN: Apus uses its own kernels only.",
    "The compiled form of PyTorch's networks, except for LeNet-5: compiling each takes about a minute.",
    "A recipe after airbench94 (CIFAR-10).",
]


def rows(section: str) -> list[dict[str, str]]:
    """The rows of the table in a section of `Benchmarks/compare`, by the titles of its columns."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row)) for row in cells[2:]] if cells else []


def find(state: dict, part: str, title: str, problem: str) -> list[dict[str, str]]:
    """The rows of a part's tables that are in a section with this title and whose problem matches the pattern."""
    sections = [text for text in state.get(part, {}).get("sections", []) if text.startswith(f"## {title}\n")]
    return [row for text in sections for row in rows(text) if re.fullmatch(problem, row["problem"])]


def ratio(found: list[dict[str, str]]) -> float | None:
    """The smallest ratio of the rows, or `None` if there are no rows."""
    return min((float(row["ratio"]) for row in found), default=None)


# What is measured, the bound, the value, and whether the value reaches the bound (`None` if it was not measured).
Aim = tuple[str, str, str, bool | None]


def at_least(what: str, bound: float, value: float | None) -> Aim:
    return (what, f"≥ {bound:g}", *(("", None) if value is None else (f"{value:.2f}", value >= bound)))


def at_most(what: str, bound: float, value: float | None) -> Aim:
    return (what, f"≤ {bound:g}", *(("", None) if value is None else (f"{value:.3g}", value <= bound)))


def aims(state: dict) -> list[Aim]:
    """The aims for a GPU like the H100, and whether they are reached."""

    def passed(what: str, part: str) -> Aim:
        status = state.get(part, {}).get("status")
        return what, "all pass", status or "", None if status in (None, "skipped") else status == "passed"

    def fact(part: str, name: str) -> float | None:
        return state.get(part, {}).get("facts", {}).get(name)

    lenet5 = find(state, "lenet5", "step, torch, eager", "lenet5.*")
    large = find(state, "resnet50", "step, torch, mixed-bfloat16, eager,channels-last", "resnet50.*")
    lstm = find(state, "lstm", "step, torch, eager", "lstm2.*")
    attention = find(state, "attention", "ops, torch, bfloat16, eager", ".*-2048.*")
    product, bfloat16 = (find(state, "gemm", title, "4096.*") for title in ("gemm, torch", "gemm, torch, bfloat16"))
    copies = [row for row in find(state, "bandwidth", "ops, copy", ".*") if row.get("must")]
    middle = statistics.median(float(row["ratio"]) for row in copies) if copies else None
    seconds = fact("train", "train_seconds")
    return [
        at_most("first 20 losses of LeNet-5, relative difference from the CPU's", 1e-5, fact("losses", "losses")),
        passed("test suites of kernels", "kernels"),
        passed("test suites of operations", "operations"),
        at_most("step of LeNet-5, ms", 0.15, float(lenet5[0]["Apus ms"]) if lenet5 else None),
        at_least("step of LeNet-5, eager PyTorch", 3, ratio(lenet5)),
        at_least("float32 products 4096³, cuBLAS", 0.9, ratio(product)),
        at_least("bfloat16 products 4096³, cuBLAS", 0.85, ratio(bfloat16)),
        at_least("elementwise operations and reductions of 64 MB, a copy; the slowest", 0.85, ratio(copies)),
        at_least("… the median", 0.85, middle),
        at_least("step of ResNet-50, bfloat16, batch 256, PyTorch", 1, ratio(large)),
        at_least("step of an LSTM, 2 layers of 512, cuDNN", 0.8, ratio(lstm)),
        at_least("attention, bfloat16, PyTorch's flash kernel", 0.5, ratio(attention)),
        (
            "LeNet-5 to an accuracy of 0.90 on Fashion-MNIST, s", "stated",
            *(("", None) if seconds is None else (f"{seconds:.1f}", True)),
        ),
    ]  # fmt: skip


def name(title: str) -> str:
    """The name of the page: `NVIDIA H200` gives `nvidia-h200`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "gpu"


def text(state: dict, order: list[str]) -> str:
    facts = state.get("devices", {}).get("facts", {})
    date = facts.get("date", datetime.date.today())
    lines = [HEADER.format(title=facts.get("title", "a GPU"), date=date)]
    lines += [f"- {key}: {value}" for key, value in facts.items() if key != "title"]
    marks = {True: "yes", False: "**no**", None: "not measured"}
    lines += ["", "| aim | bound | found | reached |", "|---|---|---|---|"]
    lines += [f"| {what} | {bound} | {value} | {marks[mark]} |" for what, bound, value, mark in aims(state)]
    lines += ["", "| part | outcome | seconds | reason |", "|---|---|---:|---|"]
    for part in order:
        found = state.get(part, {"status": "not run", "seconds": 0, "reason": ""})
        reason = found["reason"].replace("|", "\\|").replace("\n", " ")[:500]
        lines.append(f"| {part} | {found['status']} | {found['seconds']:.0f} | {reason} |")
    lines += ["", "Not measured:", "", *(f"- {line}" for line in UNMEASURED)]
    for part in order:
        found = state.get(part, {})
        if found.get("notes"):
            lines += ["", f"## {part}", "", *(f"- {note}" for note in found["notes"])]
        for section in found.get("sections", []):
            lines += ["", section.strip()]
    return "\n".join(lines) + "\n"


def write(state: dict, order: list[str], folder: Path) -> Path:
    path = folder / f"{name(state.get('devices', {}).get('facts', {}).get('title', ''))}.md"
    path.write_text(text(state, order))
    return path
