"""Tables that compare the results of two sides, and the results file that stores them."""

import datetime
import json
import math
import re
import statistics
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from runs import HERE, QUIET, Lines, speed

UNITS = {"gemm": "GFLOP/s", "conv": "GFLOP/s", "ops": "GB/s", "loader": "images/s"}
HEADER = """# Results on {device}

Updated {date}. `Benchmarks/compare --save` writes this file. It has a section for each kind of benchmark and each
peer. A comparison replaces only the sections that it measured. In a round, Apus and the peer run one after the other.
The tables have these columns, except columns that would be empty:

- *Apus* and the name of the peer, with a unit: the speed or the time. The value of a round is the median of its runs,
  and the column has the median of the rounds. The section *scaling* compares Apus on all threads with Apus on one
  thread.
- *form*: the form of the peer, such as eager or compiled. If the peer ran in several forms, the fastest form counts.
- *ratio*: the speed of Apus divided by the speed of the peer in the same round. Above 1, Apus is faster. The column has
  the median of the rounds, and *range* has the smallest and the largest ratio.
- *of peak*: the speed of Apus divided by the processor's peak, which is the largest rate of multiply-adds. The peak is
  measured in each round, and the column has the median of the rounds.
- *MB*: the peak of the memory of the process, minus the memory that the process used before the model was built. For
  Apus on devices other than `cpu`, and for PyTorch on GPUs, it is the peak of the memory allocated on the device. If
  the peer ran in several forms, the smallest value counts. *MB ratio* is the MB of the peer divided by the MB of Apus.
- *must*: the bound of `Benchmarks/targets.json`, which is a ratio or, marked *of peak*, a fraction of the peak. If a
  row has both bounds, the table has the bound that is easier to reach. *reached* says whether Apus reaches the bound.
- *disturbed*: the number of rounds in which other processes used more than {quiet:g} cores. If fewer than half of the
  rounds of a row are disturbed, these rounds do not count. Otherwise all rounds count, and the row is not judged.
"""

# A bound: a ratio, or a ratio and a fraction of the peak. If both are given, it is enough to reach one of them.
Bound = float | dict[str, float]


def target(device: str, kind: str, peer: str, variant: str = "") -> dict:
    """The entry of targets.json for a comparison. `variant` has the type, the precision and the forms to which the
    comparison is limited, if any."""
    targets = json.loads((HERE / "targets.json").read_text())
    wanted = (device.partition(":")[0], kind, peer, variant)
    return next((t for t in targets if (t["device"], t["kind"], t["peer"], t.get("variant", "")) == wanted), {})


def bounds(device: str, kind: str, peer: str, variant: str = "") -> dict[str, dict[str, float]]:
    """Maps the problem patterns of a comparison to bounds: `ratio`, and `peak` if a fraction of the peak is enough."""
    musts: dict[str, Bound] = target(device, kind, peer, variant).get("musts", {})
    return {pattern: must if isinstance(must, dict) else {"ratio": must} for pattern, must in musts.items()}


def counted(rounds: list[tuple[Lines, dict[str, Lines]]]) -> list[tuple[Lines, Lines]]:
    """The rounds with one line of the peer for each problem. A peer may run in several forms, such as eager and
    compiled; the line is that of the form with the largest median speed over all rounds. Two fields of this line are
    replaced: the memory peak by the smallest of all forms, and the load from other processes by the largest."""
    result: list[tuple[Lines, Lines]] = [(first, {}) for first, _ in rounds]
    problems = {key for _, forms in rounds for found in forms.values() for key in found}
    for key in problems:
        known = [form for form in rounds[0][1] if all(key in forms.get(form, {}) for _, forms in rounds)]
        if not known:
            continue
        best = max(known, key=lambda form: statistics.median(speed(forms[form][key]) for _, forms in rounds))
        for (_, forms), (_, chosen) in zip(rounds, result):
            lines = [forms[form][key] for form in known]
            chosen[key] = forms[best][key] | {"form": best, "others": max(line.get("others", 0.0) for line in lines)}
            if peaks := [line["peak_bytes"] for line in lines if "peak_bytes" in line]:
                chosen[key]["peak_bytes"] = min(peaks)
    return result


@dataclass
class Comparison:
    """The rounds of one kind and peer. Each round has the lines of Apus and the lines of the peer. `sides` has the
    titles of the two sides; an empty title stands for `peer`. `variant` has the type, the precision and the forms to
    which the comparison is limited, if any."""

    kind: str
    peer: str
    device: str
    rounds: list[tuple[Lines, Lines]]
    sides: tuple[str, str] = ("Apus", "")
    variant: str = ""

    @property
    def title(self) -> str:
        return ", ".join(filter(None, [self.kind, self.peer, self.variant]))

    def must(self, problem: str) -> dict[str, float] | None:
        """The first bound whose pattern matches the problem."""
        known = bounds(self.device, self.kind, self.peer, self.variant)
        return next((bound for pattern, bound in known.items() if fnmatchcase(problem, pattern)), None)

    @property
    def keys(self) -> list[tuple[str, str]]:
        apus, peer = self.rounds[0]
        return [key for key in apus if key in peer]

    def load(self, key, number: int) -> float:
        """The largest number of cores that other processes used during the runs of one row of the table in a round."""
        apus, peer = (side[key] for side in self.rounds[number])
        return max(apus.get("others", 0.0), apus.get("peak_others", 0.0), peer.get("others", 0.0))

    def disturbed(self, key) -> list[int]:
        return [number for number in range(len(self.rounds)) if self.load(key, number) > QUIET]

    def is_judged(self, key) -> bool:
        return 2 * len(self.disturbed(key)) < len(self.rounds)

    def lines(self, key) -> list[tuple[dict, dict]]:
        """The lines of both sides in the rounds that count: the undisturbed rounds, or all if the row is not judged."""
        left_out = self.disturbed(key) if self.is_judged(key) else []
        return [(a[key], p[key]) for number, (a, p) in enumerate(self.rounds) if number not in left_out]

    def ratios(self, key) -> list[float]:
        return [speed(apus) / speed(peer) for apus, peer in self.lines(key)]

    def peak(self, key) -> float | None:
        """The fraction of the processor's peak that Apus reached: the median of the rounds that measured the peak;
        `None` if there are none."""
        shares = [speed(apus) / apus["peak_gflops"] for apus, _ in self.lines(key) if "peak_gflops" in apus]
        return statistics.median(shares) if shares else None

    def limit(self, key) -> tuple[str, float] | None:
        """The kind of a row's bound, `ratio` or `peak`, and the value of the bound. If the row has both bounds, the
        bound that is easier to reach is returned. `None` if the row has no bound."""
        bound, share = self.must(key[0]), self.peak(key)
        if bound is None:
            return None
        ratio = statistics.median(self.ratios(key))
        if "peak" in bound and share is not None and bound["peak"] / share < bound["ratio"] / ratio:
            return "peak", bound["peak"]
        return "ratio", bound["ratio"]

    def is_reached(self, key) -> bool | None:
        """Whether Apus reaches the bound of the row; `None` if the row has no bound or is not judged."""
        limit = self.limit(key)
        if limit is None or not self.is_judged(key):
            return None
        name, bound = limit
        return (self.peak(key) if name == "peak" else statistics.median(self.ratios(key))) >= bound

    def memory(self, key) -> list[str]:
        """The memory peaks of both sides in MB, and the peer's peak divided by Apus's. The three cells are empty if a
        line has no peak."""
        sides = [[line.get("peak_bytes") for line in side] for side in zip(*self.lines(key))]
        if not all(all(side) for side in sides):
            return ["", "", ""]
        apus, peer = map(statistics.median, sides)
        return [f"{apus / 1e6:.1f}", f"{peer / 1e6:.1f}", f"{peer / apus:.2f}"]

    def verdict(self, key) -> list[str]:
        """The bound, whether it is reached, and how many rounds were disturbed."""
        limit, count = self.limit(key), len(self.disturbed(key))
        marks = f"{count} of {len(self.rounds)}" if count else ""
        if limit is None:
            return ["", "" if self.is_judged(key) else "not judged", marks]
        name, bound = limit
        reached = {True: "yes", False: "**no**", None: "not judged"}[self.is_reached(key)]
        return [f"{bound:g}{' of peak' if name == 'peak' else ''}", reached, marks]

    def row(self, key) -> list[str]:
        unit = UNITS.get(self.kind)
        shown = [[speed(line) if unit else line["median_ms"] for line in side] for side in zip(*self.lines(key))]
        ratios, share = self.ratios(key), self.peak(key)
        cells = [*key, *(number(statistics.median(side)) for side in shown), self.rounds[0][1][key].get("form", "")]
        cells += [f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}–{max(ratios):.2f}"]
        cells += ["" if share is None else f"{share:.2f}"]
        if self.kind == "step":
            cells += self.memory(key)
        return cells + self.verdict(key)

    @property
    def titles(self) -> list[str]:
        variant = {"gemm": "transpose", "conv": "pass"}.get(self.kind, "")
        unit = UNITS.get(self.kind, "ms")
        titles = ["problem", variant, *(f"{side or self.peer} {unit}" for side in self.sides), "form"]
        titles += ["ratio", "range", "of peak"]
        if self.kind == "step":
            titles += ["Apus MB", f"{self.peer} MB", "MB ratio"]
        return [*titles, "must", "reached", "disturbed"]

    def summary(self) -> str:
        """The geometric mean of the ratios of all rows, how many rows reach their bounds, how many are not judged, and
        the problems that the peer did not measure."""
        mean = statistics.geometric_mean(statistics.median(self.ratios(key)) for key in self.keys)
        silent = [key for key in self.keys if not self.is_judged(key)]
        text = f"Geometric mean of the ratios: {mean:.2f}"
        if bound := target(self.device, self.kind, self.peer, self.variant).get("geometric_mean"):
            reached = "not judged" if silent else "reached" if mean >= bound else "**not reached**"
            text += f", must be {bound:g}: {reached}"
        verdicts = [reached for key in self.keys if (reached := self.is_reached(key)) is not None]
        if verdicts:
            text += f". Bounds reached: {sum(verdicts)} of {len(verdicts)}"
        if silent:
            worst = max(self.load(key, number) for key in silent for number in range(len(self.rounds)))
            text += (
                f". Not judged: {len(silent)} of {len(self.keys)} rows, during whose runs other processes took up to "
            )
            text += f"{worst:.2f} cores; repeat them on a quiet machine"
        lacking = [" ".join(key).strip() for key in self.rounds[0][0] if key not in self.keys]
        if lacking:
            text += f". Not measured by {self.peer}: {', '.join(lacking)}"
        return text + "."

    def table(self) -> str:
        rows = [self.titles, *(self.row(key) for key in self.keys)]
        # Columns without content are omitted.
        columns = [column for column in zip(*rows) if any(column[1:])]
        return markdown(list(zip(*columns)))

    def section(self, setting: str) -> str:
        count = f"{len(self.rounds)} round{'s' if len(self.rounds) > 1 else ''}"
        return f"## {self.title}\n\n{setting}; {count}.\n\n{self.table()}\n\n{self.summary()}\n"


def number(value: float) -> str:
    """A number with four significant digits; from 1000 on, rounded to an integer."""
    return f"{value:.{max(0, 3 - math.floor(math.log10(value)))}f}" if value < 1000 else f"{value:.0f}"


def markdown(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table that is also readable as plain text: words are left-aligned, numbers right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    words = [not any(re.match(r"[\d.]+$", cell) for cell in column[1:]) for column in zip(*rows)]

    def line(cells):
        padded = (c.ljust(w) if word else c.rjust(w) for c, w, word in zip(cells, widths, words))
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (w + 2) if word else "-" * (w + 1) + ":" for w, word in zip(widths, words))
    return "\n".join([line(rows[0]), f"|{rule}|", *map(line, rows[1:])])


def save(path: Path, device: str, sections: dict[str, str]):
    """Writes sections to a results file. They replace the sections with the same titles."""
    kept = {}
    if path.exists():
        for section in re.split(r"^(?=## )", path.read_text(), flags=re.MULTILINE)[1:]:
            kept[section.partition("\n")[0].removeprefix("## ")] = section.strip() + "\n"
    order = ["gemm", "conv", "ops", "step", "loader", "scaling"]
    merged = sorted((kept | sections).items(), key=lambda item: (order.index(item[0].partition(",")[0]), item[0]))
    header = HEADER.format(device=device, date=datetime.date.today(), quiet=QUIET)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *(text for _, text in merged)]))
