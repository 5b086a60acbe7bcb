"""What the programs take with them when they start: each library, and each question to the processor, is felt in short runs."""
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

    def test_libraries(self):
        """Besides the C library what unpacks inputs; all else is loaded when it is wanted."""
        own = ["ld-linux-x86-64.so.2", "libc.so.6"]
        for program, libraries in ((EXECUTOR, own), (JITSCOPE, [*own, "libz.so.1", "libzstd.so.1"])):
            with self.subTest(program=program):
                self.assertEqual(self.needed(program), libraries)

    def test_the_processor_is_not_asked_again(self):
        """What __builtin_cpu_supports() reads is filled in before main()."""
        for program in (JITSCOPE, EXECUTOR):
            with self.subTest(program=program):
                symbols = self.must("nm", program).out.decode().split()
                self.assertIn("main", symbols)
                self.assertNotIn("__cpu_indicator_init", symbols)


if __name__ == "__main__":
    unittest.main()
