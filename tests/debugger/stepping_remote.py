"""The stepping tests with the executor as the inferior: a table of the ways to it and of the tests that are run by each."""
import sys
import unittest

import stepping_c
import stepping_cpp
import stepping_far
import stepping_forms
import stepping_life
import stepping_matrix
from remote_harness import Attached, Followed, Served, ServedAttached, Started

STEPPING, THROWING, EVENTS, LATE = stepping_c.Stepping, stepping_cpp.Throwing, stepping_life.Events, stepping_life.Late
TABLE = {
    Started: (STEPPING, THROWING, EVENTS, LATE),
    Served: (STEPPING, THROWING, EVENTS),
    Attached: (STEPPING, THROWING, EVENTS),
    ServedAttached: (THROWING, EVENTS),
}
# What a breakpoint on a name finds that the linker does not have.
FOLLOWED = ("test_step_next_finish_until", "test_conditional_breakpoint", "test_watchpoint")
# With the argument "all": half an hour.
MORE = (LATE, stepping_matrix.GccPlain, stepping_matrix.ClangOptimised, stepping_forms.Forms, stepping_far.Far)


def cases(way, test, names=None):
    made = type(f"{way.__name__}{test.__name__}", (way, test), {})
    names = names or unittest.defaultTestLoader.getTestCaseNames(made)
    return unittest.TestSuite(made(name) for name in names)


def load_tests(_loader, _tests, _pattern):
    suite = unittest.TestSuite(cases(way, test) for way, tests in TABLE.items() for test in tests)
    suite.addTest(cases(Followed, STEPPING, FOLLOWED))
    if "all" in sys.argv:
        suite.addTests(cases(way, test) for way, tests in TABLE.items() for test in (STEPPING, *MORE) if test not in tests)
    return suite


if __name__ == "__main__":
    unittest.main(argv=[word for word in sys.argv if word != "all"])
