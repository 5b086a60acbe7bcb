#!/usr/bin/env python3
"""What a process holds after linking, running and unloading for a long time: one session from the first cycle to the last,
a new session every 100 cycles (each second one recorded in memory), one session in which each batch has a function of a
name that no other had, and one whose code runs in another process, which says what it holds itself.  Everything is unloaded when it is looked at; the last line is after the end of the session.
Times are of the processor.  Exit status 1 when something has grown between the second and the third look."""
import argparse
import pathlib
import re
import subprocess
import sys

WAYS = ["session", "sessions", "names", "executor"]
SAME = ["descriptors", "batches", "sections", "libraries", "modules"]
NOTHING = ["batches", "sections", "images"]  # when the last session is gone; an executor keeps room for the next image until it ends
# How much more is no growth: batches alive at a time, and what is kept for the next ones, vary; tables grow by half; and an image
# for debuggers, of 4 MB, goes with its last batch only when a quarter of it was used.
ROOM = {"allocations": 48, "heap": 384 << 10, "resident": 3 << 20, "mappings": 24, "images": 1}
NAME = {"heap": 64, "resident": 100}  # bytes that a session keeps for each name that it has met
COLUMNS = ["cycles", "us", "allocations", "heap", "resident", "mappings", "images", *SAME]


def looks(program, cycles, way, seed):
    done = subprocess.run([program, str(cycles), way, str(seed)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way}, seed {seed}: {done.stderr.strip() or done.returncode}")
    lines = [{name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", line)} for line in done.stdout.splitlines()]
    return [[line for line in lines if line["executor"] == place] for place in (0, 1) if place == 0 or way == "executor"]


def growth(found, way, place=0):
    """What is wrong, in words."""
    _, before, after, end = found
    for name in SAME:
        if before[name] != after[name]:
            yield f"{name}: {before[name]} after {before['cycles']} cycles, {after[name]} after {after['cycles']}"
    for name, room in ROOM.items():
        if way == "names":
            room += NAME.get(name, 0) * (after["cycles"] - before["cycles"])
        if after[name] > before[name] + room:
            yield f"{name}: {before[name]:,} after {before['cycles']} cycles, {after[name]:,} after {after['cycles']}"
    for name in NOTHING[:2] if place else NOTHING:
        if end[name]:
            yield f"{name}: {end[name]} are left behind the session's end"
    for name in ROOM:
        if end[name] > before[name] + ROOM[name]:
            yield f"{name}: {end[name]:,} behind the session's end"


def shown(name, look):
    value = look["ns"] / 1000 if name == "us" else look[name]
    if name in ("heap", "resident"):
        return f"{value / 1024:,.0f} K"
    return f"{value:,.0f}" if value or name != "us" else ""


def print_table(found):
    table = [COLUMNS] + [[shown(name, look) for name in COLUMNS] for look in found]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    for line in table:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(line, widths)))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100000, help="looked at after 1/100, 1/10 and all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="for what is linked and unloaded when (%(default)s)")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    grown = False
    for way in WAYS:
        for place, found in enumerate(looks(options.programs / "bench_soak", options.cycles, way, options.seed)):
            print(f"{way}{', in the other process' if place else ''}:")
            print_table(found)
            for text in growth(found, way, place):
                grown = True
                print(f"  GROWN  {text}")
            print(flush=True)
    return int(grown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
