"""Debian's large archives: programs linked with them do in memory what they do when the system's linker links them.

Archives take all their code into memory, so extension modules that are shared libraries get what the interpreter
defines from there; `-rdynamic` lets them find it.  A table of all is printed at the end.  What is not compared: addresses in Fortran's backtraces (it is told to make none),
and Python's sys.executable, which follows from argv[0].
"""
import glob
import itertools
import os
import re
import shutil
import signal
import unittest

from executor import OutOfProcess
from harness import INPUTS, LIBRARIES, SystemTest, WITH_SANITIZER
from table import Table

TABLE = Table("Debian's archives")
COMPILERS = [name for name in ("gcc", "clang", "clang-19", "clang-22") if shutil.which(name)]
EACH_WAY = list(itertools.product(COMPILERS, (("-O0", "-fPIC"), ("-O2", "-fPIE"))))
ONCE_EACH = [EACH_WAY[i] for i in range(len(EACH_WAY)) if i % 4 in (0, 3)]
LINKS = os.path.abspath(os.environ.get("LINKS", "build/dev/tests/system/system-links"))
FOLDERS = glob.glob("/usr/lib/gcc/x86_64-linux-gnu/[0-9]*")
GCC = max(FOLDERS, key=lambda folder: int(folder.rsplit("/", 1)[1]))
PYTHON = "/usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11-pic.a"
# gcc's runtime libraries as archives, with the unwinder in one of them: nothing of them is a shared library's.
STATIC_RUNTIME = ["-nodefaultlibs"]
RUNTIME = ["-lm", "-lgcc", "-l:libgcc_eh.a", "-lc"]


def gcc_archive(name):
    return f"{GCC}/{name}.a"


class Archives(SystemTest):
    def main(self, source, compiler, flags):
        return self.compile(f"archives/{source}", *flags, compiler=compiler)

    def each(self, title, source, archives, status, ways=tuple(EACH_WAY), more=(), libraries=(), arguments=(),
             **options):
        """The program SOURCE with ARCHIVES, compiled each way; returns what the last one did."""
        for compiler, flags in ways:
            with self.subTest(compiler=compiler, flags=flags):
                main = self.main(source, compiler, (*flags, *more))
                outcome = TABLE.same(self, title, compiler, flags, [main, *archives], libraries, arguments, **options)
                self.assertEqual(outcome.status, status, outcome)
        return outcome

    def test_libcrypto(self):
        out = self.each("libcrypto.a", "crypto.c", [LIBRARIES / "libcrypto.a"], 7, ONCE_EACH).out
        self.assertIn(b"sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n", out)
        self.assertIn(b"aes-gcm 42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                      b"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\n"
                      b"tag 5bc94fbc3221a5db94fae95ae7121a47\nopened 1 0\nforged 0\n", out)

    def test_rsa(self):
        """A key generated in memory signs the same in both programs."""
        main, archive, key = self.main("crypto.c", "gcc", ("-O2",)), LIBRARIES / "libcrypto.a", self.folder / "key.pem"
        self.assertEqual(self.jitscope("run", main, archive, "--", "generate", key).status, 7)
        outcome = TABLE.same(self, "libcrypto.a, RSA", "gcc", ("-O2",), [main, archive], (), ["sign", key])
        self.assertIn(b"verified 1, another text 0\n", outcome.out)

    def test_libssl(self):
        out = self.each("libssl.a", "tls.c", [LIBRARIES / "libssl.a", LIBRARIES / "libcrypto.a"], 8, ONCE_EACH[:2]).out
        self.assertIn(b"TLSv1.3", out)
        self.assertIn(b"over there\n", out)

    def test_libstdcxx(self):
        archives, more = [gcc_archive("libstdc++")], ["-std=c++20", "-w"]
        ways = (EACH_WAY[0], EACH_WAY[-1])
        outcome = self.each("libstdc++.a", "library.cpp", archives, 6, ways, more, RUNTIME, stdin=b"a\nb", linker="g++",
                            link_flags=STATIC_RUNTIME)
        self.assertEqual(outcome.err, b"to stderr\nlog\n")
        self.assertIn(b"from a thread\n", outcome.out)
        compiler, flags = ways[-1]
        outcome = TABLE.same(self, "libstdc++.a, uncaught", compiler, flags, [self.folder / "library.o", *archives], RUNTIME,
                             ["why"], linker="g++", link_flags=STATIC_RUNTIME, dies=True)
        self.assertEqual(outcome.status, self.ended_by(signal.SIGABRT))
        self.assertIn(b"what():  why\n", outcome.err)

    def test_replaced_operator_new(self):
        """It is that of libstdc++'s own code too, as that is in memory."""
        source = self.text("replaced.cpp", """
            #include <cstdlib>
            #include <iostream>
            static int live, mine = 0x1234;
            void *operator new(std::size_t size) {
                auto *header = static_cast<std::size_t *>(std::malloc(size + 16));
                live++;
                header[0] = mine;
                return header + 2;
            }
            void operator delete(void *memory) noexcept {
                auto *header = static_cast<std::size_t *>(memory) - 2;
                if (header[0] != static_cast<std::size_t>(mine))
                    std::_Exit(1);
                live--;
                std::free(header);
            }
            void operator delete(void *memory, std::size_t) noexcept { operator delete(memory); }
            int main() {
                { std::string text; for (int i = 0; i < 100; i++) text += "abc"; std::cout << text.size() << "\\n"; }
                return live + 3;
            }
            """)
        outcome = TABLE.same(self, "libstdc++.a, operator new", "gcc", ("-O2",), [self.compile(str(source), "-O2")],
                             ["-l:libstdc++.a", "-lm"], linker="g++")
        self.assertEqual((outcome.status, outcome.out), (3, b"300\n"))

    def test_libgfortran(self):
        archives, more = [gcc_archive("libgfortran"), gcc_archive("libquadmath")], ["-fno-backtrace"]
        for flags in (("-O0", "-fPIC"), ("-O2", "-fPIE")):
            main = self.folder / "numbers.o"
            self.must("gfortran", *flags, *more, "-c", INPUTS / "archives/numbers.f90", "-o", main)
            for arguments, status, text in ((), 9, b"ERROR STOP 9"), (("twice",), 2, b"Attempt to DEALLOCATE unallocated"):
                outcome = TABLE.same(self, "libgfortran.a, libquadmath.a", "gfortran", flags, [main, *archives], RUNTIME,
                                     arguments, link_flags=STATIC_RUNTIME)
                self.assertEqual(outcome.status, status)
                self.assertIn(text, outcome.err)
        self.assertIn(b"0.333333333333333333333333333333333317", outcome.out)

    def test_fortrans_backtrace(self):
        """The unwinder that was linked finds its own frames and those of the program."""
        main = self.folder / "numbers.o"
        self.must("gfortran", "-O0", "-c", INPUTS / "archives/numbers.f90", "-o", main)
        outcome = self.jitscope("run", main, gcc_archive("libgfortran"), gcc_archive("libquadmath"), *RUNTIME)
        self.assertEqual(outcome.status, 9)
        self.assertIn(b"\n#4  0x", outcome.err)

    def test_libgomp(self):
        # What clang emits calls its own libomp, of which Debian has no archive.
        ways = [("gcc", flags) for _, flags in EACH_WAY[:2]]
        outcome = self.each("libgomp.a", "openmp.c", [gcc_archive("libgomp")], 3, ways, ["-fopenmp"])
        self.assertTrue(outcome.out.endswith(b"49995000 987 410 4\n"))

    def test_libatomic(self):
        self.assertEqual(self.each("libatomic.a", "atomic.c", [gcc_archive("libatomic")], 4, more=["-w"]).out,
                         b"1\n1\n4\nfour 1\n")

    def test_libobjc(self):
        # clang brings no headers of libobjc, gcc's are beside its own.
        ways = [(compiler, flags) for compiler, flags in EACH_WAY if compiler == "clang"]
        outcome = self.each("libobjc.a", "objects.m", [gcc_archive("libobjc")], 6, ways,
                            ["-fobjc-runtime=gcc", "-idirafter", f"{GCC}/include"])
        self.assertEqual(outcome.out, b"6 Counter 1\n")

    def test_libitm(self):
        ways = [("gcc", flags) for _, flags in EACH_WAY[:2]]
        self.assertEqual(self.each("libitm.a", "transaction.c", [gcc_archive("libitm")], 5, ways, ["-fgnu-tm"]).out,
                         b"60000 40000\n")

    def test_an_unwinder_of_an_earlier_link(self):
        """It is told of links before and after its own, and forgets them when either goes.  What libgcc_eh.a defines is
        hidden, so the third link takes an unwinder of its own, for what it resumes."""
        before = self.compile("""
            int before(int (*function)(void)) { return function() + 1; }
            """, "-fPIC", "-fexceptions", name="before.o")
        thrower = self.text("thrower.cpp", """
            extern "C" int before(int (*)(void));
            extern "C" int thrower() { throw 17; }
            extern "C" int first() { try { return before(thrower); } catch (int n) { return n; } }
            """)
        catcher = self.text("catcher.cpp", """
            extern "C" int before(int (*)(void)), thrower();
            extern "C" int second() { try { return before(thrower); } catch (int n) { return n + 1; } }
            """)
        objects = [self.compile(str(path), "-fPIC") for path in (thrower, catcher)]
        runtime = ",".join([str(objects[0]), gcc_archive("libsupc++"), gcc_archive("libgcc_eh")])
        # What libsupc++ has put aside for throwing without memory it never gives back, not when its batch goes, either.
        kept = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        outcome = self.must(LINKS, "links.jsr", before, runtime, ".first", objects[1], ".second", "-3", ".first", "-2", runtime,
                            ".first", "-4", "-1", env=kept)
        self.assertEqual(outcome.out, b"first 17\nsecond 18\nfirst 17\nfirst 17\n")
        actions = [row for row in self.show("actions", self.folder / "links.jsr") if "unwinder" in row["function"]]
        self.assertEqual([(row["link"], row["half"], row["function"], row["result"]) for row in actions],
                         [(link, half, name, "ok") for link in (2, 3, 4)
                          for half, name in (("finalize", "adopt-unwinder"), ("deallocate", "dismiss-unwinder"))])


PYTHON_SCRIPTS = {
    "modules": (0, r"""
import hashlib, json, re, collections, io, pickle, itertools, math, struct
print(json.dumps({"a": [1, 2.5, None], "b": "\u00e9"}, indent=1), json.loads("[1e3, true]"))
print(re.sub(r"(\w+)@(\w+)", r" ", "me@here you@there"), re.findall(r"(?<=a)b+", "abb cab"))
print(hashlib.sha256(b"abc").hexdigest(), hashlib.blake2b(b"x").hexdigest(), hashlib.sha3_256(b"q").hexdigest())
print(pickle.loads(pickle.dumps(collections.Counter("hello"))), math.gamma(5.5), struct.pack("<dq", 1.5, -2))
print(list(itertools.permutations(range(3))), f"{1/3:.17g}", 2**200, (1+2j)**0.5)
"""),
    "threads": (0, r"""
import threading, queue
results, where = queue.Queue(), threading.local()
def work(n):
    where.n = n
    for i in range(1000):
        assert where.n == n
    results.put(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(results.get() for _ in threads), hasattr(where, "n"))
"""),
    "exceptions": (0, r"""
class Mine(Exception):
    pass
def deep(n):
    return deep(n + 1)
try:
    deep(0)
except RecursionError as error:
    print(error)
try:
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise Mine("from") from error
except Mine as error:
    print(repr(error), repr(error.__cause__))
try:
    raise ExceptionGroup("two", [ValueError(1), Mine(2)])
except* ValueError as group:
    print(group.exceptions)
except* Mine as group:
    print(group.exceptions)
"""),
    "uncaught": (1, "def f():\n    raise ValueError('nobody catches this')\nf()"),
    "sys.exit": (77, "import sys, atexit; atexit.register(print, 'at exit'); sys.exit(77)"),
    "exit with a text": (1, "raise SystemExit('the text')"),
    "interrupted": (-signal.SIGINT, "import os, signal; os.kill(os.getpid(), signal.SIGINT)"),
    "processes": (0, r"""
import os, subprocess
print(subprocess.run(["echo", "said"], capture_output=True).stdout, flush=True)
child = os.fork()
if child == 0:
    os._exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""),
}

EXTENSIONS = r"""
import ssl, ctypes, decimal, sqlite3, asyncio, lzma, sys
context = ssl.create_default_context()
print(ssl.OPENSSL_VERSION, context.verify_mode)
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
print(ctypes.CDLL(None).abs(-3), callback(4), ctypes.pythonapi.PyLong_AsLong(ctypes.py_object(7)))
print(decimal.Decimal(1) / 3, sqlite3.connect(":memory:").execute("select 1 + 1").fetchall())
print(asyncio.run(asyncio.sleep(0, "slept")), lzma.decompress(lzma.compress(b"x" * 1000))[:3])
sys.exit(3)
"""


class Python(SystemTest):
    archive = PYTHON
    libraries = ["-lexpat", "-lz", "-lm"]
    ways = EACH_WAY
    link_flags = ()
    checks = """
            *{8}got(malloc) == malloc && *{8}got(stderr) == stderr
            size(PyExc_ValueError) == 8 && *{8}PyExc_ValueError != 0
            section_size(.text) > 1000000 && defined(Py_BytesMain) && !defined(Py_NoSuchName)
            """

    def run_script(self, name, status, script, way=0, options=()):
        compiler, flags = self.ways[way]
        main = self.compile("archives/python.c", *flags, "-I/usr/include/python3.11", compiler=compiler)
        return TABLE.same(self, f"{os.path.basename(self.archive)}, {name}", compiler, flags, [main, self.archive],
                          [*self.libraries, *options], ["-I", "-c", script], self.link_flags, dies=status < 0)

    def test_scripts(self):
        for (name, (status, script)), way in zip(PYTHON_SCRIPTS.items(), itertools.cycle(range(len(self.ways)))):
            with self.subTest(name=name):
                outcome = self.run_script(name, status, script, way)
                self.assertEqual(outcome.status, status if status >= 0 else self.ended_by(-status), outcome)
                self.assertTrue(outcome.out or outcome.err)

    def test_extension_modules(self):
        """Modules that are shared libraries take the interpreter's names from the program: it is linked with -rdynamic."""
        outcome = self.run_script("-rdynamic, extension modules", 3, EXTENSIONS, 1, ["-rdynamic"])
        self.assertEqual(outcome.status, 3, outcome)
        self.assertTrue(outcome.out.startswith(b"OpenSSL 3"))

    def test_extension_modules_without_names(self):
        outcome = self.run_script("an extension module without -rdynamic", 1, "import _ctypes")
        self.assertEqual(outcome.status, 1, outcome)
        self.assertIn(b"undefined symbol: Py", outcome.err)

    def test_checks(self):
        main = self.compile("archives/python.c", *self.ways[-1][1], "-I/usr/include/python3.11")
        checks = self.text("checks", self.checks)
        outcome = self.jitscope("run", "--check", checks, main, self.archive, *self.libraries, "--", "-I", "-c", "print(6)")
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"6\n", b""))


@unittest.skipIf(WITH_SANITIZER, "the runtime of a sanitizer must come before all libraries of a program")
class PythonWithoutPic(OutOfProcess, Python):
    """The same archive compiled with -fno-pic: it wants the C library's data below 2 GiB, where a copy lies in an executor
    that is started for it."""
    archive = PYTHON.replace("-pic", "")
    ways = list(itertools.product(COMPILERS, (("-O0", "-fno-pic"), ("-O2", "-fno-pic"))))
    link_flags = ("-no-pie",)
    checks = """
            stderr < 0x80000000 && stdout < 0x80000000
            Py_BytesMain < 0x80000000 && PyExc_ValueError < 0x80000000
            section_size(.text) > 500000 && !defined(Py_NoSuchName)
            """

    def run_command(self, *command, **options):
        """What ended the other process is told in jitscope's words and with a shell's status."""
        outcome = super().run_command(*command, **options)
        told = re.search(rb"jitscope: the executor was killed by signal (\d+) \(.*\)\n\Z", outcome.err)
        if told and outcome.status == 128 + int(told[1]):
            outcome.status, outcome.err = -int(told[1]), outcome.err[:told.start()]
        return outcome

    def test_it_is_not_pic(self):
        relocations = self.must("readelf", "-rW", self.archive).out
        self.assertGreater(relocations.count(b"R_X86_64_32"), 10000)
        self.assertRegex(relocations, rb"R_X86_64_PC32 .* stderr - 4")


if __name__ == "__main__":
    unittest.main()
