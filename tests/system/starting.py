"""What the programs take with them when they start: each library, and each question to the processor, is felt in short runs."""
import os
import pathlib
import re
import unittest

from harness import JITSCOPE, WITH_SANITIZER, SystemTest

EXECUTOR = pathlib.Path(JITSCOPE).with_name("jitscope-executor")


@unittest.skipIf(WITH_SANITIZER, "a sanitizer brings libraries of its own")
class Start(SystemTest):
    def needed(self, program):
        said = self.must("readelf", "--wide", "--dynamic", program).out.decode()
        return sorted(re.findall(r"\(NEEDED\).*\[(.*)\]", said))

    def archive_of(self, library):
        return os.path.isabs(self.must("gcc", f"-print-file-name={library}").out.decode().strip())

    def test_libraries(self):
        """zlib and zstd are in the program, where they can be."""
        programs = [EXECUTOR] + [JITSCOPE] * (self.archive_of("libz.a") and self.archive_of("libzstd.a"))
        for program in programs:
            with self.subTest(program=program):
                self.assertEqual(self.needed(program), ["ld-linux-x86-64.so.2", "libc.so.6"])

    def test_the_processor_is_not_asked_again(self):
        """What __builtin_cpu_supports() reads is filled in before main()."""
        for program in (JITSCOPE, EXECUTOR):
            with self.subTest(program=program):
                symbols = self.must("nm", program).out.decode().split()
                self.assertIn("main", symbols)
                self.assertNotIn("__cpu_indicator_init", symbols)


if __name__ == "__main__":
    unittest.main()
