#!/usr/bin/env python3
"""What debuggers make of a process that links functions with DWARF one by one, looks each up and calls it; and what having
all this costs a process that no debugger watches.

Under a debugger, seconds are those of the process's loop ("busy": of processor time, debugger and process from start to end,
which a busy machine disturbs less), with one breakpoint pending: on the last function, or on a line of
a file that never comes.  "naive" is the same program that registers each object as it is, one by one; "last" is the library
again, in a program that looks functions up and calls them when all of them are linked.  Attaching is the whole life of a
debugger that attaches, asks for the symbol of one function and leaves."""
import argparse
import collections
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PLUGINS = HERE.parent.parent / "gdb-plugin"
PLUGIN = {"gdb": PLUGINS / "gdb" / "jitscope.py", "lldb": PLUGINS / "lldb" / "jitscope.py"}
DEBUGGER = {"gdb": ("gdb", "gdb"), "lldb": ("lldb-19", "lldb-19 and python3-lldb-19")}
ROOM = 60  # seconds that a debugger may need besides the loop


def run(command, limit):
    """Output, and seconds; None for those when it had to be ended."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(limit)
            took = time.monotonic() - begun
        except subprocess.TimeoutExpired:
            took = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        return out.read().decode(errors="replace"), took


def figure(out, name):
    found = re.findall(rf"\b{name}=(\d+)", out)
    return int(found[-1]) if found else None


class Programs:
    def __init__(self, folder, count):
        self.program, self.object, self.count = folder / "bench_debugged", folder / "samples" / "one_debugged.o", count

    def command(self, way, count=None, size=1):
        return [self.program, self.object, count or self.count, way, size]

    def function(self, number):
        return f"function_{number:06d}"


# --- under a debugger

def gdb_commands(place, plugin):
    yield from ("set breakpoint pending on", "set width 0", "set confirm off")
    if plugin:
        yield f"source {PLUGIN['gdb']}"
    yield from (f"break {place}", "run", "continue")


def gdb(commands, rest):
    words = [DEBUGGER["gdb"][0], "-nx", "-batch", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off"]
    for command in commands:
        words += ["-ex", command]
    return words + rest


def lldb_commands(place, plugin):
    yield from ("settings set use-color false", "settings set plugin.jit-loader.gdb.enable on")
    if plugin:
        yield f"command script import {PLUGIN['lldb']}"
    file, _, line = place.partition(":")
    yield f"breakpoint set -f {file} -l {line}" if line else f"breakpoint set -n {place}"
    yield from ("run", "continue")


def lldb(commands, rest):
    words = [DEBUGGER["lldb"][0], "-X", "-b"]
    for command in commands:
        words += ["-o", command]
    return words + rest


COMMANDS = {"gdb": (gdb, gdb_commands), "lldb": (lldb, lldb_commands)}


def capped(out, limit, count):
    """Each registration costs as much as there are before it: the whole grows with the square."""
    done = figure(out, "done")
    if not done:
        return f"> {limit}", "not one hundred registered in that time"
    guess = limit * (count / done) ** 2
    return f"> {limit}", f"ended then, at {done} functions; all would take about {guess / 60:.0f} min (extrapolated)"


def watched(debugger, way, place, plugin, programs, limit):
    """Seconds as text, and a remark."""
    run_debugger, commands = COMMANDS[debugger]
    dashes = ["--args"] if debugger == "gdb" else ["--"]
    naive = way == "naive"
    out, _ = run(run_debugger(commands(place, plugin), dashes + programs.command(way)), limit + (0 if naive else ROOM))
    ns = figure(out, "ns")
    if ns is None:
        return capped(out, limit, programs.count) if naive else ("-", "failed: " + " ".join(out.split())[-150:])
    stopped = re.search(rf"(Breakpoint \d+, (0x\w+ in )?|stop reason = breakpoint[^`]*`){place}\b", out)
    return f"{ns / 1e9:.2f}", "" if ":" in place or stopped else f"BUT it never stopped in {place}"


ATTACH = {
    "gdb": lambda pid, name: gdb([f"info symbol {name}", "detach"], ["-p", pid]),
    "lldb": lambda pid, name: lldb(["settings set plugin.jit-loader.gdb.enable on", f"process attach -p {pid}",
                                    f"image lookup -s {name}", "detach"], []),
}


def attached(debugger, programs):
    process = subprocess.Popen([str(word) for word in programs.command("auto") + ["wait"]], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        name = programs.function(programs.count // 2)
        out, took = run(ATTACH[debugger](str(process.pid), name), ROOM)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if took is None:
        return f"> {ROOM}", ""
    found = re.search(rf"{name} in section|1 symbols match|Summary: .*{name}", out)
    return f"{took:.2f}", "" if found else f"BUT it did not find {name}: " + " ".join(out.split())[-150:]


# Debugger, what is pending (or "attach"), way, with the plug-in, seconds at most.
Row = collections.namedtuple("Row", "debugger pending way plugin target")
ROWS = [
    Row("gdb", "function", "naive", False, None), Row("gdb", "function", "auto", False, 10),
    Row("gdb", "function", "last-auto", False, 10), Row("gdb", "function", "auto", True, 2),
    Row("gdb", "file:line", "naive", False, None), Row("gdb", "file:line", "auto", False, 10),
    Row("gdb", "file:line", "last-auto", False, 10), Row("gdb", "file:line", "auto", True, 2), Row("gdb", "attach", "auto", False, 1),
    Row("lldb", "function", "naive", False, None), Row("lldb", "function", "auto", False, 5),
    Row("lldb", "function", "last-auto", False, 5), Row("lldb", "function", "auto", True, 5), Row("lldb", "attach", "auto", False, None),
]


def why_not(row, options):
    program, package = DEBUGGER[row.debugger]
    if not shutil.which(program):
        return f"left out: needs {package}"
    if row.plugin and not PLUGIN[row.debugger].exists():
        return "left out: there is no plug-in"
    if row.way == "naive" and row.pending == "file:line" and not options.full:
        return "left out: --full measures it"
    return None


def measure_row(row, programs, options):
    reason = why_not(row, options)
    if reason:
        return "-", reason
    if row.pending == "attach":
        return attached(row.debugger, programs)
    place = programs.function(programs.count - 1) if row.pending == "function" else "another_file.c:10"
    return watched(row.debugger, row.way, place, row.plugin, programs, options.limit)


def busy():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


SCALE = 5  # rows in which debuggers hear of each function are that much smaller, unless --full


def programs_for(row, options):
    heard = row.way == "naive" or not (row.plugin or row.way == "last-auto" or row.pending == "attach")
    count = options.functions // SCALE if heard and not options.full else options.functions
    return Programs(options.programs, max(count, 1))


def print_debuggers(options):
    print(f"functions linked one by one, in a process under a debugger; targets are for {options.functions}"
          + ("" if options.full else f", of which some rows have 1/{SCALE} (--full: all)"))
    print(f"  {'debugger':<9} {'functions':>9} {'pending':<10} {'registered':<11} {'plug-in':<8} {'seconds':>8} {'target':>7}"
          f" {'busy':>7}")
    for row in ROWS:
        before = busy()
        programs = programs_for(row, options)
        seconds, remark = measure_row(row, programs, options)
        spent = busy() - before
        target = f"< {row.target}" if row.target else ""
        way = {"naive": "naively", "last-auto": "auto-last"}.get(row.way, row.way)
        print(f"  {row.debugger:<9} {programs.count:>9} {row.pending:<10} {way:<11} {'yes' if row.plugin else 'no':<8}"
              f" {seconds:>8} {target:>7} {spent:7.2f}  {remark}".rstrip(), flush=True)
    print()


# --- without a debugger

# What is linked: name, prefix of the ways, functions, of them in a batch, the figure that counts, what callgrind counts in.
Load = collections.namedtuple("Load", "name prefix count size figure function")
LOADS = [
    Load("one by one, linking alone", "", 3000, 1, "link_ns", "link_functions"),
    Load("batches of 1,000, linking alone", "", 3000, 1000, "link_ns", "link_functions"),
    Load("one by one, libtcc compiles each: the whole loop", "tcc-", 1000, 1, "ns", "run_functions"),
]
WAYS = ["off", "auto", "lazy"]


def times(load, programs, rounds):
    """{way: nanoseconds per function in each round}; the ways take turns, so that a busy machine disturbs all alike."""
    found = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS[number % 3:] + WAYS[:number % 3]:
            out, _ = run(programs.command(load.prefix + way, load.count, load.size), ROOM)
            ns = figure(out, load.figure)
            if ns is None:
                return None
            found[way].append(ns / load.count)
    return found


def count_instructions(load, programs, way):
    """Per function: what more functions take more, without what happens once."""
    counts = []
    least, most = (load.size, 3 * load.size) if load.size > 1 else (100, 400)
    for count in (least, most):
        out, _ = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
                      f"--toggle-collect={load.function}*", *programs.command(load.prefix + way, count, load.size)], 2 * ROOM)
        found = re.search(r"Collected : (\d+)", out)
        if not found:
            return None
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (most - least)


def percent(part, whole):
    return f"{100 * (part / whole - 1):+.1f} %"


def print_load(load, programs, rounds):
    found = times(load, programs, rounds)
    print(f"  {load.name}" + ("" if found else ": left out: needs libtcc-dev and tcc"))
    if not found:
        return
    base = statistics.median(found["off"])
    instructions = {way: count_instructions(load, programs, way) for way in WAYS} if shutil.which("valgrind") else {}
    for way in WAYS:
        middle = statistics.median(found[way])
        line = f"    {way:<5} {middle / 1e3:9.2f} us {min(found[way]) / 1e3:9.2f}"
        line += "" if way == "off" else f" {percent(middle, base):>9} {percent(min(found[way]), min(found['off'])):>9}"
        if instructions and all(instructions.values()):
            line = f"{line:<52} {instructions[way]:>9,.0f} instructions"
            line += "" if way == "off" else f" {percent(instructions[way], instructions['off']):>9}"
        print(line, flush=True)


def print_costs(programs, rounds):
    print("a process that no debugger watches, per function: median and least of the rounds; auto's target: < 2 %")
    for load in LOADS:
        print_load(load, programs, rounds)
    print()


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench debuggers", description=__doc__)
    parser.add_argument("--functions", type=int, default=10000, help="linked under a debugger (%(default)s)")
    parser.add_argument("--limit", type=int, default=60, help="seconds that the naive way may take (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="for times without a debugger (%(default)s)")
    parser.add_argument("--full", action="store_true", help="all rows with so many; the naive way with a file:line too")
    parser.add_argument("--costs", action="store_true", help="only what it costs without a debugger")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    programs = Programs(options.programs, options.functions)
    if not options.costs:
        print_debuggers(options)
    print_costs(programs, options.rounds)
    return 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main(sys.argv[1:]))
