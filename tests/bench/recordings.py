#!/usr/bin/env python3
"""How long readers of a large recording wait: for opening it, for the mirror of all its events, for going to a random
moment and looking at a screen full of blocks and symbols there, and for `jitscope show WHAT --at` the first, a middle and
the last event; the same for a mirror on demand, as the inspector has it, of links of whole libraries and of one object
each; and what it costs to follow one that grows.  The large recording is made first, through the linker's own trace, with
the mix of events of real links at level `edges`; the file system's cache holds it."""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

WHAT = ["summary", "segments", "symbols"]
OBJECTS_PER_LINK = 800


def figures(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {command[0]}: {done.stderr.strip() or done.returncode}")
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}


def seconds_of(command):
    begun = time.monotonic()
    subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun


def print_table(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  " + line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:])))
    print(flush=True)


def shown(values, scale, digits):
    return [f"{reduce(values) / scale:.{digits}f}" for reduce in (statistics.median, min, max)]


def measure_reader(programs, path, rounds, seeks):
    runs = [figures([programs / "bench_recordings", path, seeks]) for _ in range(rounds)]
    column = {name: [run[name] for run in runs] for name in runs[0]}
    one = runs[0]
    print(f"{one['bytes'] / 1e9:.2f} GB, {one['events']:,} events, {one['links'] - 1} links; {rounds} rounds of "
          f"{seeks} seeks")
    print_table([["", "median", "best", "worst"],
                 ["open, ms"] + shown(column["open_ns"], 1e6, 0),
                 ["build the mirror, ms"] + shown(column["build_ns"], 1e6, 0),
                 ["mirror / recording, bytes"] + shown(column["mirror_bytes"], one["bytes"], 2),
                 ["seek and look, ms, median of a round"] + shown(column["seek_median_ns"], 1e6, 2),
                 ["seek and look, ms, worst of a round"] + shown(column["seek_worst_ns"], 1e6, 2)])
    return one["events"]


def measure_demand(programs, path, rounds, seeks):
    """A mirror on demand: the pass over all events in steps of 200,000; all rows of `batches`; a batch that is looked at for the
    first time, with its edges and without; moments.  Memory is that of the process, after looking at everything."""
    runs = [figures([programs / "bench_recordings", path, seeks, "demand"]) for _ in range(rounds)]
    column = {name: [run[name] for run in runs] for name in runs[0]}
    print(f"on demand: {runs[0]['links'] - 1:,} links, {runs[0]['events']:,} events")
    print_table([["", "median", "best", "worst"]] +
                [[text] + shown(column[name], scale, digits) for text, name, scale, digits in (
                    ("open, ms", "open_ns", 1e6, 0),
                    ("pass over all events, ms", "index_ns", 1e6, 0),
                    ("one step of it, worst, ms", "step_worst_ns", 1e6, 1),
                    ("all rows of batches, ms", "batches_ns", 1e6, 1),
                    ("read a batch, ms, median", "link_median_ns", 1e6, 2),
                    ("read a batch, ms, worst", "link_worst_ns", 1e6, 1),
                    ("its edges too, ms, worst", "edges_worst_ns", 1e6, 1),
                    ("seek and look, ms, median of a round", "seek_median_ns", 1e6, 2),
                    ("why a symbol, ms", "why_symbol_ns", 1e6, 1),
                    ("why an address, ms", "why_address_ns", 1e6, 1),
                    ("memory behind open, MB", "open_resident", 1e6, 0),
                    ("memory behind the pass, MB", "index_resident", 1e6, 0),
                    ("memory at the end, MB", "demand_resident", 1e6, 0),
                    ("memory at its peak, MB", "demand_peak", 1e6, 0))])


def measure_show(tool, path, rounds, events):
    moments = [("first", 0), ("middle", events // 2), ("last", events - 1)]
    table = [["jitscope show, ms"] + [f"--at {name}" for name, _ in moments]]
    for what in WHAT:
        times = [[seconds_of([tool, "show", what, path, "--at", at]) for _ in range(rounds)] for _, at in moments]
        table.append([what] + [f"{statistics.median(column) * 1e3:.0f}" for column in times])
    print_table(table)


FRAMES_PER_SECOND = 60


def measure_follow(programs, folder, rounds):
    """A reader that looks 60 times a second at what four threads write: its share of one core, and a look without news."""
    table = [["following, 60 looks a second, 4 threads", "% of a core", "a look, us", "worst", "without news, us", "Mevents/s, at most"]]
    for rate in (100_000, 1_000_000, 10_000_000):
        runs = [figures([programs / "bench_follow", pathlib.Path(folder) / "follow.jsr", rate // FRAMES_PER_SECOND, 300, 4])
                for _ in range(rounds)]
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        table.append([f"{rate:,} events/s", f"{middle['frame_mean_ns'] * FRAMES_PER_SECOND / 1e7:.2f}",
                      f"{middle['frame_median_ns'] / 1e3:.0f}", f"{middle['frame_worst_ns'] / 1e3:.0f}",
                      f"{middle['idle_median_ns'] / 1e3:.1f}", f"{middle['events'] / middle['frame_mean_ns'] / 300 * 1e3:.0f}"])
    print_table(table)


COSTS = [("Lua", ["liblua5.4.a"]), ("SQLite", ["libsqlite3.a"]), ("libcrypto", ["libcrypto.a"])]
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")


def cost(programs, tool, folder, files, rounds):
    """Milliseconds of a link plain, recorded at levels block and phase, and of storing its inputs alone; bytes of inputs and of
    the packed recording."""
    done = subprocess.run([str(word) for word in (programs / "recording_cost", rounds, folder, *files)], capture_output=True,
                          text=True, check=True)
    times = (int(word) / 1e6 for word in done.stdout.split())
    recording = pathlib.Path(folder) / "size.jsr"
    subprocess.run([tool, "link", "--phony-externals", "--whole-archive", "--record", recording, *files], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([tool, "pack", recording], check=True, stdout=subprocess.DEVNULL)
    packed = min(path.stat().st_size for path in pathlib.Path(folder).glob("size*"))
    return *times, sum(path.stat().st_size for path in files), packed


def measure_cost(programs, folder, rounds):
    """What recording costs a link of a whole archive beyond storing its inputs, and how large the file is packed."""
    table = [["recording a link", "plain, ms", "recorded", "with --trace=phase", "storing inputs", "beyond that, %", "phase, %",
              "packed / inputs"]]
    for name, archives in COSTS:
        files = [LIBRARIES / archive for archive in archives]
        if not all(file.exists() for file in files):
            continue
        plain, block, phase, stored, inputs, packed = cost(programs, programs.parent.parent / "jitscope", folder, files, rounds)
        table.append([name, *(f"{ms:.2f}" for ms in (plain, block, phase, stored)),
                      *(f"{(recorded - stored - plain) / plain * 100:+.0f}" for recorded in (block, phase)), f"{packed / inputs:.2f}"])
    print_table(table)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench recordings", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the recording (%(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="that write it, link by link (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--links", type=int, default=41, help="rounds of links whose recording is timed (%(default)s)")
    parser.add_argument("--seeks", type=int, default=1000, help="per round (%(default)s)")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="jitscope-bench-") as folder:
        measure_cost(options.programs, folder, options.links)
        measure_follow(options.programs, folder, options.rounds)
        path = pathlib.Path(folder) / "large.jsr"
        figures([options.programs / "write_recording", path, options.megabytes, OBJECTS_PER_LINK, options.threads])
        events = measure_reader(options.programs, path, options.rounds, options.seeks)
        measure_show(options.programs.parent.parent / "jitscope", path, options.rounds, events)
        for objects_per_link in (OBJECTS_PER_LINK, 1):
            figures([options.programs / "write_recording", path, options.megabytes, objects_per_link, options.threads])
            measure_demand(options.programs, path, options.rounds, options.seeks)
    return 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main(sys.argv[1:]))
