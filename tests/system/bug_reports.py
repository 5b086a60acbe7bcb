"""jitscope bug-report: the manifest against the inputs themselves, what is refused, and redaction: nothing of the names
is left, and it is the same link."""
import collections
import os
import re
import resource
import signal
import struct
import subprocess
import unittest

from harness import COMPILERS, IN_PROCESS, JITSCOPE, LIBRARIES, SystemTest

RECORD_LINKS = os.path.abspath(os.environ.get("RECORD_LINKS", "build/dev/tests/system/record_links"))
VIEWS = ("batches inputs sections segments blocks symbols edges got plt tls actions registrations eh-frames passes memory").split()
CHANGING = {"us", "time", "duration",  # of a replay
            "begun", "made"}  # sequence numbers: redacted names and contents may fall into parts elsewhere
LUA = LIBRARIES / "liblua5.4.a"

# Every name of these is secret, and has a mark in it that nothing else has.
MAIN = r"""
struct zqvqshape { int zqvqside, zqvqother; };
int zqvqhelper(struct zqvqshape *zqvqargument, int k);
int zqvqarea(int zqvqwidth);
int zqvqm(int);
static int zqvqcounter = 3;
__attribute__((noinline, cold)) static int zqvqrare(int zqvqvalue) { return zqvqvalue * zqvqcounter; }
int main(int argc, char **argv) {
    struct zqvqshape zqvqlocal = {argc, 0};
    (void)argv;
    return zqvqhelper(&zqvqlocal, 2) + zqvqarea(argc) + zqvqm(1) + (argc > 5 ? zqvqrare(argc) : 0) == 11 ? 0 : 1;
}
"""
HELPER = r"""
struct zqvqshape { int zqvqside, zqvqother; };
__thread int *zqvqunused_pointer_of_thread;
int zqvqtable[4] = {1, 2, 3, 4};
int zqvqhelper(struct zqvqshape *zqvqshape, int k) { return zqvqshape->zqvqside + zqvqtable[k]; }
"""
AREA = "int zqvqarea(int zqvqwidth) { return zqvqwidth + 3; }\nint zqvqm(int a) { return a + 2; }\n"
NEVER = "int zqvqnever(void) { return 1; }\n"
CPP = r"""
#include <stdexcept>
#include <string>
#include <vector>
namespace zqvqspace {
struct zqvqthing { int zqvqvalue; int zqvqmethod(int zqvqby) const; };
int zqvqthing::zqvqmethod(int zqvqby) const { static int zqvqinside; return ++zqvqinside + zqvqby * zqvqvalue; }
template <class zqvqtype> zqvqtype zqvqtemplate(zqvqtype zqvqin) { return zqvqin + 1; }
}
static std::vector<zqvqspace::zqvqthing> zqvqglobal{{2}, {3}};
int main() {
    std::vector<std::string> zqvqwords{"one"};
    try {
        throw std::runtime_error("x");
    } catch (const std::exception &) {
        return zqvqspace::zqvqtemplate(zqvqglobal[1].zqvqmethod(2)) - 8 + (int)zqvqwords.size() - 1;
    }
}
"""


class Reports(SystemTest):
    def record(self, *words, name="r.jsr", command="run", status=0, env=None):
        recording = self.folder / name
        outcome = self.jitscope(command, "--record", recording, *words, env=env)
        self.assertEqual(outcome.status, status, outcome)
        return recording

    def report(self, recording, *words, name="report.jsr"):
        outcome = self.must(JITSCOPE, "bug-report", "-o", self.folder / name, *words, recording)
        self.manifest, self.said = outcome.out.decode(), outcome.err.decode()
        return self.folder / name

    def line(self, what):
        found = re.findall(rf"^{what} +(\S.*)$", self.manifest, re.M)
        self.assertEqual(len(found), 1, self.manifest)
        return found[0]

    def c_program(self, compiler="gcc", *flags):
        """A program of its own sources, all secret: an object, and an archive with members that are wanted and not."""
        main = self.compile(MAIN, *flags, compiler=compiler, name="zqvqmain.o")
        members = [self.compile(text, *flags, compiler=compiler, name=name)
                   for text, name in ((AREA, "zqvqarea.o"), (NEVER, "zqvqnever_was_a_longer_name.o"))]
        helper = self.compile(HELPER.replace("__thread ", ""), *flags, compiler=compiler, name="zqvqhelper.o")
        return [main, helper, self.archive("libzqvqvault.a", *members)]


class Manifest(Reports):
    def test_what_it_says(self):
        inputs = self.c_program()
        recording = self.record(*inputs, "-u", "zqvqnever", "--gc-sections")
        before = recording.read_bytes()
        report = self.report(recording)
        self.assertEqual(recording.read_bytes(), before)
        replayed = self.must(JITSCOPE, "replay", recording).out.decode()
        self.assertEqual(self.line("verdict"), "identical, " + replayed.split(":")[0])
        self.assertEqual(self.line("target"), "x86_64-elf")
        self.assertEqual(self.line("page size"), f"{os.sysconf('SC_PAGESIZE')} bytes")
        self.assertEqual(self.line("memory manager"), "in-process" if IN_PROCESS else "executor")
        self.assertIn("gc-sections", self.line("options"))
        self.assertIn("name=zqvqnever", self.manifest)
        self.assertRegex(self.manifest, r"(?m)^ +1  ok$")
        passes = [row["name"] for row in self.show("passes", recording)]
        self.assertIn(f"      1  {' '.join(passes)}\n", self.manifest)
        for row in self.show("inputs", recording):
            digest = "in its archive"
            if row["archive"] is None:
                digest = self.must("xxhsum", "-H3", row["name"]).out.decode().split()[-1]
            self.assertRegex(self.manifest, rf"(?m)^ +{row['input']}  {row['kind']} +{row['size']}  {digest} +\S")
        self.assertEqual(self.must(JITSCOPE, "bug-report", "--show", report).out.decode(), self.manifest)

    def test_it_is_a_recording(self):
        recording = self.record(*self.c_program("gcc", "-g"), "--trace", "edges")
        report = self.report(recording)
        self.assertEqual(report.read_bytes()[:4], b"\x28\xb5\x2f\xfd")
        self.assertLess(report.stat().st_size, recording.stat().st_size)
        for view in VIEWS:
            self.assertEqual(self.show(view, report), self.show(view, recording), view)
        for command in (("why",), ("export", "--to", "elf"), ("replay",)):
            words = ["main"] if command == ("why",) else []
            self.assertEqual(self.jitscope(*command, report, *words), self.jitscope(*command, recording, *words))
        lines = [row["text"] for row in self.show("events", report, "--filter", "event = report")]
        self.assertEqual("\n".join(lines) + "\n", self.manifest)

    def test_where_it_goes(self):
        recording = self.record(self.compile("int main(void) { return 0; }\n"), name="some.jsr")
        outcome = self.must(JITSCOPE, "bug-report", recording)
        self.assertEqual(outcome.err, b"jitscope: written: some-report.jsr\n")
        report = self.folder / "some-report.jsr"
        self.assertEqual(report.stat().st_mode & 0o777, 0o600)
        again = self.jitscope("bug-report", report)
        self.assertEqual(again.status, 1)
        self.assertIn(b"is a report already", again.err)

    def test_many_inputs(self):
        """More lines than a chunk holds."""
        pattern = self.compile("int f0000(void) { return 1; }\n", name="pattern.o").read_bytes()
        objects = [self.folder / f"a_rather_long_name_of_an_object_{i:04}.o" for i in range(4000)]
        for i, path in enumerate(objects):
            path.write_bytes(pattern.replace(b"f0000", b"f%04d" % i))
        report = self.report(self.record("-e", "f0001", *objects, command="link"))
        shown = self.must(JITSCOPE, "bug-report", "--show", report).out.decode()
        self.assertEqual(shown, self.manifest)
        self.assertGreater(len(shown), 256 << 10)
        self.assertEqual(len(re.findall("a_rather_long_name", shown)), 4000)


class Verdicts(Reports):
    damaged = ("bad.jsr", "report.jsr")

    def killed(self):
        """Its last chunk is open: without a digest, so that a test can change it."""
        main = self.compile("#include <signal.h>\nint main(void) { return raise(SIGKILL); }\n")
        return self.record("--in-process", main, name="killed.jsr", status=-signal.SIGKILL)

    def test_cut_off(self):
        self.report(self.killed(), name="good.jsr")
        self.assertRegex(self.line("verdict"), r"^identical, \d+ events$")
        self.assertIn("the writer did not come to its end", self.line("events"))

    def test_diverged(self):
        """A recording that says something else than the linker does is reported, with where it differs."""
        recording = self.killed()
        address = next(row["address"] for row in self.show("symbols", recording, "--filter", "name = main"))
        data = recording.read_bytes()
        # symbol_bound: header with id 39 and 16 bytes, symbol, address
        at = next(m.start() for m in re.finditer(re.escape(struct.pack("<Q", address)), data)
                  if struct.unpack("<I", data[m.start() - 8:m.start() - 4])[0] == 39 | 16 << 12)
        bad = self.folder / "bad.jsr"
        bad.write_bytes(data[:at] + struct.pack("<Q", address + 16) + data[at + 8:])
        sequence = next(row["sequence"] for row in self.show("events", bad, "--filter", "event = symbol_bound")
                        if row["address"] == address + 16)
        report = self.report(bad)
        self.assertRegex(self.line("verdict"), r"^diverged after \d+ events$")
        self.assertIn(f"  diverged at event {sequence}, link 1", self.manifest)
        self.assertIn("  differs: address\n", self.manifest)
        self.assertEqual(self.jitscope("replay", report).status, 1)
        redacted = self.jitscope("bug-report", "--redact=names", bad)
        self.assertEqual(redacted.status, 1)
        self.assertIn(b"the recording itself does not replay", redacted.err)

    def test_nothing_to_replay(self):
        data = self.killed().read_bytes()
        first_chunk = struct.unpack_from("<Q", data, 32)[0]
        bad = self.folder / "bad.jsr"
        bad.write_bytes(data[:first_chunk])
        outcome = self.jitscope("bug-report", "-o", self.folder / "none.jsr", bad)
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(b"the recording cannot be replayed, so that it is no report", outcome.err)
        self.assertFalse((self.folder / "none.jsr").exists())

    def test_a_link_that_failed(self):
        main = self.compile("int missing(void);\nint main(void) { return missing(); }\n")
        self.report(self.record(main, status=1), name="good.jsr")
        self.assertRegex(self.manifest, r"(?m)^ +1  failed: .*unresolved symbol")
        self.assertRegex(self.line("verdict"), "^identical")

    def test_a_replay_that_dies(self):
        """Here of a file that may not grow; nothing is written, and nothing is left."""
        recording = self.record(*self.c_program())

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        done = subprocess.run([JITSCOPE, "bug-report", "--redact=names", "-o", self.folder / "none.jsr", recording],
                              capture_output=True, preexec_fn=limit)
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr.decode(), "cannot redact|cannot record|File too large")
        self.assertEqual([path.name for path in self.folder.glob("none*")], [])

    def test_usage(self):
        recording = self.record(self.compile("int main(void) { return 0; }\n"))
        for words, status, text in (((), 2, "one recording at a time"),
                                    (("--redact=names,values", recording), 2, "'values' is not one of paths, names"),
                                    (("--show", recording), 1, "is no bug report"),
                                    (("/dev/null",), 1, "an empty or special file")):
            outcome = self.jitscope("bug-report", *words)
            self.assertEqual(outcome.status, status, outcome)
            self.assertIn(text, outcome.err.decode())


class Redaction(Reports):
    def numbers(self, view, recording):
        """What of a view is no name."""
        return [{key: value for key, value in row.items() if isinstance(value, int) and key not in CHANGING}
                for row in self.show(view, recording)]

    def same_graph(self, recording, report):
        for view in VIEWS:
            self.assertEqual(self.numbers(view, report), self.numbers(view, recording), view)
        kinds = [collections.Counter(row["event"] for row in self.show("events", each)) for each in (recording, report)]
        for counter in kinds:
            for other in ("string", "report", "content"):  # names and contents may fall into parts elsewhere
                counter.pop(other, None)
        self.assertEqual(*kinds)

    def redact(self, recording, what="paths,names", marks=(b"zqvq", b"jitscope-test-")):
        """Nothing that has a mark is left in any of its bytes; the replay is checked by the harness, once more."""
        before = self.must("zstd", "-dc", self.packed(recording)).out
        for mark in marks:
            self.assertIn(mark, before)
        report = self.report(recording, f"--redact={what}")
        after = self.must("zstd", "-dc", report).out
        for mark in marks:
            left = set(re.findall(rb"[\w./]*" + mark + rb"[\w./]*", after))
            self.assertEqual(left, set(), what)
        self.same_graph(recording, report)
        self.assertEqual(self.line("redacted"), what.replace(",", ", "))
        self.assertIn("bytes of the program", self.line("not redacted"))
        self.assertIn(self.line("not redacted"), self.said)
        return report

    def packed(self, recording):
        self.must(JITSCOPE, "pack", "-o", self.folder / "packed.bin", recording)
        return self.folder / "packed.bin"

    def names(self, report):
        return {row["name"] for row in self.show("symbols", report)}

    def test_c(self):
        for compiler in COMPILERS:
            for flags in ((), ("-g", "-O1"), ("-g", "-gdwarf-4", "-O2"), ("-g", "-ffunction-sections", "-fdata-sections")):
                with self.subTest(compiler=compiler, flags=flags):
                    recording = self.record(*self.c_program(compiler, *flags), "--trace", "edges")
                    report = self.redact(recording)
                    self.assertIn("main", self.names(report))

    def test_cpp(self):
        """Names stay mangled as they were; those of the C++ library stay."""
        source = self.text("zqvqsource.cpp", CPP)
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                driver = {"gcc": "g++", "clang": "clang++"}[compiler]
                self.must(driver, "-g", "-O1", "-fPIC", "-c", source, "-o", self.folder / "zqvqcpp.o")
                recording = self.record(self.folder / "zqvqcpp.o", "-lstdc++")
                report = self.redact(recording)
                names = self.names(report)
                self.assertIn("__gxx_personality_v0", names)
                mangled = [name for name in names if name.startswith("_Z")]
                demangled = self.must("c++filt", *mangled).out.decode().splitlines()
                self.assertEqual([name for name in demangled if name.startswith("_Z")], [])
                self.assertTrue(any(re.fullmatch(r"n\w{8}::n\w{8}::n\w{9}\(int\) const", name) for name in demangled),
                                demangled)

    def test_debug_information_of_other_forms(self):
        """Units of types, lists of public names, and what `ld -r` merges."""
        source = self.text("zqvqsource.cpp", CPP)
        self.must("g++", "-g", "-gdwarf-4", "-fdebug-types-section", "-ggnu-pubnames", "-c", source, "-o", self.folder / "zqvqa.o")
        self.redact(self.record(self.folder / "zqvqa.o", "-lstdc++"))
        self.must("ld", "-r", *self.c_program("gcc", "-g", "-gdwarf-4")[:2], self.compile(AREA, "-g", name="zqvqarea.o"), "-o",
                  self.folder / "zqvqall.o")
        self.redact(self.record(self.folder / "zqvqall.o"))

    def test_paths_alone(self):
        recording = self.record(*self.c_program("gcc", "-g"), "-lm")
        report = self.redact(recording, "paths", (b"zqvqmain", b"zqvqvault", b"zqvqnever_was", b"jitscope-test-"))
        self.assertLessEqual({"zqvqhelper", "zqvqtable", "zqvqarea"}, self.names(report))
        inputs = [row["name"] for row in self.show("inputs", report)]
        self.assertTrue(any(name.startswith("/usr/lib/") for name in inputs))
        archive = next(name for name in inputs if name.endswith(".a") and not name.startswith("/usr"))
        self.assertRegex(archive, r"/libp\w{8}\.a$")
        self.assertTrue(any(re.fullmatch(re.escape(archive) + r"\(p\w{7}\.o\)", name) for name in inputs), inputs)

    def test_names_alone(self):
        recording = self.record(*self.c_program("gcc", "-g"))
        report = self.redact(recording, "names", (b"zqvqtable", b"zqvqcounter", b"zqvqside"))
        self.assertIn(str(self.folder / "libzqvqvault.a"), [row["name"] for row in self.show("inputs", report)])

    def test_debug_information_is_the_same_but_for_names(self):
        """Read by readelf: the tree of entries, and where their code is."""
        recording = self.record(*self.c_program("gcc", "-g", "-O1"))
        report = self.redact(recording)
        trees = []
        for each in (recording, report):
            image = self.folder / "image.elf"
            self.must(JITSCOPE, "export", "--to", "elf", "-o", image, each)
            out = self.must("readelf", "--debug-dump=info", image).out.decode()
            trees.append(re.findall(r"^ *<\w+><\w+>: Abbrev.*|^.*DW_AT_(?:low_pc|high_pc|type|decl_line|location) .*$", out, re.M))
        self.assertGreater(len(trees[0]), 100)
        self.assertEqual(*trees)

    def test_shared_ends(self):
        """A string table that holds one name in the end of another: pseudonyms do the same."""
        self.text("ends.s", "".join(f".globl {name}\n{name}: ret\n" for name in
                                    ("zqvqartefact", "zqvqfact", "my_zqvqartefact", "q_zqvqartefact", "zqvqputs")) +
                  ".globl main\nmain: ret\n")
        self.must("as", self.folder / "ends.s", "-o", self.folder / "ends.o")
        table = self.must("readelf", "-p", ".strtab", self.folder / "ends.o").out.decode()
        self.assertEqual(len(re.findall("zqvqartefact", table)), 2)  # it has no place of its own
        recording = self.record(self.folder / "ends.o", command="link", name="ends.jsr")
        report = self.redact(recording, marks=(b"zqvq",))
        by_address = [{row["address"]: row["name"] for row in self.show("symbols", each) if row["state"] == "defined"}
                      for each in (recording, report)]
        new = {name: by_address[1][address] for address, name in by_address[0].items() if name}
        self.assertTrue(any(new[name].endswith(new["zqvqartefact"]) for name in ("my_zqvqartefact", "q_zqvqartefact")), new)
        self.assertEqual(len(set(new.values())), len(new))
        for name, other in new.items():
            self.assertEqual(len(name), len(other))

    def test_a_name_that_must_stay_keeps_its_end(self):
        """puts is the C library's; `uts` lies in its bytes and cannot be called otherwise."""
        self.text("kept.s", ".globl uts\nuts: ret\n.globl zqvqx\nzqvqx: ret\n.globl main\nmain: cmp $99,%edi\n jne 1f\n call puts\n1: xor %eax,%eax\n ret\n")
        self.must("as", self.folder / "kept.s", "-o", self.folder / "kept.o")
        recording = self.record(self.folder / "kept.o")
        report = self.redact(recording, marks=(b"zqvqx",))
        self.assertLessEqual({"uts", "puts", "main"}, self.names(report))
        self.assertRegex(self.manifest, r"(?m)^ +1  names that share their bytes with something that is kept$")

    def test_short_names_are_all_different(self):
        """All names of one letter, and many of two."""
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
        names = [*letters, *(a + b for a in letters for b in letters + "0123456789")]
        text = "".join(f".globl {name}\n{name}: .long {i}\n" for i, name in enumerate(names))
        self.text("short.s", ".data\n" + text + ".text\n.globl main\nmain: ret\n")
        self.must("as", self.folder / "short.s", "-o", self.folder / "short.o")
        recording = self.record(self.folder / "short.o", command="link")
        report = self.report(recording, "--redact=names")
        self.same_graph(recording, report)
        new = [row["name"] for row in self.show("symbols", report) if len(row["name"]) <= 2 and row["name"]]
        self.assertEqual((len(new), len(set(new))), (len(names), len(names)))

    def test_what_stays_is_said(self):
        text = """
__attribute__((section("zqvqsection"))) int zqvqthere = 1;
extern int __start_zqvqsection[], __stop_zqvqsection[];
int puts(const char *);
int main(void) { return __stop_zqvqsection - __start_zqvqsection - zqvqthere + !puts("x"); }
"""
        recording = self.record(self.compile(text, "-g", "-gz", name="zqvqkept.o"))
        report = self.report(recording, "--redact=paths,names")
        self.same_graph(recording, report)
        for kind in ("compressed debug sections, whole", "section names that name no symbol", "paths of the system",
                     "names that compilers and linkers reserve", "names that shared libraries define or want"):
            self.assertIn(kind, self.manifest)
            self.assertIn(kind, self.said)
        self.assertIn("zqvqsection", {row["name"] for row in self.show("sections", report)})
        self.assertNotIn("zqvqthere", self.names(report))

    def test_a_link_that_failed(self):
        main = self.compile("int zqvqmissing(void);\nint main(void) { return zqvqmissing(); }\n", name="zqvqfails.o")
        recording = self.record(main, status=1)
        report = self.redact(recording)
        error = next(row["error"] for row in self.show("events", report) if row["event"] == "link_end")
        self.assertIn(next(name for name in self.names(report) if re.fullmatch(r"n\w{10}", name)), error)

    def test_options_with_names(self):
        """--define, -u, -L, -l, a linker script with a comment, a library that is not there."""
        main = self.compile("extern int zqvqplace;\nint zqvqin_lib(void);\nint zqvqdeep(void);\n"
                            "int main(void) { return zqvqin_lib() + zqvqdeep() - 3 + !&zqvqplace; }\n", name="zqvqmain.o")
        self.archive("libzqvqone.a", self.compile("int zqvqin_lib(void) { return 1; }\nint zqvqrooted;\n", name="zqvqone.o"))
        self.archive("libzqvqtwo.a", self.compile("int zqvqdeep(void) { return 2; }\n", name="zqvqtwo.o"))
        script = self.text("zqvqscript.ld", "/* the zqvqsecret */\nEXTERN(zqvqrooted)\nGROUP ( libzqvqtwo.a AS_NEEDED ( -lzqvqone ) )\n")
        recording = self.record("--define", "zqvqplace=0x10000", "-u", "zqvqrooted", "-L", self.folder, main, script, "-lzqvqone")
        self.redact(recording)
        recording = self.record(main, "-lzqvqnowhere", status=1)
        self.redact(recording)

    def test_a_shared_library_of_ones_own(self):
        """What it provides keeps its names, which is said; its own name does not."""
        library = self.folder / "libzqvqown.so"
        source = self.text("lib.c", "int provided_by_it(int x) { return x + 1; }\nstatic int zqvqlocal(int x) { return x; }\n"
                                    "int (*pointer_in_it)(int) = zqvqlocal;\n")
        self.must("gcc", "-g", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", source, "-o", library)
        main = self.compile("int provided_by_it(int);\nint main(void) { return provided_by_it(-1); }\n", name="zqvqmain.o")
        report = self.redact(self.record(main, library))
        self.assertIn("provided_by_it", self.names(report))
        self.assertIn("names that shared libraries define or want", self.manifest)

    def test_an_embedding_program(self):
        """Several links in threads, one unloaded."""
        objects = [self.compile(f"int zqvqdata_{n} = 1;\nint zqvqcall_{n}(void) {{ return zqvqdata_{n}; }}\n", "-g", name=f"zqvq{n}.o")
                   for n in "abc"]
        recording = self.folder / "many.jsr"
        self.must(RECORD_LINKS, recording, "end", objects[0], objects[1], "-", objects[2])
        self.redact(recording)

    def test_a_library_as_it_is(self):
        """Lua's own names, from a copy that is not the system's."""
        library = self.folder / "libzqvqlua.a"
        library.write_bytes(LUA.read_bytes())
        host = self.compile("../../demo/host.c", "-O2", "-I/usr/include/lua5.4", name="zqvqhost.o")
        script = self.text("hello.lua", "print(1)\n")
        recording = self.record(host, library, "-lm", "--", script)
        report = self.report(recording, "--redact=paths,names")
        self.same_graph(recording, report)
        old = {row.split()[-1] for row in self.must("nm", LUA).out.decode().splitlines() if re.search(" [TtDdRr] ", row)}
        left = {name for name in old & self.names(report) if not name.startswith((".L", "__"))}
        libc = self.must("nm", "-D", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6").out.decode()
        self.assertEqual({name for name in left if not re.search(rf" {re.escape(name)}(@|$)", libc, re.M)}, set())
        self.assertGreater(len(old), 500)


if __name__ == "__main__":
    unittest.main()
