"""Seed corpora for the fuzz targets, out of what compilers, ar and jitscope itself write.

    seeds.py FOLDER JITSCOPE     makes FOLDER/fuzz_NAME/... for each target
"""
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import bridge

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "replay" / "golden"
C_SOURCE = """
extern int other(int); extern int data[4]; int common_array[10]; static int local = 3;
int *pointer = &local; __attribute__((weak)) int maybe(void);
static void start(void) __attribute__((constructor)); static void start(void) { local = 4; }
static int helper(int x) { return x * 3 + local; }
int main(int argc, char **argv) { (void)argv; return maybe ? maybe() : other(helper(argc)) + data[1] + common_array[2]; }
"""
CXX_SOURCE = """
#include <stdexcept>
#include <string>
template <typename T> T twice(T x) { return x + x; }
struct Base { virtual ~Base() {} virtual int f() { return 1; } }; struct Derived : Base { int f() override { return 2; } };
int main() { Derived d; Base &b = d; try { if (b.f() == 3) throw std::runtime_error("x"); return twice(b.f()); } catch (std::exception &e) { return 7; } }
"""
FLAGS = {"o0": ["-O0"], "o2": ["-O2", "-ffunction-sections", "-fdata-sections"], "pic": ["-O1", "-fPIC"],
         "debug": ["-O1", "-g1", "-fcommon"], "debugz": ["-O1", "-g", "-gz", "-fdebug-types-section"], "nopie": ["-O1", "-fno-pie"]}
SCRIPTS = ["/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( /lib/libc.so.6 /usr/lib/libc_nonshared.a AS_NEEDED ( /lib/ld.so ) )\n",
           "INPUT(-lm \"a file\" b.o,c.o) SEARCH_DIR(/usr/lib) EXTERN(start)", "TARGET(x) OUTPUT_ARCH(y)"]
CHECKS = ["main != 0 && section(.text) <= main\n", "*{8}got(puts) == puts # comment\n",
          "call + 5 + s{4}(call + 1) == plt(puts)\n!defined(dropped)\n", "// jitscope-check: size(\"a b\\x41\") == -1 >> 3 << 2 % 7\n",
          "name ~ main and size >= 0x10 or size != 3"]


def run(*command):
    subprocess.run([str(word) for word in command], check=True)


def objects(work):
    sources = {"c": C_SOURCE, "cpp": CXX_SOURCE}
    for kind, compiler in (("c", "gcc"), ("c", "clang"), ("cpp", "g++")):
        source = work / f"seed.{kind}"
        source.write_text(sources[kind])
        for name, flags in FLAGS.items():
            target = work / f"{compiler}-{name}.o".replace("+", "p")
            run(compiler, *flags, "-c", source, "-o", target)
            yield target


def eh_frame_seed(path, work):
    """Relocations as fuzz_eh_frame.c wants them, then the section."""
    section = work / "eh_frame.bin"
    section.unlink(missing_ok=True)
    run("objcopy", "-O", "binary", "--only-section=.eh_frame", "--set-section-flags", ".eh_frame=alloc", path, section)
    content, offsets, at = section.read_bytes(), [], 0
    while at + 8 <= len(content):
        length, identity = struct.unpack_from("<II", content, at)
        if identity and length:
            offsets.append(at + 8)
        at += 4 + length
    edges = b"".join(struct.pack("<HB", offset, index % 2) for index, offset in enumerate(offsets[:255]))
    return bytes([len(edges) // 3]) + edges + content


def debuggee_seed(work):
    """Memory as fuzz_debuggee.c reads it: the root and one image's record (debuggee.h), then a linked ELF file."""
    path, base, root_size = work / "image", 0x1000, 272
    run("gcc", "-O2", "-g", "-nostdlib", "-static", "-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-Wl,-e,twice",
        "-Wl,-z,noseparate-code", "-Wl,--build-id=none", work / "seed_image.c", "-o", path)
    image = path.read_bytes()
    root = struct.pack("<8sII8Q160x32s", b"JSDBGEE", 1, root_size, 2, 0, 0, base + root_size, 1, 0, 0, 0, b"seed")
    record = struct.pack("<4Q4I", 0, base + root_size + 48, len(image), 1, 2, 1, 1, 0)
    return root + record + image


def records_of(recording):
    """What is in its chunks (linker/src/trace/recording.h), as fuzz_session.c wants it."""
    chunk_size, first, records = *struct.unpack_from("<I", recording, 12), *struct.unpack_from("<Q", recording, 32), b""
    for at in range(first, len(recording), chunk_size):
        magic, _, sealed, _, _, _, size = struct.unpack_from("<IIIIQQQ", recording, at)
        if magic:
            records += recording[at + 48:at + 48 + size] if sealed else recording[at + 48:at + chunk_size].rstrip(b"\0")
    return records


def executor_says(version, *more):
    """A hello as linker/src/executor/bridge.h has it, and answers to what comes then: (kind, payload), each to the next question."""
    def text(value):
        return struct.pack("<I", len(value)) + value + b"\0"

    hello = text(b"jitscope executor") + text(version.encode())
    hello += struct.pack("<IQQQQI", 1, 4096, 0x7f0000000000, 0x7e0000000000, 1 << 30, 1) + text(b"mine") + struct.pack("<I", 0)
    stream = b""
    for index, (kind, payload) in enumerate([(1, hello), *more]):
        stream += struct.pack("<IHHQQ", len(payload), 1, kind, index + 1, index) + payload
    return stream


def conversations(version):
    nothing = struct.pack("<I", 0)
    no_error = nothing + nothing + b"\0"
    results = struct.pack("<I", 1) + struct.pack("<IIIQ", 0, 0, 0, 5) + nothing + b"\0" + nothing
    finalized = nothing + no_error + nothing + nothing + nothing + nothing
    ran = nothing + no_error + nothing + results + nothing + nothing
    deallocated = no_error + nothing + nothing
    yield "hello", b"\0" + executor_says(version)
    yield "links", b"\0" + executor_says(version, *[(5, finalized)] * 3)
    yield "unloads", b"\x0a" + executor_says(version, (5, finalized), (8, deallocated), (5, finalized), (8, deallocated))
    yield "runs", b"\0" + executor_says(version, (5, ran))
    frame = bridge.u64(8, 8)
    crash = bridge.u32(11, 1) + bridge.u64(8) + bridge.u32(3) + frame + bridge.text() * 2 + (frame + bridge.text(b"x.so") + bridge.text(b"f")) * 2
    yield "crashes", b"\0" + executor_says(version, (5, finalized), (21, crash))
    yield "exits", b"\0" + executor_says(version, (6, struct.pack("<III", 3, 1, 0) + nothing + nothing))


def main(folder, jitscope):
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)

    def put(target, name, content):
        place = folder / f"fuzz_{target}"
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(content)

    made = list(objects(work))
    for path in made:
        put("object", path.name, path.read_bytes())
        put("redact", path.name, path.read_bytes())
        put("eh_frame", path.name, eh_frame_seed(path, work))
        if "debug" in path.name:
            put("debug", path.name, path.read_bytes())
        for flags in (0, 0x1b, 0x46):
            put("link", f"{path.name}-{flags}", bytes([flags]) + path.read_bytes())
    for name, flags in (("index", "rcs"), ("plain", "rcS"), ("thin", "rcsT"), ("long", "rcs")):
        archive = work / f"{name}.a"
        archive.unlink(missing_ok=True)
        members = made[:3]
        if name == "long":
            members = [work / "a-member-with-a-name-that-is-quite-long.o"]
            members[0].write_bytes(made[0].read_bytes())
        run("ar", flags, archive, *members)
        put("archive", archive.name, archive.read_bytes())
        put("redact", archive.name, archive.read_bytes())
        if name != "thin":
            put("link", archive.name, b"\x04" + archive.read_bytes())
    for index, text in enumerate(SCRIPTS):
        put("ld_script", f"{index}.ld", text.encode())
        put("redact", f"{index}.ld", text.encode())
    for index, text in enumerate(CHECKS):
        put("check", f"{index}.check", text.encode())
    for name, flags in (("gnu", []), ("sysv", ["-Wl,--hash-style=sysv"])):
        library = work / f"{name}.so"
        run("gcc", "-shared", "-nostdlib", "-fPIC", *flags, "-Wl,-soname,libseed.so", work / "seed.c", "-o", library)
        put("shared", library.name, library.read_bytes())
        put("redact", library.name, library.read_bytes())
    (work / "seed_image.c").write_text("int twice(int x) { volatile int r[9]; r[x & 7] = x; return r[x & 7] * 2; }\n")
    put("debuggee", "image", debuggee_seed(work))
    for level in ("phase", "block", "edges"):
        recording = work / f"{level}.jsr"
        subprocess.run([jitscope, "link", "--phony-externals", f"--trace={level}", "--record", recording, made[1]],
                       check=True, stdout=subprocess.DEVNULL)
        put("recording", recording.name, recording.read_bytes())
        put("why", recording.name, recording.read_bytes())
        put("follow", recording.name, recording.read_bytes())
        put("export", recording.name, recording.read_bytes())
        put("inspect", recording.name, inspected(recording))
        subprocess.run([jitscope, "pack", recording], check=True)
        put("recording", f"packed-{level}.jsr", recording.read_bytes())
    for recording in GOLDEN.glob("*.jsr"):
        put("inspect", f"golden-{recording.stem}", inspected(recording))
    version = subprocess.run([jitscope, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    for name, content in conversations(version):
        put("wire", name, content)
    for name, content in said_to_executors():
        put("target", name, content)
    for name, content in sessions(work, made, jitscope):
        put("session", name, records_of(content))


def said_to_executors():
    """Conversations for fuzz_target.c: what a linker says, one message after the other."""
    place, page = 0x7e0000000000, bridge.PAGE
    action = ((b"register-eh-frames", bridge.u64(place, 8)), (b"deregister-eh-frames", bridge.u64(place, 8)))
    link = bridge.finalize([bridge.segment(place, content=b"code", prot=5), bridge.segment(place + page, 2 * page, content=b"data"),
                            bridge.segment(place + 3 * page, lifetime=1)], [action], arguments=bridge.u32(1, 1) + bridge.text(b"a")
                           + bridge.u32(1, 1) + bridge.text(b"B=c"))
    other = bridge.finalize([bridge.segment(place + 70 * page, 65 * page)], number=2)
    parts = bridge.finalize([bridge.segment(place + 5 * page)], [action], number=3, flags=16 + 64)
    says = {"LOOKUP": bridge.u32(0, 0, 0), "READ": bridge.u64(place) + bridge.u32(8), "RESERVE": bridge.u64(2 << 20) + bridge.u32(0),
            "DEALLOCATE": bridge.u32(1, 0, 0), "RUN": bridge.u32(0) + bridge.u64(place) + bridge.u32(0), "END": bridge.text(b"why"),
            "OPEN_TLS": bridge.u32(0, 0, 1) + bridge.u64(8, 8) + bridge.u32(0, 0, 0), "TLS_ADDRESS": bridge.u32(1) + bridge.u64(0),
            "CLOSE_TLS": bridge.u32(1), "OPEN_EXPORTS": bridge.u32(1, 1) + bridge.text(b"name") + bridge.u64(place),
            "CLOSE_EXPORTS": bridge.u32(1), "STORE_SLOTS": bridge.u32(1) + bridge.u64(place + page, place)}

    def conversation(*said):
        return b"".join(struct.pack("<BH", bridge.NUMBERS[kind], len(payload)) + payload for kind, payload in said)
    yield "all", conversation(("FINALIZE", link), ("FINALIZE", other), *says.items())
    yield "over", conversation(("FINALIZE", link), ("FINALIZE", bridge.finalize([bridge.segment(place + 2 * page)], number=2)))
    yield "parts", conversation(("FINALIZE", parts), *(("RUN_HALF", bridge.u32(3, 0, half, 0)) for half in (0, 1)))
    for kind, payload in says.items():
        yield kind, conversation(("FINALIZE", link), (kind, payload))


# Of fuzz_inspect.c: keys through all screens, up and down, back in time, search, filter, sort, why, help, sizes.
TOUR = (b"1jjGg2+-34G\r\x1b5jw\x1bjx\x1bc\r\x1b6w\x1b789eapRi0G\r/ma\rnNfname ~ a\rsSssF[[[]{{{}<>  ?jj q"
        b"\x00\x03\x00\x28yYEx.json\rmaGg'aDuuUU5\x00\x18\x01\x04:go\t7\rF")


def inspected(recording):
    return bytes([len(TOUR)]) + TOUR + recording.read_bytes()


def sessions(work, made, jitscope):
    """Recordings to replay: objects, an archive, a library and a script, a link that fails, a program that runs."""
    script = work / "group.ld"
    script.write_text(f"GROUP({work}/index.a {work}/gnu.so)")
    tiny = work / "tiny.o"
    (work / "tiny.c").write_text("int value = 3; int main(void) { return value - 3; }\n")
    run("gcc", "-O1", "-g", "-c", work / "tiny.c", "-o", tiny)
    phony = ["link", "--phony-externals"]
    for name, words in (("object", [*phony, made[1]]), ("debug", [*phony, "--gc-sections", made[3]]), ("cxx", [*phony, made[-2]]),
                        ("edges", [*phony, "--trace=edges", tiny]), ("archive", [*phony, "--entry", "main", work / "plain.a"]),
                        ("script", ["link", "--define", "other=0x1000", "--entry", "main", script]),
                        ("failing", ["link", made[0]]), ("run", ["run", "--nodefaultlibs", tiny])):
        recording = work / f"session-{name}.jsr"
        subprocess.run([jitscope, *words, "--record", recording], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield name, recording.read_bytes()
    for recording in GOLDEN.glob("*.jsr"):
        if recording.stem != "packed":
            yield f"golden-{recording.stem}", recording.read_bytes()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
