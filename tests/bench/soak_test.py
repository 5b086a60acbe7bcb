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
                found = soak.looks(PROGRAM, CYCLES, way, seed)
                self.assertEqual([look["cycles"] for look in found], [CYCLES // 100, CYCLES // 10, CYCLES, CYCLES])
                self.assertEqual(list(soak.growth(found, way)), [])

    def test_one_session(self):
        self.check("session")

    def test_many_sessions(self):
        self.check("sessions")

    def test_names(self):
        self.check("names")


if __name__ == "__main__":
    unittest.main()
