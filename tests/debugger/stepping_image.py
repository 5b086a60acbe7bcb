"""The debug image as a file, cut out of a live process: every tool that reads ELF and DWARF is content with it."""
import re
import shutil
import unittest

from stepping_harness import SteppingTest, after, line, mark
from stepping_forms import FIRST, PROGRAM, SECOND

# What must print nothing on stderr, and nothing that looks like a complaint.
READERS = [["readelf", "-aW"], ["readelf", "-wi"], ["readelf", "-wl"], ["readelf", "-wf"], ["readelf", "-wraoRmNKL"],
           ["eu-readelf", "-a"], ["eu-readelf", "-w"], ["objdump", "-W"], ["nm"], ["eu-nm"], ["llvm-dwarfdump", "--verify"],
           ["llvm-dwarfdump", "--debug-info", "--debug-line", "--debug-frame"], ["llvm-readelf", "-aW"]]
# The function of a COMDAT group that lost is at 0, as lld has it too.
KNOWN = {"--verify": ["error: DIE address ranges are not contained in its parent's ranges:", "status 1"]}
DUMP = ["set $entry = __jit_debug_descriptor.first",
        "dump binary memory image.elf $entry->symfile $entry->symfile+$entry->size"]
FORMS = ["-gdwarf-5", "-gdwarf-4", "-gdwarf-2", "-gdwarf-5 -O2", "-gdwarf-4 -O2 -ffunction-sections", "-g3", "-g -gz=zlib",
         "-gdwarf-4 -fdebug-types-section", "-gdwarf-5 -fdebug-types-section", "-g -gsplit-dwarf",
         "-g -fno-asynchronous-unwind-tables", ""]


class Image(SteppingTest):
    def cut_out(self, function, *inputs):
        (self.folder / "image.elf").unlink(missing_ok=True)
        self.run_gdb([f"break {function}", "run", *DUMP], *inputs)
        self.assertTrue((self.folder / "image.elf").exists())

    def complaints(self, words, file):
        done = self.run_command(*words, file)
        texts = (done.out + done.err).decode(errors="replace").split("\n")
        found = [re.sub(r"0x[0-9a-f]+|[0-9a-f]{6,}", "N", text).replace(file, "FILE") for text in texts
                 if re.search("warning|error:", text, re.I)]
        return found + ([f"status {done.status}"] if done.status else [])

    def check_readers(self, linker, *inputs):
        """Nothing is said that is not said of the same objects linked by the system's linker."""
        self.must(linker, *inputs, "-o", "native")
        for words in READERS:
            if not shutil.which(words[0]):
                continue
            found = self.complaints(words, "image.elf")
            if found:
                self.assertLessEqual(set(found), {*self.complaints(words, "native"), *KNOWN.get(words[-1], ())}, words)

    def address_of(self, name):
        out = self.must("nm", "image.elf").out.decode()
        return re.search(rf"^([0-9a-f]+) \w {name}$", out, re.M)[1]

    def test_forms(self):
        self.source("program.c", PROGRAM)
        for compiler in ("gcc", "clang"):
            for flags in FORMS:
                if compiler == "clang" and "-gdwarf-2" in flags:
                    continue
                with self.subTest(compiler=compiler, flags=flags):
                    self.cut_out("j_area", self.build("program.c", *flags.split(), compiler=compiler))
                    self.check_readers("gcc", "program.o")
                    place = self.must("addr2line", "-f", "-e", "image.elf", self.address_of("j_area")).out.decode()
                    self.assertEqual(place.split("\n")[0], "j_area")
                    out = self.gdb(["set confirm off", "add-symbol-file image.elf", mark("file"), "info symbol j_area",
                                    "info line j_second", "info scope j_area"])
                    self.assertIn("j_area in section .text", after(out, "file"))
                    self.assertClean(out)
                    if flags:
                        self.assertRegex(place, r"program.c:\d+\n$")
                        self.assertRegex(after(out, "file"), r'Line \d+ of "program.c" starts at address [^ ]+ <j_second(\+\d+)?>')
                        self.assertIn("Symbol area is ", after(out, "file"))

    def test_several_objects(self):
        self.source("first.cpp", FIRST)
        self.source("second.cpp", SECOND)
        for flags in ("-gdwarf-5", "-gdwarf-4 -fdebug-types-section", "-gdwarf-5 -O2"):
            with self.subTest(flags):
                self.build("first.cpp", *flags.split())
                self.build("second.cpp", *flags.split())
                self.cut_out("j_other", "first.o", "second.o", "-l", "stdc++")
                self.check_readers("g++", "first.o", "second.o")
                place = self.must("addr2line", "-fCe", "image.elf", self.address_of("_Z7j_otheri")).out.decode()
                self.assertRegex(place, r"^j_other\(int\)\n.*second.cpp:\d+\n$")

    def test_one_debugger_is_enough(self):
        """The file alone: values of constants, types, disassembly's lines need no process."""
        self.source("program.c", PROGRAM)
        self.cut_out("j_area", self.build("program.c", "-g"))
        out = self.gdb([mark("types"), "ptype struct j_box", "print J_GREEN", f"info line program.c:{line(PROGRAM, 'scale')}"],
                       options=("image.elf",))
        self.assertIn("int width;", after(out, "types"))
        self.assertIn("$1 = J_GREEN", after(out, "types"))
        self.assertIn("<j_area+", after(out, "types"))


if __name__ == "__main__":
    unittest.main()
