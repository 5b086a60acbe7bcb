"""`jitscope verify-cfi`: a call stepped through, with gdb's unwinding checked against what is known at its entry.

At a function's first instruction the psABI (x86-64, section 3.2.2) fixes everything: the return address is at the stack
pointer, the canonical frame address (CFA) is 8 above it, and rbx, rbp, r12 to r15 are the caller's.  None of that may seem
to change before the function has returned.
"""
from collections import namedtuple

import gdb

from . import tables, target

KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
DEFAULT_STEPS = 100000
MOST_REPORTED = 40
WORD = (1 << 64) - 1

Truth = namedtuple("Truth", "start pc cfa registers thread")


def register(frame, name):
    return int(frame.read_register(name)) & WORD


def now(name):
    return int(gdb.parse_and_eval(f"(unsigned long)${name}")) & WORD


class Stops:
    """What ended the last command: signals and breakpoints of the user's are not to be stepped over in silence."""

    def __enter__(self):
        self.signal, self.exited, self.waits_for = None, False, "the function was called"
        gdb.events.stop.connect(self._stop)
        gdb.events.exited.connect(self._exit)
        return self

    def __exit__(self, *_):
        gdb.events.stop.disconnect(self._stop)
        gdb.events.exited.disconnect(self._exit)

    def _stop(self, event):
        if isinstance(event, gdb.SignalEvent):
            self.signal = event.stop_signal

    def _exit(self, _event):
        self.exited = True

    def run(self, command):
        # Only through interpreter-exec does gdb print the place of a stop where TO_STRING catches it.
        gdb.execute(f'interpreter-exec console "{command}"', to_string=True)
        if self.exited or not target.has_memory():
            raise gdb.GdbError(f"The program ended before {self.waits_for}.")
        if self.signal:
            raise gdb.GdbError(f"Signal {self.signal} stopped the program at {tables.show(now('pc'))}.")


def entry_of(name):
    """JIT'd functions first, the newest of them: a program's `main` hides behind its host's."""
    linked = target.state().address_of(name, "function")
    if linked is not None:
        return linked
    value = gdb.parse_and_eval(name)
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
        return int(value) & WORD
    return int(value.address) & WORD


def go_to(stops, address, condition=None):
    """Runs until ADDRESS; breakpoints of the user's in between are passed."""
    stop = gdb.Breakpoint(f"*{address}", internal=True)
    stop.silent = True
    if condition:
        stop.condition = condition
    try:
        while True:
            stops.run("continue")
            if stop.hit_count:
                return
    finally:
        stop.delete()


def truth_at_entry(start):
    sp = now("rsp")
    return Truth(start, target.read_words(sp, 1)[0], sp + 8, {name: now(name) for name in KEPT},
                 gdb.selected_thread().num)


def faults(truth):
    """What gdb finds wrongly at this instruction."""
    try:
        frame = gdb.newest_frame()
        while frame.type() == gdb.INLINE_FRAME:  # has no caller of its own
            frame = frame.older()
        caller = frame.older()
    except gdb.error as error:
        return [f"unwinding fails: {error}"]
    if caller is None:
        return [f"no caller is found ({gdb.frame_stop_reason_string(frame.unwind_stop_reason())})"]
    found = []
    try:
        if caller.pc() != truth.pc:
            found.append(f"return address {tables.show(caller.pc())} instead of {tables.show(truth.pc)}")
        if register(caller, "rsp") != truth.cfa:
            found.append(f"CFA {tables.show(register(caller, 'rsp'))} instead of {tables.show(truth.cfa)}")
        for name in KEPT if not found else ():
            if register(caller, name) != truth.registers[name]:
                found.append(f"{name} {tables.show(register(caller, name))} instead of {tables.show(truth.registers[name])}")
    except (gdb.error, ValueError) as error:
        found.append(f"the caller's registers cannot be read: {error}")
    return found


def instruction():
    """(length, text) of what comes next."""
    line = gdb.newest_frame().architecture().disassemble(now("pc"))[0]
    return line["length"], line["asm"].split("\t")[0].strip()


def advance(stops, truth):
    """One instruction of the function; calls as a whole, without asking the unwinder under test where they return."""
    pc, sp = now("pc"), now("rsp")
    length, text = instruction()
    words = [word for word in text.split() if word not in ("notrack", "bnd", "addr32", "data16", "rex.W")]
    if words and words[0].startswith("call"):
        go_to(stops, pc + length, f"$rsp == {sp}")
    else:
        stops.run("stepi")
    return now("pc")


def has_returned(truth):
    return now("pc") == truth.pc and now("rsp") == truth.cfa


def inside(pc, truth, name):
    symbol = tables.leads_to(target.state(), pc).partition("+")[0]
    return symbol == name or symbol.startswith(name + ".")


def walk(stops, truth, name, limit):
    """(steps, {pc: faults or []}, how it ended)."""
    seen, steps, pc = {}, 0, truth.start
    while steps < limit:
        if pc not in seen or seen[pc]:
            seen[pc] = seen.get(pc) or faults(truth)
        pc = advance(stops, truth)
        steps += 1
        if has_returned(truth):
            return steps, seen, "it returned"
        if pc not in seen and not inside(pc, truth, name):
            return steps, seen, f"it went on to {tables.leads_to(target.state(), pc) or tables.show(pc)} without returning"
    return steps, seen, f"{limit} steps were made"


def report(name, steps, seen, end):
    bad = {pc: found for pc, found in sorted(seen.items()) if found}
    yield f"{name}: {len(seen)} instructions checked in {steps} steps; {end}."
    if not bad:
        yield "Unwinding finds the caller at each of them."
        return
    yield f"Unwinding is wrong at {len(bad)} of them:"
    start = min(seen)
    for pc, found in list(bad.items())[:MOST_REPORTED]:
        yield f"  {tables.show(pc)} <{name}+{pc - start}>  {'; '.join(found)}"
    if len(bad) > MOST_REPORTED:
        yield f"  and {len(bad) - MOST_REPORTED} more"


def parse(argument):
    words = argument.rsplit(None, 1)
    if len(words) == 2 and words[1].isdigit():
        return words[0], int(words[1])
    if not argument.strip():
        raise gdb.GdbError("jitscope verify-cfi FUNCTION [STEPS]: the function is missing.")
    return argument.strip(), DEFAULT_STEPS


def verify(argument):
    name, limit = parse(argument)
    if not target.has_memory() or target.is_core():
        raise gdb.GdbError("verify-cfi steps: it needs a program that runs.")
    start = entry_of(name)
    plain = tables.leads_to(target.state(), start).partition("+")[0] or name
    with Stops() as stops:
        if now("pc") != start:
            go_to(stops, start)
        stops.waits_for = "the call had returned"
        truth = truth_at_entry(start)
        result = walk(stops, truth, plain, limit)
    return [tables.clean(line) for line in report(plain, *result)]
