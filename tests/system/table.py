"""A table of inputs, compilers and flags: how big each link was, how long it took, and whether the program did the same.

A file of tests makes a Table, its tests add rows, and the table is printed when the file's tests are done, whatever came
of them (`ctest -V` shows it):

    TABLE = Table("Debian's archives")
    class Archives(SystemTest):
        def test_this(self):
            outcome = TABLE.same(self, "libthis.a", "gcc", ("-O2", "-fPIC"), [main, archive], ["-lm"])

Table.same() links and runs twice as SystemTest.same() does and adds the row; Table.row() adds one that a test knows all about.
"""
import atexit
import re

COLUMNS = ("input", "compiler", "flags", "objects", "relocations", "link ms", "same as native")
# What `jitscope run --stats` prints before the program prints anything.
STATISTICS = re.compile(rb"\Ainputs .*?^link +([0-9.]+) ms\n(?:executor +\d+ messages so far\n)?", re.DOTALL | re.MULTILINE)


class Statistics:
    """The counts of one link, taken from the head of its standard error."""

    def __init__(self, text=b""):
        found = STATISTICS.match(text)
        self.size = found.end() if found else 0
        head = text[:self.size].decode()
        counts = re.findall(r"(\d+) (?:objects?|archive members?)\b", head.split("\n")[0])
        self.objects = sum(map(int, counts)) if found else ""
        self.relocations = int(re.search(r"(\d+) edges\n", head)[1]) if found else ""
        self.ms = f"{float(found[1]):.1f}" if found else ""


class Table:
    def __init__(self, title):
        self.title, self.rows = title, []
        atexit.register(self.print)

    def row(self, input, compiler, flags, objects="", relocations="", ms="", same="yes"):
        """flags are words; same is "yes" or says what is different."""
        self.rows.append([str(cell) for cell in (input, compiler, " ".join(flags), objects, relocations, ms, same)])

    def same(self, test, input, compiler, flags, inputs, libraries=(), arguments=(), link_flags=(), **options):
        """SystemTest.same() with a row of its own; what is different fails the test behind the row.  link_flags are for the
        system's linker alone."""
        statistics = []

        def measured(outcome):
            statistics.append(Statistics(outcome.err))
            outcome.err = outcome.err[statistics[0].size:]

        same = "no"
        try:
            outcome = test.same(inputs, libraries, arguments, measured=measured, flags=link_flags, **options)
            same = "yes"
            return outcome
        finally:
            done = statistics[0] if statistics else Statistics()
            self.row(input, compiler, flags, done.objects, done.relocations, done.ms, same)

    def print(self):
        lines = [COLUMNS, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
        print(f"\n{self.title}")
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
