"""jitscope in lldb: names on demand, commands, marks in backtraces.

What is not said to lldb is in jitscope_common.
"""
