"""The target as gdb sees it."""
import gdb

from jitscope_common import debuggee
from jitscope_common.debuggee import CONSTANTS, STRUCTS, TABLES, Refused, Unreadable  # noqa: F401

# What reading the target can end in.
ERRORS = (gdb.error, Refused, Unreadable)


class GdbTarget(debuggee.Target):
    NAMES_RECORDING = "`set jitscope recording FILE`"

    def read(self, address, size):
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""
        except gdb.MemoryError as error:
            raise Unreadable(str(error)) from None

    def symbol_address(self, name):
        try:
            return int(gdb.parse_and_eval(f"(unsigned long)&{name}"))
        except gdb.error:
            return 0

    def has_memory(self):
        inferior = gdb.selected_inferior()
        return inferior.is_valid() and bool(inferior.threads())

    def is_core(self):
        connection = gdb.selected_inferior().connection
        return connection is not None and connection.type == "core"

    def process_id(self):
        return gdb.selected_inferior().pid

    def may_be_local(self):
        connection = gdb.selected_inferior().connection
        return connection is not None and connection.type == "native"

    def mapped_files(self):
        """From the core's NT_FILE note."""
        try:
            rows = gdb.execute("info proc mappings", to_string=True).splitlines()
        except gdb.error:
            return []
        cells = [row.strip().split(None, 4) for row in rows]  # start, end, size, offset, file
        return [row[4] for row in cells if len(row) == 5 and row[0].startswith("0x")]

    def identity(self):
        inferior = gdb.selected_inferior()
        return inferior.num, inferior.pid

    def outside(self, address):
        text = gdb.execute(f"info symbol 0x{address:x}", to_string=True)
        return "" if text.startswith("No symbol") else text.split(" in section ")[0].strip().replace(" + ", "+")

    def is_loaded(self, image):
        from . import loader  # which reads the target
        return loader.is_loaded(image)

    def evaluate(self, expression):
        value = gdb.parse_and_eval(expression)
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_FUNC:
            value = value.address
        return int(value) & (1 << 64) - 1

    def warn(self, text):
        gdb.write(f"jitscope: {text}\n", gdb.STDERR)


TARGET = GdbTarget()
read, read_words, symbol_address = TARGET.read, TARGET.read_words, TARGET.symbol_address
has_memory, is_core, find_root = TARGET.has_memory, TARGET.is_core, TARGET.find_root
state, try_state = TARGET.state, TARGET.try_state
