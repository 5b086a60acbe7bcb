#!/usr/bin/env python3
"""How long an exception takes from its throw to its catch, five frames further out, when there are many functions: linked by
the system's linker, and in memory, in one batch and in many.  The objects are the same; runs are interleaved."""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

from recordings import figures, print_table

HERE = pathlib.Path(__file__).resolve().parent


def write_objects(folder, functions):
    """One compiled object, and copies of it with another name."""
    compiler = ["g++", "-O2", "-fPIC", "-c", HERE / "throws.cpp"]
    subprocess.run([*compiler, "-o", folder / "state.o"], check=True)
    subprocess.run([*compiler, "-DTHROWER", "-o", folder / "pattern.o"], check=True)
    pattern = (folder / "pattern.o").read_bytes()
    for number in range(functions):
        (folder / f"{number:05}.o").write_bytes(pattern.replace(b"thrower_00000", b"thrower_%05d" % number))


def link_natively(folder, functions):
    names = [f"thrower_{number:05}" for number in range(functions)]
    (folder / "table.c").write_text("".join(f"void {name}(unsigned, unsigned);\n" for name in names) +
                                    f"unsigned count_of_all = {functions};\nvoid (*all_throwers[])(unsigned, unsigned) = {{{','.join(names)}}};\n")
    subprocess.run(["gcc", "-O1", "-c", folder / "table.c", "-o", folder / "table.o"], check=True)
    subprocess.run(["gcc", "-O2", "-DNATIVE", "-c", HERE / "throws.c", "-o", folder / "native.o"], check=True)
    (folder / "objects").write_text("\n".join(str(folder / f"{number:05}.o") for number in range(functions)))
    subprocess.run(["g++", folder / "native.o", folder / "table.o", folder / "state.o", f"@{folder / 'objects'}", "-o", folder / "native"], check=True)


def measure(options, folder):
    """Figures of all runs, by what was measured."""
    commands = {"linked by the system": [folder / "native", options.throws]}
    for batches in options.batches:
        if batches <= options.functions:
            name = f"{batches:,} batch{'es' if batches > 1 else ''}"
            commands[name] = [options.programs / "bench_throws", options.throws, options.functions, batches, folder]
    found = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            found[name].append(figures(command))
    return found


def print_figures(found):
    native = statistics.median(run["median_ns"] for run in next(iter(found.values())))
    table = [["", "median, us", "best", "worst", "times native", "first throw, ms"]]
    for name, runs in found.items():
        column = [run["median_ns"] for run in runs]
        table.append([name, *(f"{reduce(column) / 1e3:.2f}" for reduce in (statistics.median, min, max)),
                      f"{statistics.median(column) / native:.2f}", f"{statistics.median(run['first_ns'] for run in runs) / 1e6:.2f}"])
    print_table(table)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="dev bench throws", description=__doc__)
    parser.add_argument("--functions", type=int, default=10000, help="one object each (%(default)s)")
    parser.add_argument("--batches", type=lambda text: [int(word) for word in text.split(",")], default=[1, 10, 100, 1000],
                        help="in how many they are linked (1,10,100,1000)")
    parser.add_argument("--throws", type=int, default=3000, help="in each run (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/tests/bench"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="jitscope-bench-") as name:
        folder = pathlib.Path(name)
        write_objects(folder, options.functions)
        link_natively(folder, options.functions)
        print(f"{options.functions:,} functions; {options.rounds} rounds of {options.throws:,} throws")
        print_figures(measure(options, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
