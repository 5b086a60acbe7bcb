"""The stepping tests with the executor as the inferior: a table of the ways to it and of the tests that are run by each."""
import sys
import unittest

import lldb_plain
import lldb_why
import plugin_tables
import plugin_why
import stepping_c
import stepping_cpp
import stepping_far
import stepping_forms
import stepping_life
import stepping_matrix
from remote_harness import Apart, Attached, Followed, Served, ServedAttached, Started

STEPPING, THROWING, EVENTS, LATE = stepping_c.Stepping, stepping_cpp.Throwing, stepping_life.Events, stepping_life.Late
TABLE = {
    Started: (STEPPING, THROWING, EVENTS, LATE),
    Served: (STEPPING, THROWING, EVENTS),
    Attached: (STEPPING, THROWING, EVENTS),
    ServedAttached: (THROWING, EVENTS),
}
# Besides, some of each: a breakpoint that follows must have a name that the linker does not have.
SOME = (
    (Followed, STEPPING, ("test_step_next_finish_until", "test_conditional_breakpoint", "test_watchpoint")),
    (Started, plugin_why.Why, ("test_live", "test_a_name_that_is_gone", "test_no_recording")),
    (Attached, plugin_tables.Tables, ("test_live", "test_gdbserver", "test_core_without_process")),
    (Apart, lldb_plain.Plain, ("test_pending_step_finish", "test_through_cxx_throw", "test_threads", "test_late_attach", "test_run_again")),
    (Apart, lldb_why.Why, ("test_live",)),
)
AGAIN = ("test_run_again", "test_runs_again_with_breakpoints_kept")
# With the argument "all": half an hour.
MORE = (LATE, stepping_matrix.GccPlain, stepping_matrix.ClangOptimised, stepping_forms.Forms, stepping_far.Far)


def cases(way, test, names=None):
    made = type(f"{way.__name__}{test.__name__}", (way, test), {})
    names = names or [name for name in unittest.defaultTestLoader.getTestCaseNames(made)
                      if name not in AGAIN or not issubclass(way, Attached)]  # which is for once
    return unittest.TestSuite(made(name) for name in names)


def load_tests(_loader, _tests, _pattern):
    suite = unittest.TestSuite(cases(way, test) for way, tests in TABLE.items() for test in tests)
    suite.addTests(cases(*row) for row in SOME)
    if "all" in sys.argv:
        suite.addTests(cases(way, test) for way, tests in TABLE.items() for test in (STEPPING, *MORE) if test not in tests)
    return suite


if __name__ == "__main__":
    arguments = [word for word in sys.argv if word != "all"]
    unittest.main(argv=arguments)
