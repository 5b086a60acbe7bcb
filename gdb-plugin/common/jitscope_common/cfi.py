"""`jitscope verify-cfi`: a call stepped through, with the debugger's unwinding checked against what is known at its entry.

At a function's first instruction the psABI (x86-64, section 3.2.2) fixes everything: the return address is at the stack
pointer, the canonical frame address (CFA) is 8 above it, and rbx, rbp, r12 to r15 are the caller's.  None of that may seem
to change before the function has returned.
"""
from collections import namedtuple

from . import debuggee, tables

KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
DEFAULT_STEPS = 100000
MOST_REPORTED = 40
WORD = (1 << 64) - 1
PREFIXES = ("notrack", "bnd", "addr32", "data16", "rex.W")

Truth = namedtuple("Truth", "start pc cfa registers")
Caller = namedtuple("Caller", "pc cfa registers")  # what the debugger makes of them; a register it does not know is None


class Unwinding(Exception):
    """The debugger finds no caller, or what it found cannot be read; the text says how."""


class Stepper:
    """A debugger's ways to make the program go on; a plug-in overrides them.  They raise Refused when a signal or the
    program's end comes first; breakpoints of the user's are passed."""

    def now(self, register):
        raise NotImplementedError

    def go_to(self, address, stack_pointer=None):
        """Runs until ADDRESS, with that stack pointer when it is given: not in a deeper call."""
        raise NotImplementedError

    def step(self):
        """One instruction."""
        raise NotImplementedError

    def instruction(self):
        """(length, text) of what comes next."""
        raise NotImplementedError

    def caller(self):
        """A Caller, or Unwinding."""
        raise NotImplementedError


def truth_at_entry(target, stepper, start):
    sp = stepper.now("rsp")
    return Truth(start, target.read_words(sp, 1)[0], sp + 8, {name: stepper.now(name) for name in KEPT})


def faults(stepper, truth):
    """What the debugger finds wrongly at this instruction."""
    try:
        caller = stepper.caller()
    except Unwinding as error:
        return [str(error)]
    found = []
    if caller.pc != truth.pc:
        found.append(f"return address {tables.show(caller.pc)} instead of {tables.show(truth.pc)}")
    if caller.cfa != truth.cfa:
        found.append(f"CFA {tables.show(caller.cfa)} instead of {tables.show(truth.cfa)}")
    for name in KEPT if not found else ():
        value = caller.registers[name]
        if value is None:
            found.append(f"{name} is not known")
        elif value != truth.registers[name]:
            found.append(f"{name} {tables.show(value)} instead of {tables.show(truth.registers[name])}")
    return found


def advance(stepper):
    """One instruction of the function; calls as a whole, without asking the unwinder under test where they return."""
    pc, sp = stepper.now("rip"), stepper.now("rsp")
    length, text = stepper.instruction()
    words = [word for word in text.split() if word not in PREFIXES]
    if words and words[0].startswith("call"):
        stepper.go_to(pc + length, sp)
    else:
        stepper.step()
    return stepper.now("rip")


def has_returned(stepper, truth):
    return stepper.now("rip") == truth.pc and stepper.now("rsp") == truth.cfa


def inside(target, pc, name):
    symbol = tables.leads_to(target.state(), pc).partition("+")[0]
    return symbol == name or symbol.startswith(name + ".")


def walk(target, stepper, truth, name, limit):
    """(steps, {pc: faults or []}, how it ended)."""
    seen, steps, pc = {}, 0, truth.start
    while steps < limit:
        if pc not in seen or seen[pc]:
            seen[pc] = seen.get(pc) or faults(stepper, truth)
        pc = advance(stepper)
        steps += 1
        if has_returned(stepper, truth):
            return steps, seen, "it returned"
        if pc not in seen and not inside(target, pc, name):
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
        raise debuggee.Refused("jitscope verify-cfi FUNCTION [STEPS]: the function is missing.")
    return argument.strip(), DEFAULT_STEPS


def entry_of(target, name):
    """JIT'd functions first, the newest of them: a program's `main` hides behind its host's."""
    linked = target.state().address_of(name, "function")
    return linked if linked is not None else target.evaluate(name)


def lines(target, make_stepper, argument):
    """MAKE_STEPPER: a context manager that yields a Stepper, whose `waits_for` says what has not happened yet when the
    program ends."""
    name, limit = parse(argument)
    if not target.has_memory() or target.is_core():
        raise debuggee.Refused("verify-cfi steps: it needs a program that runs.")
    start = entry_of(target, name)
    plain = tables.leads_to(target.state(), start).partition("+")[0] or name
    with make_stepper() as stepper:
        stepper.waits_for = "the function was called"
        if stepper.now("rip") != start:
            stepper.go_to(start)
        stepper.waits_for = "the call had returned"
        truth = truth_at_entry(target, stepper, start)
        result = walk(target, stepper, truth, plain, limit)
    return [tables.clean(line) for line in report(plain, *result)]
