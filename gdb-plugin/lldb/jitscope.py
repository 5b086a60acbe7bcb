"""jitscope's plug-in for lldb:

    (lldb) command script import .../share/jitscope/lldb/jitscope.py
"""
import os
import sys

import lldb

OLDEST = 19


def major_version():
    word = lldb.SBDebugger.GetVersionString().split()[2]
    digits = word.split(".")[0]
    return int(digits) if digits.isdigit() else OLDEST


def __lldb_init_module(debugger, _dictionary):
    global commands, frames, loader  # by these names lldb finds what it calls: jitscope.commands.Why
    if major_version() < OLDEST:
        print(f"jitscope: this is {lldb.SBDebugger.GetVersionString().splitlines()[0]}, the plug-in needs {OLDEST} or newer; "
              "names and lines of JIT'd code work without it.")
        return
    folder = os.path.dirname(os.path.realpath(__file__))
    for path in (folder, os.path.join(os.path.dirname(folder), "common")):
        if path not in sys.path:
            sys.path.insert(0, path)
    from jitscope_lldb import commands, frames, loader
    for part in (loader, commands, frames):
        part.install(debugger)
