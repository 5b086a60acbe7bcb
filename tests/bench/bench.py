#!/usr/bin/env python3
"""Measures how long linkers take to make code in memory out of objects, each contestant a process of its own, all of
them in turn in each round, so that a noisy machine disturbs all alike; ratios are of the shortest times.  Times are
from "objects in memory" to "address of the entry known" (libtcc and ld.lld read files); jitscope links into the process that it
is called in, by its API, as LLJIT does; afterwards the linked code runs
and its result is checked.  The stack and the number of mappings are what the system gives by default; only LLJIT gets
a larger stack, without which it ends."""
import argparse
import collections
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile

Contestant = collections.namedtuple("Contestant", "label program mode package")

JITSCOPE = Contestant("jitscope", "jitscope", "", None)
FLOOR = Contestant("floor", "floor", "", None)
LLJIT = Contestant("LLJIT", "lljit", "", "llvm-19-dev")
CONTESTANTS = [
    FLOOR,
    JITSCOPE,
    Contestant("jitscope, nothing for debuggers", "jitscope", "no-debug", None),
    Contestant("jitscope, tracing default level", "jitscope", "default", None),
    Contestant("jitscope, tracing edges", "jitscope", "edges", None),
    Contestant("jitscope, recording to a file", "jitscope", "file", None),
    LLJIT,
    Contestant("libtcc (reads files)", "libtcc", "", "libtcc-dev and tcc"),
    Contestant("ld.lld -shared, dlopen (process)", "lld", "", "lld-19"),
]
INPUTS = ["generated:100", "generated:1000", "generated:10000", "generated:50000", "sqlite", "crypto", "python", "llvm",
          "functions:20000", "sections:40000", "comdats:10000", "commons:10000", "prefixes:10000"]
GROWTH = {"generated": (12500, 50000), "functions": (5000, 40000), "sections": (10000, 80000),
          "comdats": (5000, 20000), "commons": (5000, 20000), "prefixes": (5000, 20000)}
LARGE_STACK = 1 << 30  # for LLJIT alone, which looks symbols up recursively; the others have the default
SLOW_SECONDS = 2
SLOW_ROUNDS = 3


def grow_stack():
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    most = LARGE_STACK if hard == resource.RLIM_INFINITY else min(hard, LARGE_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (most, hard))


def explain(status, errors):
    """Why a run failed, in one line: what it said first and what it said last."""
    lines = [line for line in errors.splitlines() if line.strip()]
    said = [line if len(line) < 100 else line[:100] + " ..." for line in dict.fromkeys(lines[:1] + lines[-1:])]
    if status < 0:
        said.insert(0, f"killed by {signal.Signals(-status).name}")
    return "; ".join(said) or f"exit status {status}"


class Bench:
    def __init__(self, programs, folder, limit):
        self.programs, self.folder, self.limit = programs, folder, limit

    def command(self, contestant, name):
        return [str(self.programs / f"bench_{contestant.program}"), name, contestant.mode, str(self.folder)]

    def missing(self, contestant):
        if (self.programs / f"bench_{contestant.program}").exists():
            return None
        return f"not built: needs {contestant.package}"

    def run(self, contestant, name, before=(), **environment):
        """Figures or None, error or None, and what went to stderr."""
        command = [*before, *self.command(contestant, name)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=self.limit,
                                  preexec_fn=grow_stack if contestant is LLJIT else None, check=False,
                                  env=os.environ | environment)
        except subprocess.TimeoutExpired:
            return None, f"not finished after {self.limit} s", ""
        figures = {key: int(value) for key, value in re.findall(r"(\w+)=(-?\d+)", done.stdout)}
        return figures or None, explain(done.returncode, done.stderr) if done.returncode else None, done.stderr

    def prepare(self, name):
        """None, or why there is no such input here."""
        for old in self.folder.iterdir():
            old.unlink()
        done = subprocess.run([str(self.programs / "write_objects"), name, str(self.folder)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        return explain(done.returncode, done.stderr) if done.returncode else None


class Row:
    """What one contestant did with one input; CLOCK is the figure that counts."""

    def __init__(self, contestant, error=None, clock="ns"):
        self.contestant, self.error, self.clock, self.runs = contestant, error, clock, []

    def wants(self, round_number):
        slow = self.runs and self.runs[0]["ns"] > SLOW_SECONDS * 1e9
        return not self.error and not (slow and round_number >= SLOW_ROUNDS)

    def add(self, figures, error):
        self.error = error
        if figures:
            self.runs.append(figures | {"ns": figures[self.clock]})

    @property
    def ns(self):
        return statistics.median(run["ns"] for run in self.runs) if self.runs else None

    @property
    def least(self):
        return min(run["ns"] for run in self.runs) if self.runs else None

    def cells(self, references):
        if not self.runs:
            return [self.contestant.label] + ["-"] * 8
        middle = {key: statistics.median(run[key] for run in self.runs) for key in self.runs[0]}
        cells = [self.contestant.label, f"{middle['ns'] / 1e6:.2f}", f"{self.least / 1e6:.2f}",
                 f"{middle['ns'] / middle['objects'] / 1e3:.2f}", f"{middle['peak_kib'] / 1024:.1f}",
                 f"{middle['mappings']:.0f}"]
        return cells + [f"{self.least / reference:.2f}" if reference else "-" for reference in references]


HEADINGS = ["", "ms", "min", "us/object", "peak MiB", "mappings", "/ floor", "/ jitscope", "/ LLJIT"]


def print_columns(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  " + line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:])))


def print_table(rows):
    by_label = {row.contestant.label: row.least for row in rows}
    references = [by_label.get(one.label) for one in (FLOOR, JITSCOPE, LLJIT)]
    print_columns([HEADINGS] + [row.cells(references) for row in rows])
    for row in rows:
        if row.error:
            print(f"  {row.contestant.label}: {row.error}")
    print(flush=True)


def measure(bench, name, contestants, rounds, clock):
    rows = [Row(contestant, bench.missing(contestant), clock) for contestant in contestants]
    for number in range(rounds):
        turn = number % len(rows)
        for row in rows[turn:] + rows[:turn]:
            if row.wants(number):
                row.add(*bench.run(row.contestant, name)[:2])
    return rows


def count_instructions(bench, contestant, name):
    """Of bench_link() alone, by callgrind; None and a reason when that fails."""
    before = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
              "--toggle-collect=bench_link"]
    _, error, text = bench.run(contestant, name, before, BENCH_LINK_ONLY="1")
    found = re.search(r"Collected : (\d+)", text)
    return (int(found[1]), None) if found else (None, error or "callgrind says nothing")


def print_instructions(bench, name, contestants):
    floor = None
    for contestant in contestants:
        count, error = count_instructions(bench, contestant, name)
        if error:
            print(f"  {contestant.label}: {error}")
            continue
        floor = floor or count
        print(f"  {contestant.label:<34} {count:>15,} instructions  {count / floor:6.2f} x floor", flush=True)
    print()


RATIOS = ["", "floor, ms", "jitscope", "/ floor", "LLJIT /", "libtcc /", "ld.lld /", "jitscope, no debug / floor"]


def ratios(name, rows):
    """One line of the table at the end: how often jitscope's time the others need."""
    least = {row.contestant.program: row.least for row in rows if not row.contestant.mode}
    ours, floor = least.get("jitscope"), least.get("floor")
    quiet = next((row.least for row in rows if row.contestant.mode == "no-debug"), None)

    def times(value, of):
        return f"{value / of:.1f}" if value and of else "-"

    return [name, *(f"{value / 1e6:.2f}" if value else "-" for value in (floor, ours)), times(ours, floor),
            *(times(least.get(other), ours) for other in ("lljit", "libtcc", "lld")), times(quiet, floor)]


def grow(bench, shape, smallest, largest):
    """What jitscope needs for one more of them, from size to size: the same everywhere when nothing grows faster."""
    size, lines = smallest, [[shape, "instructions each", "bytes each", "mappings"]]
    while size <= largest:
        name = f"{shape}:{size}"
        figures, error, _ = bench.run(JITSCOPE, name)
        count, uncounted = count_instructions(bench, JITSCOPE, name)
        if error or uncounted:
            lines.append([str(size), error or uncounted, "-", "-"])
            break
        lines.append([str(size), f"{count / size:.0f}", f"{figures['peak_kib'] * 1024 / size:.0f}",
                      str(figures["mappings"])])
        size *= 2
    return lines


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="regular expression: only inputs that match; any "
                        "other number can be given as generated:N and the like (all: " + ", ".join(INPUTS) + ")")
    parser.add_argument("--only", metavar="PATTERN", default="", help="regular expression: only such contestants")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=int, default=60, help="seconds that one run may take (%(default)s)")
    parser.add_argument("--processor", action="store_true", help="processor time, of all threads and child processes, "
                        "instead of what the clock says: for a machine that has other work")
    parser.add_argument("--instructions", action="store_true",
                        help="count instructions with callgrind, of jitscope and the floor, instead of time")
    parser.add_argument("--growth", action="store_true", help="instructions and memory of jitscope for each function, "
                        "section, object ... from size to size, instead of time: " + ", ".join(GROWTH))
    parser.add_argument("--divide", type=int, default=1, help=argparse.SUPPRESS)  # sizes of --growth, for the test
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def choose_inputs(pattern):
    if re.fullmatch(rf"({'|'.join(GROWTH)}):\d+", pattern):
        return [pattern]
    return [name for name in INPUTS if re.search(pattern, name)]


def measure_all(bench, inputs, contestants, options):
    lines = [RATIOS]
    for name in inputs:
        print(name)
        error = bench.prepare(name)
        if error:
            print(f"  left out: {error}\n")
        elif options.instructions:
            print_instructions(bench, name, [one for one in contestants if one.program in ("jitscope", "floor")])
        else:
            rows = measure(bench, name, contestants, options.rounds, "cpu_ns" if options.processor else "ns")
            print_table(rows)
            lines.append(ratios(name, rows))
    if len(lines) > 1:
        print("ratios of the shortest times")
        print_columns(lines)
        print(flush=True)


def main(arguments):
    options = parse(arguments)
    inputs = choose_inputs(options.pattern)
    contestants = [one for one in CONTESTANTS if re.search(options.only, one.label)]
    if not (inputs or options.growth) or not contestants:
        print("bench: nothing matches", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="jitscope-bench-") as folder:
        bench = Bench(options.programs, pathlib.Path(folder), options.limit)
        if not options.growth:
            measure_all(bench, inputs, contestants, options)
        for shape, (smallest, largest) in GROWTH.items():
            if options.growth and re.search(options.pattern, shape):
                print_columns(grow(bench, shape, smallest // options.divide, largest // options.divide))
                print(flush=True)
    return 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main(sys.argv[1:]))
