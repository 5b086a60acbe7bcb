"""What the user types.  Each command only finds its lines elsewhere and prints them."""
import re

from jitscope_common import cfi, tables, why
from jitscope_common.debuggee import Refused

from . import loader
from .stepper import LldbStepper
from .target import ERRORS, TARGET, use


class Command:
    """SUMMARY and HELP are the subclass's, and lines(argument)."""

    def __init__(self, _debugger, _dictionary):
        pass

    def __call__(self, debugger, argument, context, result):
        use(context.target if context.target.IsValid() else debugger.GetSelectedTarget())
        loader.look()
        try:
            for line in self.lines(argument.strip()):
                result.AppendMessage(line)
        except ERRORS as error:
            result.SetError(str(error))

    def get_short_help(self):
        return self.SUMMARY

    def get_long_help(self):
        return f"{self.SUMMARY}\n\n{self.HELP}"


class Table(Command):
    HELP = "With REGEXP, only rows that it matches somewhere."

    def lines(self, argument):
        return tables.lines(TARGET, self.NAME, argument)


class Why(Command):
    SUMMARY = "Say what an address is: batch, section, symbol, GOT entry or stub, or a function that is gone."
    HELP = ("Usage: jitscope why [--recording FILE] ADDRESS\n\n"
            "ADDRESS is any expression: `jitscope why $pc`, `jitscope why 0x7f12345678`.  A name of JIT'd code stands for\n"
            "its address, as `jitscope why main`; NAME@got and NAME@plt are the GOT entry and the stub for NAME.\n\n"
            "How it came to be so comes from the recording that a process of this machine is writing, or from FILE, the\n"
            "process's recording (in quotes when there are spaces in its name): cores and other machines' processes need it.")
    OPTION = re.compile(r"""--recording(?:=|\s+|$)(?:"([^"]*)"|'([^']*)'|(\S*))(?:\s+|$)""")

    def lines(self, argument):
        option = self.OPTION.match(argument)
        TARGET.recording = next(filter(None, option.groups()), "") if option else ""
        if option and not TARGET.recording:
            raise Refused("jitscope why --recording FILE ADDRESS: the recording's name is missing.")
        return why.lines(TARGET, argument[option.end():] if option else argument)


class VerifyCfi(Command):
    SUMMARY = "Check at every instruction of a call that unwinding finds the caller."
    HELP = ("Usage: jitscope verify-cfi FUNCTION [STEPS]\n\n"
            "Lets the program run to the next call of FUNCTION, then steps through it instruction by instruction, over\n"
            "the calls it makes, and compares at each one what lldb unwinds with what was true at the first: the return\n"
            "address, the canonical frame address and the registers that the function must keep.  The program then stands\n"
            "behind the call.  STEPS limits the instructions (default 100000).")

    def lines(self, argument):
        return cfi.lines(TARGET, LldbStepper, argument)


def table_class(name):
    """lldb finds a command's class by its name in this module."""
    title = "".join(word.capitalize() for word in name.split("-"))
    summary, _, rest = tables.TABLES[name][3].partition("\n")
    help_text = f"Usage: jitscope {name} [REGEXP]\n\n{rest}{chr(10) if rest else ''}{Table.HELP}"
    globals()[title] = type(title, (Table,), {"NAME": name, "SUMMARY": summary, "HELP": help_text})
    return title


def install(debugger):
    def run(command):
        debugger.HandleCommand(command)
    run("command container add -o -h 'Code that jitscope has linked into the program.' jitscope")
    for name in tables.TABLES:
        run(f"command script add -o -c jitscope.commands.{table_class(name)} jitscope {name}")
    run("command script add -o -c jitscope.commands.Why jitscope why")
    run("command script add -o -c jitscope.commands.VerifyCfi -s synchronous jitscope verify-cfi")
