"""The structs of debuggee.h and debug_image.h, read from the headers themselves, so that the two cannot drift apart.

The headers keep to a part of C that is easily read: fixed-width integers, chars, structs and arrays of these, with the
alignment that ctypes gives them as the compiler does.  They are installed beside the plug-in.
"""
import ctypes
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
FOLDERS = (HERE / "headers", HERE.parent.parent.parent / "linker" / "src" / "executor")
INTEGERS = {"char": ctypes.c_char, "uint8_t": ctypes.c_uint8, "uint16_t": ctypes.c_uint16, "uint32_t": ctypes.c_uint32,
            "uint64_t": ctypes.c_uint64}


def header_text(name):
    for folder in FOLDERS:
        if (folder / name).exists():
            return re.sub(r"/\*.*?\*/", " ", (folder / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    raise FileNotFoundError(f"{name} is not beside jitscope's plug-in: {HERE} is not a whole installation")


class Layout:
    """layout.structs["debuggee_batch"] is a ctypes structure; layout.constants["DEBUGGEE_VERSION"] a number or bytes."""

    def __init__(self):
        self.structs = {}
        self.constants = {"DEBUG_SECTION_COUNT": len(re.findall(r"^DEBUG_SECTION\(", header_text("debug_sections.def"),
                                                                re.MULTILINE))}
        for name in ("debuggee.h", "debug_image.h"):
            self._read(header_text(name))

    def _read(self, text):
        for name, value in re.findall(r"^#define (\w+)\s+(\S+)$", text, re.MULTILINE):
            self.constants[name] = value.strip('"').encode() if value[0] == '"' else int(value.rstrip("uUlL"), 0)
        for body in re.findall(r"\benum\s*\w*\s*\{([^}#]*)\}", text):
            for name, value in re.findall(r"(\w+)\s*=\s*(\w+)", body):
                self.constants[name] = int(value, 0)
        for name, body in re.findall(r"\bstruct (\w+) \{([^}]*)\};", text):
            fields = self._fields(body)
            if fields:
                self.structs[name] = type(name, (ctypes.LittleEndianStructure,), {"_fields_": fields})

    def _fields(self, body):
        """None for a struct that never leaves the process: its fields are pointers or other types."""
        fields = []
        for kind, names in re.findall(r"(?:struct\s+)?(\w+)\s+([^;]+);", body):
            base = INTEGERS.get(kind) or self.structs.get(kind)
            if not base:
                return None
            for name in names.split(","):
                match = re.fullmatch(r"\s*(\w+)\s*(?:\[(\w+)\])?\s*", name)
                if not match:
                    return None
                fields.append((match[1], base * self._number(match[2]) if match[2] else base))
        return fields

    def _number(self, text):
        return int(text) if text.isdigit() else self.constants[text]
