"""The target as lldb sees it: the one that lldb named when it called last."""
import sys

import lldb

from jitscope_common import debuggee
from jitscope_common.debuggee import Refused, Unreadable

STILL = (lldb.eStateStopped, lldb.eStateCrashed, lldb.eStateSuspended)
CORES = ("elf-core", "minidump")

# What reading the target can end in.
ERRORS = (Refused, Unreadable)


class LldbTarget(debuggee.Target):
    NAMES_RECORDING = "`jitscope why --recording FILE ADDRESS`"
    sb = lldb.SBTarget()  # the SBTarget

    @property
    def process(self):
        return self.sb.GetProcess()

    def read(self, address, size):
        error = lldb.SBError()
        data = self.process.ReadMemory(address, size, error) if size else b""
        if error.Fail() or data is None or len(data) != size:
            raise Unreadable(f"Cannot access memory at address 0x{address:x}")
        return data

    def write(self, address, data):
        error = lldb.SBError()
        if self.process.WriteMemory(address, data, error) != len(data):
            raise Unreadable(f"Cannot write memory at address 0x{address:x}")

    def symbol_address(self, name):
        for context in self.sb.FindSymbols(name):
            address = context.GetSymbol().GetStartAddress().GetLoadAddress(self.sb)
            if address != lldb.LLDB_INVALID_ADDRESS:
                return address
        return 0

    def has_memory(self):
        return self.process.IsValid() and self.process.GetState() in STILL

    def is_core(self):
        return self.process.GetPluginName() in CORES

    def process_id(self):
        return self.process.GetProcessID() if self.process.IsValid() else 0

    def may_be_local(self):
        return self.sb.GetPlatform().GetName() == "host"

    def identity(self):
        return self.process.GetUniqueID()

    def outside(self, address):
        symbol = self.sb.ResolveLoadAddress(address).GetSymbol()
        if not symbol.IsValid():
            return ""
        start = symbol.GetStartAddress().GetLoadAddress(self.sb)
        return f"{symbol.GetName()}+{address - start}" if address != start else symbol.GetName()

    def is_loaded(self, image):
        from . import loader  # which reads the target
        return loader.is_loaded(image)

    def _frame(self):
        return self.process.GetSelectedThread().GetSelectedFrame()

    def evaluate(self, expression):
        """Symbols first: lldb's expressions know no function without debug information."""
        symbol = self.symbol_address(expression)
        if symbol:
            return symbol
        options = lldb.SBExpressionOptions()
        options.SetAllowJIT(False)  # the program is to stay as it is
        frame = self._frame()
        where = frame if frame.IsValid() else self.sb
        value = where.EvaluateExpression(expression, options)
        if value.GetError().Fail():
            raise Refused(value.GetError().GetCString().strip())
        if value.GetType().IsFunctionType():
            return value.GetLoadAddress()
        error = lldb.SBError()
        number = value.GetValueAsUnsigned(error)
        if error.Fail():
            raise Refused(f"{expression} is no number.")
        return number

    def warn(self, text):
        print(f"jitscope: {text}", file=sys.stderr)


TARGET = LldbTarget()


def use(sb_target):
    """To be called first by everything that lldb calls."""
    TARGET.sb = sb_target
    return TARGET
