#!/usr/bin/env python3
"""What the inspector's user waits for, at a large recording: the first screen, each key with its drawing (200 columns, 60
rows), the slices in which it reads, scans and searches meanwhile; and how much memory it takes.  The recording is made
first, with the mix of events of real links at level `edges`; the file system's cache holds it."""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from recordings import OBJECTS_PER_LINK, figures, print_table, shown

LIMIT_MS = 16


def run(programs, path):
    done = subprocess.run([programs / "inspector_keys", path], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: inspector_keys: {done.stderr.strip() or done.returncode}")
    numbers = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}
    keys = [(name, int(key), int(piece), int(whole))
            for key, piece, whole, name in re.findall(r"^key (\d+) slice (\d+) done (\d+) (.+)$", done.stdout, re.M)]
    return numbers, keys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the programs that measure")
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the recording (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "large.jsr"
        figures([options.programs / "write_recording", path, options.megabytes, OBJECTS_PER_LINK, 4])
        runs = [run(options.programs, path) for _ in range(options.rounds)]
        size = path.stat().st_size
    column = {name: [numbers[name] for numbers, _ in runs] for name in runs[0][0]}
    print(f"{size / 1e9:.2f} GB, {column['events'][0]:,} events; {options.rounds} rounds")
    print_table([["", "median", "best", "worst"],
                 ["first screen, ms"] + shown(column["first_ns"], 1e6, 0),
                 ["all is read, ms"] + shown(column["read_ns"], 1e6, 0),
                 ["memory when all is read, MB"] + shown(column["read_rss_bytes"], 1e6, 0),
                 ["memory at most, MB"] + shown(column["rss_bytes"], 1e6, 0)])
    table = [["key, ms", "median", "worst", "worst slice", "all done"]]
    for i, (name, *_) in enumerate(runs[0][1]):
        key, piece, whole = ([run_[1][i][j] / 1e6 for run_ in runs] for j in (1, 2, 3))
        table.append([name, f"{statistics.median(key):.2f}", f"{max(key):.2f}", f"{max(piece):.2f}",
                      f"{statistics.median(whole):.0f}"])
    print_table(table)
    slow = [line[0] for line in table[1:] if float(line[2]) > LIMIT_MS]
    print(f"slower than {LIMIT_MS} ms: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main()
