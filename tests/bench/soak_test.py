"""Linking, running and unloading leaves nothing behind, 2,000 times over."""
import os
import pathlib
import unittest

import soak

PROGRAM = pathlib.Path(os.environ["BENCH_PROGRAMS"]) / "bench_soak"
CYCLES = 2000


class Soak(unittest.TestCase):
    def check(self, way):
        for seed in (1, 2):
            with self.subTest(seed=seed):
                for place, found in enumerate(soak.looks(PROGRAM, CYCLES, way, seed)):
                    marks = [CYCLES // 100, CYCLES // 10, CYCLES, 0 if place else CYCLES]
                    self.assertEqual([look["cycles"] for look in found], marks)
                    self.assertEqual(list(soak.growth(found, way, place)), [])

    def test_one_session(self):
        self.check("session")

    def test_many_sessions(self):
        self.check("sessions")

    def test_names(self):
        self.check("names")

    def test_another_process(self):
        self.check("executor")


if __name__ == "__main__":
    unittest.main()
