"""What `jitscope verify-cfi` needs of gdb."""
import gdb

from jitscope_common import cfi, debuggee, tables

from . import target


def register(frame, name):
    return int(frame.read_register(name)) & cfi.WORD


class GdbStepper(cfi.Stepper):
    """Sees what ended the last command: signals and breakpoints of the user's are not to be stepped over in silence."""

    def __enter__(self):
        self.signal, self.exited = None, False
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

    def _run(self, command):
        # Only through interpreter-exec does gdb print the place of a stop where TO_STRING catches it.
        gdb.execute(f'interpreter-exec console "{command}"', to_string=True)
        if self.exited or not target.has_memory():
            raise debuggee.Refused(f"The program ended before {self.waits_for}.")
        if self.signal:
            raise debuggee.Refused(f"Signal {self.signal} stopped the program at {tables.show(self.now('rip'))}.")

    def now(self, name):
        return int(gdb.parse_and_eval(f"(unsigned long)${name}")) & cfi.WORD

    def go_to(self, address, stack_pointer=None):
        stop = gdb.Breakpoint(f"*{address}", internal=True)
        stop.silent = True
        if stack_pointer is not None:
            stop.condition = f"$rsp == {stack_pointer}"
        try:
            while True:
                self._run("continue")
                if stop.hit_count:
                    return
        finally:
            stop.delete()

    def step(self):
        self._run("stepi")

    def instruction(self):
        line = gdb.newest_frame().architecture().disassemble(self.now("rip"))[0]
        return line["length"], line["asm"].split("\t")[0].strip()

    def caller(self):
        try:
            frame = gdb.newest_frame()
            while frame.type() == gdb.INLINE_FRAME:  # has no caller of its own
                frame = frame.older()
            caller = frame.older()
        except gdb.error as error:
            raise cfi.Unwinding(f"unwinding fails: {error}") from None
        if caller is None:
            raise cfi.Unwinding(f"no caller is found ({gdb.frame_stop_reason_string(frame.unwind_stop_reason())})")
        try:
            registers = {name: register(caller, name) for name in cfi.KEPT}
            return cfi.Caller(caller.pc(), register(caller, "rsp"), registers)
        except (gdb.error, ValueError) as error:
            raise cfi.Unwinding(f"the caller's registers cannot be read: {error}") from None
