"""What `jitscope verify-cfi` needs of lldb."""
import lldb

from jitscope_common import cfi, debuggee, tables

from . import loader
from .target import TARGET


def register(frame, name):
    """None when lldb does not know it."""
    value = frame.FindRegister(name)
    error = lldb.SBError()
    number = value.GetValueAsUnsigned(error)
    return None if not value.IsValid() or error.Fail() else number


class LldbStepper(cfi.Stepper):
    """Works in synchronous mode, and on the thread that is selected."""

    def __enter__(self):
        self.thread = TARGET.process.GetSelectedThread()
        self.asynchronous = TARGET.sb.GetDebugger().GetAsync()
        TARGET.sb.GetDebugger().SetAsync(False)
        loader.busy = True
        return self

    def __exit__(self, *_):
        loader.busy = False
        loader.look()
        TARGET.sb.GetDebugger().SetAsync(self.asynchronous)

    def _check(self):
        if not TARGET.has_memory():
            raise debuggee.Refused(f"The program ended before {self.waits_for}.")
        for thread in TARGET.process:
            if thread.GetStopReason() in (lldb.eStopReasonSignal, lldb.eStopReasonException):
                name = TARGET.process.GetUnixSignals().GetSignalAsCString(thread.GetStopReasonDataAtIndex(0))
                raise debuggee.Refused(f"Signal {name} stopped the program at {tables.show(thread.GetFrameAtIndex(0).GetPC())}.")

    def now(self, name):
        return register(self.thread.GetFrameAtIndex(0), name)

    def go_to(self, address, stack_pointer=None):
        stop = TARGET.sb.BreakpointCreateByAddress(address)
        if stack_pointer is not None:
            stop.SetThreadID(self.thread.GetThreadID())
        try:
            while True:
                TARGET.process.Continue()
                self._check()
                if stack_pointer is None:
                    self.thread = TARGET.process.GetSelectedThread()
                if self.now("rip") == address and stack_pointer in (None, self.now("rsp")):
                    return
        finally:
            TARGET.sb.BreakpointDelete(stop.GetID())

    def step(self):
        self.thread.StepInstruction(False)
        self._check()

    def instruction(self):
        instruction = TARGET.sb.ReadInstructions(self.thread.GetFrameAtIndex(0).GetPCAddress(), 1)[0]
        return instruction.GetByteSize(), f"{instruction.GetMnemonic(TARGET.sb)} {instruction.GetOperands(TARGET.sb)}"

    def caller(self):
        frames = iter(self.thread)
        for frame in frames:
            if not frame.IsInlined():  # has no caller of its own
                break
        caller = next(frames, None)
        if caller is None:
            raise cfi.Unwinding("no caller is found")
        registers = {name: register(caller, name) for name in cfi.KEPT}
        return cfi.Caller(caller.GetPC(), register(caller, "rsp"), registers)
