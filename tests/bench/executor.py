#!/usr/bin/env python3
"""What it costs that `jitscope run` has the program run in a process of its own: whole runs, from the start of the command to its
end, of the same objects.  A third contestant is the program that the system's linker makes of them; its link is not counted.
All three in turn in each round."""
import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from recordings import print_table

INPUTS = pathlib.Path(__file__).resolve().parent.parent / "system" / "inputs"
HELLO = '#include <stdio.h>\nint main(void) { puts("hello, world"); return 0; }\n'
HEADINGS = ["", "native, ms", "--in-process, ms", "executor, ms", "difference, ms", "messages"]


def compile_inputs(folder):
    """Words for the link of each program, and its arguments."""
    (folder / "hello.c").write_text(HELLO)
    for source in (folder / "hello.c", INPUTS / "sqlite.c"):
        subprocess.run(["gcc", "-O2", "-c", source, "-o", folder / f"{source.stem}.o"], check=True)
    inputs = {"hello world": ([folder / "hello.o"], []),
              "SQLite": ([folder / "sqlite.o", "-l:libsqlite3.a", "-lm"], [])}
    for name, (words, _) in inputs.items():
        subprocess.run(["gcc", *words, "-o", folder / name.split()[0]], check=True)
    return inputs


def worked():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def milliseconds(command, clock):
    begin = clock()
    status = subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode
    return (clock() - begin) * 1e3, status


def count_messages(tool, words, arguments):
    """--stats counts before the program runs, which costs it the message that says so; then there is only the last one."""
    said = subprocess.run([tool, "run", "--stats", *words, "--", *arguments], capture_output=True).stderr
    return int(re.search(rb"^executor +(\d+) messages", said, re.M)[1]) + 1


def measure(tool, native, words, arguments, rounds, clock):
    commands = [[native, *arguments], *([tool, "run", mode, *words, "--", *arguments] for mode in ("--in-process", "--out-of-process"))]
    runs = [[milliseconds(command, clock) for command in commands] for _ in range(rounds)]
    statuses = {status for run in runs for _, status in run}
    if len(statuses) > 1:
        sys.exit(f"{native.name}: exit statuses {sorted(statuses)}: not all did the same")
    return [statistics.median(time for time, _ in column) for column in zip(*runs)]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev bench executor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=51, help="(%(default)s)")
    parser.add_argument("--processor", action="store_true", help="processor time, of all threads and processes, instead of what the "
                        "clock says: for a machine that has other work")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/tests/bench"))
    options = parser.parse_args(arguments)
    tool = os.path.abspath(options.programs / ".." / ".." / "jitscope")
    table = [HEADINGS]
    with tempfile.TemporaryDirectory(prefix="jitscope-bench-") as name:
        folder = pathlib.Path(name)
        for name, (words, given) in compile_inputs(folder).items():
            native, inside, outside = measure(tool, folder / name.split()[0], words, given, options.rounds,
                                              worked if options.processor else time.monotonic)
            table.append([name, *(f"{value:.2f}" for value in (native, inside, outside, outside - inside)),
                          str(count_messages(tool, words, given))])
    print(f"the median of {options.rounds} runs")
    print_table(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
