"""Tables of what two sides took, and the file of results that keeps them."""

import datetime
import json
import math
import re
import statistics
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runs import HERE, Lines, speed

UNITS = {"gemm": "GFLOP/s", "conv": "GFLOP/s", "ops": "GB/s", "loader": "images/s"}
HEADER = """# Results on {device}

Updated {date}. `Benchmarks/compare --save` writes this file, a section for each kind and peer, and replaces only those
that it measured. Apus and the peer take turns, a round each; a side's figure is the median over the rounds of its
median run. A ratio is Apus' speed over the peer's in the same round, so that above 1 Apus is faster; the table has its
median and its range. MB are the most memory the process held less what it held before the model was built. *Must* is
the bound of `Benchmarks/targets.json`.
"""


@dataclass
class Comparison:
    """The rounds of one kind and peer: in each the lines of Apus, then those of the peer."""

    kind: str
    peer: str
    device: str
    rounds: list[tuple[Lines, Lines]]
    sides: tuple[str, str] = ("Apus", "")

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.peer}"

    @property
    def target(self) -> dict:
        targets = json.loads((HERE / "targets.json").read_text())
        mine = (self.device, self.kind, self.peer)
        return next((t for t in targets if (t["device"], t["kind"], t["peer"]) == mine), {})

    def must(self, problem: str) -> float | None:
        """The first bound whose pattern a problem has."""
        musts = self.target.get("musts", {})
        return next((bound for pattern, bound in musts.items() if fnmatchcase(problem, pattern)), None)

    @property
    def keys(self) -> list[tuple[str, str]]:
        apus, peer = self.rounds[0]
        return [key for key in apus if key in peer]

    def ratios(self, key) -> list[float]:
        return [speed(apus[key]) / speed(peer[key]) for apus, peer in self.rounds]

    def memory(self, key) -> list[str]:
        """The peaks of both sides, and how many times as much the peer takes."""
        sides = [[lines[key].get("peak_bytes") for lines in side] for side in zip(*self.rounds)]
        if not all(all(side) for side in sides):
            return ["", "", ""]
        apus, peer = map(statistics.median, sides)
        return [f"{apus / 1e6:.1f}", f"{peer / 1e6:.1f}", f"{peer / apus:.2f}"]

    def row(self, key) -> list[str]:
        unit = UNITS.get(self.kind)
        shown = [
            [speed(lines[key]) if unit else lines[key]["median_ms"] for lines in side] for side in zip(*self.rounds)
        ]
        ratios = self.ratios(key)
        cells = [*key, *(number(statistics.median(side)) for side in shown)]
        cells += [f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}–{max(ratios):.2f}"]
        if self.kind == "step":
            cells += self.memory(key)
        bound = self.must(key[0])
        return cells + (["", ""] if bound is None else [f"{bound:g}", verdict(statistics.median(ratios), bound)])

    @property
    def titles(self) -> list[str]:
        variant = {"gemm": "transpose", "conv": "pass"}.get(self.kind, "")
        unit = UNITS.get(self.kind, "ms")
        titles = ["problem", variant, *(f"{side or self.peer} {unit}" for side in self.sides), "ratio", "range"]
        if self.kind == "step":
            titles += ["Apus MB", f"{self.peer} MB", "MB ratio"]
        return [*titles, "must", "reached"]

    def summary(self) -> str:
        """The mean over all rows, and how many reach their bounds."""
        medians = {key: statistics.median(self.ratios(key)) for key in self.keys}
        mean = statistics.geometric_mean(medians.values())
        text = f"Geometric mean of the ratios: {mean:.2f}"
        if bound := self.target.get("geometric_mean"):
            text += f", must be {bound:g}: {'reached' if mean >= bound else '**not reached**'}"
        bounds = {key: bound for key in medians if (bound := self.must(key[0])) is not None}
        if bounds:
            text += f". Bounds reached: {sum(medians[k] >= b for k, b in bounds.items())} of {len(bounds)}"
        lacking = [" ".join(key).strip() for key in self.rounds[0][0] if key not in self.keys]
        if lacking:
            text += f". Not measured by {self.peer}: {', '.join(lacking)}"
        return text + "."

    def table(self) -> str:
        rows = [self.titles, *(self.row(key) for key in self.keys)]
        # A column that has nothing to say is left out.
        columns = [column for column in zip(*rows) if any(column[1:])]
        return markdown(list(zip(*columns)))

    def section(self, setting: str) -> str:
        count = f"{len(self.rounds)} round{'s' if len(self.rounds) > 1 else ''}"
        return f"## {self.title}\n\n{setting}; {count}.\n\n{self.table()}\n\n{self.summary()}\n"


def verdict(ratio: float, bound: float) -> str:
    return "yes" if ratio >= bound else "**no**"


def number(value: float) -> str:
    """A number with three or four digits that mean something."""
    return f"{value:.{max(0, 3 - math.floor(math.log10(value)))}f}" if value < 1000 else f"{value:.0f}"


def markdown(rows: list[tuple[str, ...]]) -> str:
    """A table that can be read as it stands: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    words = [not any(re.match(r"[\d.]+$", cell) for cell in column[1:]) for column in zip(*rows)]

    def line(cells):
        padded = (c.ljust(w) if word else c.rjust(w) for c, w, word in zip(cells, widths, words))
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (w + 2) if word else "-" * (w + 1) + ":" for w, word in zip(widths, words))
    return "\n".join([line(rows[0]), f"|{rule}|", *map(line, rows[1:])])


def save(path: Path, device: str, sections: dict[str, str]):
    """Puts sections into a file of results, in place of those with the same titles."""
    kept = {}
    if path.exists():
        for section in re.split(r"^(?=## )", path.read_text(), flags=re.MULTILINE)[1:]:
            kept[section.partition("\n")[0].removeprefix("## ")] = section.strip() + "\n"
    order = ["gemm", "conv", "ops", "step", "loader", "scaling"]
    merged = sorted((kept | sections).items(), key=lambda item: (order.index(item[0].partition(",")[0]), item[0]))
    header = HEADER.format(device=device, date=datetime.date.today())
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *(text for _, text in merged)]))
