"""A .jsr file as linker/src/trace/recording.h describes it, read and written without a line of jitscope's own code.

    recording = Recording(path)          header, schema, chunks, records in order of their sequence numbers
    recording.records[5].get("address")  fields by name; names as text
    recording.change(record, "address", 0x1000); recording.save(path)      seals the chunk anew
"""
import ctypes
import pathlib
import struct

HEADER = struct.Struct("<8sIIQQQQ")
CHUNK = struct.Struct("<IIIIQQQQ")
MAGIC, CHUNK_MAGIC = b"JITSCOPE", 0x4b43534a
RUN, STRING = 1, 2
DIGESTS = ctypes.CDLL("libxxhash.so.0")  # of the package libxxhash-dev
DIGESTS.XXH3_64bits_withSeed.restype = ctypes.c_uint64
DIGESTS.XXH3_64bits_withSeed.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)


def digest(data, seed=0):
    return DIGESTS.XXH3_64bits_withSeed(bytes(data), len(data), seed)


class NoRecording(Exception):
    """The file does not hold a whole header and schema."""


class Field:
    def __init__(self, name, kind, at, size):
        self.name, self.kind, self.at, self.size = name, kind, at, size


class Type:
    """An event of the schema: fields with their places behind the record's header."""

    def __init__(self, number, name):
        self.number, self.name, self.fields, self.size, self.changing = number, name, {}, 4, []

    def add(self, name, kind, size):
        field = self.fields[name] = Field(name, kind, self.size, size)
        self.size += size
        if kind in ("time", "duration") or name == "process":
            self.changing.append(field)


class Record:
    __slots__ = ("recording", "type", "at", "size", "sequence", "link", "thread")

    def __init__(self, recording, kind, at, size, sequence, run):
        self.recording, self.type, self.at, self.size, self.sequence = recording, kind, at, size, sequence
        self.link, self.thread = run["link"], run["thread"]

    @property
    def name(self):
        return self.type.name

    @property
    def bytes(self):
        return bytes(self.recording.data[self.at:self.at + self.size])

    @property
    def trailing(self):
        """Where the bytes behind the fields are, and how many."""
        return self.at + self.type.size, self.get("length")

    def get(self, name):
        field = self.type.fields[name]
        at = self.at + field.at
        value = int.from_bytes(self.recording.data[at:at + field.size], "little")
        return self.recording.strings.get(value) if field.kind in ("name", "public_name", "path") else value

    def comparable(self):
        """All bytes but those that a clock or the operating system chose."""
        data = self.recording.data[self.at:self.at + self.size]
        for field in self.type.changing:
            data[field.at:field.at + field.size] = bytes(field.size)
        return data


class Recording:
    def __init__(self, path):
        self.data = bytearray(pathlib.Path(path).read_bytes())
        self.types, self.records, self.strings, self.chunks, self.open_chunks = {}, [], {}, [], 0
        self.read_header()
        for at in range(self.first_chunk, len(self.data), self.chunk_size):
            self.read_chunk(at, min(self.chunk_size, len(self.data) - at))
        self.records.sort(key=lambda record: record.sequence)

    def read_header(self):
        if len(self.data) < HEADER.size:
            raise NoRecording
        magic, _, self.chunk_size, offset, size, self.first_chunk, _ = HEADER.unpack_from(self.data)
        if magic != MAGIC or len(self.data) < offset + size:
            raise NoRecording
        self.read_schema(bytes(self.data[offset:offset + size]).decode())

    def read_schema(self, text):
        sizes = {}
        for line in text.splitlines():
            cells = line.split("\t")
            if cells[0] == "T":
                sizes[cells[1]] = 8 if cells[2] in ("uint64_t", "int64_t", "8") else 4
            elif cells[0] == "E":
                event = self.types[int(cells[1])] = Type(int(cells[1]), cells[2])
            elif cells[0] == "F":
                event.add(cells[2], cells[1], sizes[cells[1]])

    def read_chunk(self, at, room):
        if room < CHUNK.size:
            return
        magic, _, sealed, count, _, _, size, stored = CHUNK.unpack_from(self.data, at)
        if not magic:
            return
        assert magic == CHUNK_MAGIC and sealed in (0, 1), hex(at)
        whole = sealed and size <= room - CHUNK.size
        end = at + CHUNK.size + size if whole else at + room
        before = len(self.records)
        self.read_records(at + CHUNK.size, end)
        self.chunks.append((at, end))
        self.open_chunks += not whole
        if whole:
            assert stored == self.chunk_digest(at, end), f"chunk at {at:#x}"
            assert len(self.records) - before == count, f"chunk at {at:#x}"

    def read_records(self, at, end):
        """Up to the end, or where the writer stopped: the header of a record comes last."""
        run = None
        while end - at >= 4:
            header, = struct.unpack_from("<I", self.data, at)
            kind, size = self.types[header & 0xfff] if header else None, header >> 12
            if not header or size > end - at:
                break
            record = Record(self, kind, at, size, 0, run or {"link": 0, "thread": 0})
            at += size
            if kind.number == RUN:
                run = {name: record.get(name) for name in kind.fields}
                run["next"] = run["sequence_low"] | run["sequence_high"] << 32
                continue
            record.sequence = run["next"]
            run["next"] += 1
            self.records.append(record)
            if kind.number == STRING:
                place, length = record.trailing
                self.strings[record.get("string")] = bytes(self.data[place:place + length]).decode(errors="replace")

    def chunk_digest(self, at, end):
        header = self.data[at:at + CHUNK.size - 8] + bytes(8)
        return digest(self.data[at + CHUNK.size:end], digest(header))

    # --- damage

    def named(self, name):
        return [record for record in self.records if record.name == name]

    def change(self, record, name, value):
        field = record.type.fields[name]
        self.put(record.at + field.at, (value & (1 << 8 * field.size) - 1).to_bytes(field.size, "little"))

    def put(self, at, data):
        self.data[at:at + len(data)] = data

    def save(self, path):
        for at, end in self.chunks:
            if struct.unpack_from("<I", self.data, at + 8)[0]:
                struct.pack_into("<Q", self.data, at + CHUNK.size - 8, self.chunk_digest(at, end))
        pathlib.Path(path).write_bytes(self.data)
        return path
