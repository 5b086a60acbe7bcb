"""What the target says of its JIT'd code: debuggee.h, read through the debugger's access to memory.

Nothing here runs code in the target or depends on its being alive: the same on a process, remotely and on a core.
What was read is kept until the root's `change` is another number.
"""
import bisect
import ctypes

from . import elf
from .layout import Layout

LAYOUT = Layout()
STRUCTS, CONSTANTS = LAYOUT.structs, LAYOUT.constants
TABLES = {0: "got", 1: "plt", 2: "tls"}
MOST = 1 << 24  # longer chains are taken for damage


class Refused(Exception):
    """What is asked cannot be done; the text is for the user."""


class Absent(Refused):
    """There is nothing to read, and why."""


class Unreadable(Exception):
    """No memory there."""


class Target:
    """A debugger's target.  A plug-in overrides what raises NotImplementedError."""
    NAMES_RECORDING = ""  # what the user types to name a recording
    recording = ""  # which one the user named

    def __init__(self):
        self._key = self._state = None

    def read(self, address, size):
        """Bytes; Unreadable unless all of them are there."""
        raise NotImplementedError

    def symbol_address(self, name):
        """Of a global of the program, 0 when it has none of that name."""
        raise NotImplementedError

    def has_memory(self):
        """There is a process that stands still, or a core."""
        raise NotImplementedError

    def is_core(self):
        raise NotImplementedError

    def process_id(self):
        """Of the process, or of the one that left the core; 0 when it is not known."""
        raise NotImplementedError

    def may_be_local(self):
        """False when the debugger knows that the process is another machine's, or does not know."""
        raise NotImplementedError

    def mapped_files(self):
        """Names of the files that a core lists as mapped; none when the debugger does not tell."""
        return []

    def identity(self):
        """Another value for another process."""
        raise NotImplementedError

    def outside(self, address):
        """Name of what is at ADDRESS by the debugger's own tables, as "malloc+4"; empty for nothing."""
        raise NotImplementedError

    def is_loaded(self, image):
        """The plug-in has loaded this image."""
        raise NotImplementedError

    def evaluate(self, expression):
        """A number; a function's is its address."""
        raise NotImplementedError

    def warn(self, text):
        raise NotImplementedError

    def read_struct(self, name, address):
        kind = STRUCTS[name]
        return kind.from_buffer_copy(self.read(address, ctypes.sizeof(kind)))

    def read_words(self, address, count):
        return memoryview(self.read(address, 8 * count)).cast("Q")

    def find_root(self):
        """(address, root).  Absent says what is missing."""
        if not self.has_memory():
            raise Absent("The program is not being run.")
        address = self.symbol_address("jitscope_debuggee")
        if not address:
            raise Absent("This program does not contain jitscope: it has no symbol jitscope_debuggee.")
        try:
            root = self.read_struct("debuggee", address)
        except Unreadable as error:
            raise Absent(f"Cannot read jitscope_debuggee: {error}") from None
        if root.magic != CONSTANTS["DEBUGGEE_MAGIC"] or root.version != CONSTANTS["DEBUGGEE_VERSION"]:
            raise Absent(f"The program has jitscope {root.library.decode(errors='replace')} with layout {root.version} of "
                         f"its tables; this plug-in reads layout {CONSTANTS['DEBUGGEE_VERSION']}.")
        return address, root

    def state(self):
        """The state now.  Absent when there is none."""
        address, root = self.find_root()
        key = (self.identity(), address, root.change, root.batches)
        if self._key != key:
            self._key, self._state = key, State(self, address, root)
        return self._state

    def try_state(self):
        try:
            return self.state()
        except Absent:
            return None

    def address_for(self, text):
        """A name of JIT'd code, printf@got for one, stands for its address; anything else is an expression."""
        linked = self.state().address_of(text.strip("'"))
        return linked if linked is not None else self.evaluate(text) & (1 << 64) - 1


class Batch:
    """A live batch; its tables are read when they are asked for."""

    def __init__(self, target, record):
        self._target = target
        self.session, self.link, self.image = record.session, record.link, record.image
        self.name = f"{record.session}:{record.link}"
        self._address, self._size = record.description, record.description_size
        self._decoded = None

    def _decode(self):
        if self._decoded is None:
            data = self._target.read(self._address, self._size)
            header = STRUCTS["debug_image_header"]
            if len(data) < ctypes.sizeof(header):
                raise Absent(f"The description of batch {self.name} is damaged.")
            head = header.from_buffer_copy(data)
            texts = data[head.strings.offset:head.strings.offset + head.strings.count]
            tables = {}
            for field in ("segments", "sections", "entries", "actions"):
                where, kind = getattr(head, field), STRUCTS[{"entries": "debuggee_entry"}.get(field, f"debuggee_{field[:-1]}")]
                if where.offset + where.count * ctypes.sizeof(kind) > len(data):
                    raise Absent(f"The {field} of batch {self.name} lie outside its description.")
                tables[field] = (kind * where.count).from_buffer_copy(data, where.offset) if where.count else []
            self._decoded = head, texts, tables
        return self._decoded

    def table(self, name):
        return self._decode()[2][name]

    def text(self, offset):
        texts = self._decode()[1]
        end = texts.find(b"\0", offset)
        return texts[offset:end if end >= 0 else len(texts)].decode(errors="replace")

    def entries(self, table):
        """(entry, name) of the GOT, PLT or TLS table, in order of address."""
        rows = [(entry, self.text(entry.symbol)) for entry in self.table("entries") if TABLES.get(entry.table) == table]
        return sorted(rows, key=lambda row: row[0].address)

    def segment_at(self, address):
        return next((s for s in self.table("segments") if s.address <= address < s.address + s.size), None)

    def section_at(self, address):
        return next((s for s in self.table("sections") if s.address <= address < s.address + s.size), None)

    def entry_at(self, address):
        return next((e for e in self.table("entries") if e.address <= address < e.address + max(e.size, 1)), None)


class State:
    """Everything at one value of `change`."""

    def __init__(self, target, address, root):
        self.target, self.address, self.root = target, address, root
        self.in_change = bool(root.change & 1)
        self._batches = self._images = self._symbols = self._extents = None

    def _chain(self, kind, address):
        for _ in range(MOST):
            if not address:
                return
            record = self.target.read_struct(kind, address)
            yield record
            address = record.next

    def images(self):
        """Oldest first."""
        if self._images is None:
            self._images = list(self._chain("debuggee_image", self.root.image))[::-1]
        return self._images

    def batches(self):
        if self._batches is None:
            self._batches = [Batch(self.target, record) for record in self._chain("debuggee_batch", self.root.batch)][::-1]
        return self._batches

    def batch_at(self, address):
        if self._extents is None:
            self._extents = sorted(((segment.address, segment.address + segment.size, batch)
                                    for batch in self.batches() for segment in batch.table("segments") if segment.size),
                                   key=lambda row: row[0])
        at = bisect.bisect_right(self._extents, address, key=lambda row: row[0])
        return self._extents[at - 1][2] if at and address < self._extents[at - 1][1] else None

    def symbols(self):
        """Of all images, sorted by address: (address, size, name, kind, image number)."""
        if self._symbols is None:
            rows = set()
            for image in self.images():
                try:
                    for name, kind, address, size in elf.Image(self.target.read, image.address).symbols():
                        rows.add((address, size, name, kind, image.number))
                except (ValueError, IndexError, Unreadable):
                    self.target.warn(f"image {image.number} cannot be read")
            self._symbols = sorted(rows)
        return self._symbols

    def address_of(self, name, kind=None):
        """Of the newest symbol of that name; None when there is none."""
        found = [row for row in self.symbols() if row[2] == name and kind in (None, row[3])]
        return max(found, key=lambda row: row[4])[0] if found else None

    def symbol_at(self, address):
        symbols = self.symbols()
        at = bisect.bisect_right(symbols, address, key=lambda row: row[0])
        for row in reversed(symbols[max(0, at - 16):at]):
            if row[0] == address or row[0] <= address < row[0] + row[1]:
                return row
        return None

    def graves(self):
        """Newest first: (address, size, name, session, link)."""
        if not self.root.graves or not self.root.buried:
            return []
        kind, room = STRUCTS["debuggee_grave"], CONSTANTS["DEBUGGEE_GRAVES"]
        count = min(self.root.buried, room)
        ring = (kind * room).from_buffer_copy(self.target.read(self.root.graves, room * ctypes.sizeof(kind)))
        newest = (ring[(self.root.buried - 1 - i) % room] for i in range(count))
        return [(g.address, g.size, g.name.decode(errors="replace"), g.session, g.link) for g in newest]

    def graves_at(self, address):
        return [g for g in self.graves() if g[0] <= address < g[0] + max(g[1], 1)]
