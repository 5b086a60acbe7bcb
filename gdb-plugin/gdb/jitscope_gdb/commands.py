"""What the user types.  Each command only finds its lines elsewhere and prints them."""
import gdb

from jitscope_common import cfi, tables, why

from . import loader, target
from .stepper import GdbStepper


def print_lines(find, *arguments):
    """An error of gdb's own is the user's to read, without "Error occurred in Python"."""
    loader.look()
    try:
        lines = find(*arguments)
        gdb.write("".join(line + "\n" for line in lines))
    except target.ERRORS as error:
        raise gdb.GdbError(str(error)) from None


class InfoJitscope(gdb.Command):
    """Tables of the code that jitscope has linked into the program."""

    def __init__(self):
        super().__init__("info jitscope", gdb.COMMAND_STATUS, prefix=True)

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError(f"There is no table {tables.clean(argument.split()[0])}; there are: " +
                               ", ".join(tables.TABLES) + ".")
        for name, table in tables.TABLES.items():
            gdb.write(f"info jitscope {name} -- {table[3].splitlines()[0]}\n")


class Table(gdb.Command):
    def __init__(self, name):
        self.name = name
        self.__doc__ = (f"{tables.TABLES[name][3]}\n\nUsage: info jitscope {name} [REGEXP]\n\n"
                        "With REGEXP, only rows that it matches somewhere.")
        super().__init__(f"info jitscope {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        print_lines(tables.lines, target.TARGET, self.name, argument.strip())

    def complete(self, text, word):
        try:
            names = tables.completions(target.TARGET, self.name)
        except target.ERRORS:
            return gdb.COMPLETE_NONE
        return sorted(name for name in names if name.startswith(word)) or gdb.COMPLETE_NONE


class Jitscope(gdb.Command):
    """Questions about the code that jitscope has linked into the program."""

    def __init__(self):
        super().__init__("jitscope", gdb.COMMAND_STATUS, prefix=True)

    def invoke(self, argument, from_tty):
        gdb.execute("help jitscope")


class Why(gdb.Command):
    """Say what an address is: batch, section, symbol, GOT entry or stub, or a function that is gone.

Usage: jitscope why ADDRESS

ADDRESS is any expression: `jitscope why $pc`, `jitscope why 0x7f12345678`.  A name of JIT'd code stands for
its address, as `jitscope why main`; NAME@got and NAME@plt are the GOT entry and the stub for NAME.

How it came to be so comes from the process's recording: the one it is writing, the one that a core lists, or the one that
`set jitscope recording FILE` names."""

    def __init__(self):
        super().__init__("jitscope why", gdb.COMMAND_STATUS, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        target.TARGET.recording = gdb.parameter("jitscope recording") or ""
        print_lines(why.lines, target.TARGET, argument)


class Settings(gdb.Command):
    """Settings of jitscope's plug-in."""

    def __init__(self, verb):
        super().__init__(f"{verb} jitscope", gdb.COMMAND_STATUS, prefix=True)
        self.verb = verb

    def invoke(self, argument, from_tty):
        gdb.execute(f"help {self.verb} jitscope")


class RecordingName(gdb.Parameter):
    """The recording that `jitscope why` asks.

Without a FILE it asks the one that the process is writing, on this machine, or that the core lists as mapped."""
    set_doc = "Set the recording that `jitscope why` asks."
    show_doc = "Show the recording that `jitscope why` asks."

    def __init__(self):
        super().__init__("jitscope recording", gdb.COMMAND_STATUS, gdb.PARAM_OPTIONAL_FILENAME)

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"`jitscope why` asks {tables.clean(value)}." if value else "`jitscope why` asks the recording that the target has."


class VerifyCfi(gdb.Command):
    """Check at every instruction of a call that unwinding finds the caller.

Usage: jitscope verify-cfi FUNCTION [STEPS]

Lets the program run to the next call of FUNCTION, then steps through it instruction by instruction, over
the calls it makes, and compares at each one what gdb unwinds with what was true at the first: the return address, the
canonical frame address and the registers that the function must keep.  The program then stands behind
the call.  STEPS limits the instructions (default 100000)."""

    def __init__(self):
        super().__init__("jitscope verify-cfi", gdb.COMMAND_RUNNING, gdb.COMPLETE_SYMBOL)

    def invoke(self, argument, from_tty):
        print_lines(cfi.lines, target.TARGET, GdbStepper, argument)


def install():
    InfoJitscope()
    for name in tables.TABLES:
        Table(name)
    Jitscope()
    Why()
    Settings("set")
    Settings("show")
    RecordingName()
    VerifyCfi()
