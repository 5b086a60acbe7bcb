"""jitscope's plug-in for gdb.  `jitscope gdb` loads it, and so does gdb itself for an installed jitscope; by hand:

    (gdb) source .../share/jitscope/gdb/jitscope.py

Nothing above the version check needs more than the oldest Python in gdb.
"""
import os
import sys

import gdb

OLDEST = 12


def major_version():
    digits = gdb.VERSION.split(".")[0]
    return int(digits) if digits.isdigit() else OLDEST


def load():
    if major_version() < OLDEST:
        gdb.write("jitscope: this is gdb " + gdb.VERSION + ", the plug-in needs " + str(OLDEST) +
                  " or newer; names and lines of JIT'd code work without it.\n")
        return
    # Not __file__: gdb leaves that of an outer script when one script sources another.
    folder = os.path.dirname(os.path.realpath(load.__code__.co_filename))
    for path in (folder, os.path.join(os.path.dirname(folder), "common")):
        if path not in sys.path:
            sys.path.insert(0, path)
    import jitscope_gdb
    jitscope_gdb.install()


# Sourced twice, for instance by `jitscope gdb` and by auto-load: the first time counts, and is told of an old gdb.
if not getattr(gdb, "jitscope_loaded", False):
    gdb.jitscope_loaded = True
    load()
