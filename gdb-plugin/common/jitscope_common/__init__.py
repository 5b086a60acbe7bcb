"""What the plug-ins for gdb and lldb share: all that is not said to a debugger.

layout.py reads debuggee.h, debuggee.py the target by it, through a Target that each plug-in makes of its debugger; tables.py,
why.py, recording.py, cfi.py, marks.py and interest.py work on what these yield.
"""
