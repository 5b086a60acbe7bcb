#!/usr/bin/python3
"""Prints widths.def, from Python's copy of the Unicode Character Database: inspector/src/grid/widths.py > widths.def"""
import unicodedata

HEAD = """/* widths.def: RANGE(first, last, columns), the characters that do not take one column: 2, or 0 when grids show them
 * escaped.  All others take one.  Made by widths.py from the Unicode Character Database %s; what is not assigned there
 * belongs to the range before it.
 *
 * Escaped are: controls, format characters, surrogates, private use, and separators of lines; marks that combine, for
 * terminals do not agree on their width; letters written from right to left, and Arabic numbers, because a terminal
 * that orders them moves the cells beside them; jamo and modifiers of emoji, which join with the character before; circled
 * numbers and hexagrams that some tables call wide and some narrow; and planes and blocks that names have no use for. */"""

ESCAPED = {"Cc", "Cf", "Cs", "Co", "Mn", "Me", "Mc", "Zl", "Zp"}
JOINING = [(0x1160, 0x11ff), (0xd7b0, 0xd7ff), (0x1f3fb, 0x1f3ff)]
DISPUTED = [(0x3248, 0x324f), (0x4dc0, 0x4dff)]
PLANES = [(0, 0xffff), (0x1d400, 0x1d7ff), (0x1f300, 0x1faff), (0x20000, 0x3fffd)]


def columns(code):
    """None: not assigned."""
    character = chr(code)
    if not any(first <= code <= last for first, last in PLANES):
        return 0
    if any(first <= code <= last for first, last in JOINING + DISPUTED):
        return 0
    if unicodedata.category(character) == "Cn":
        return None
    if unicodedata.category(character) in ESCAPED or unicodedata.bidirectional(character) in ("R", "AL", "AN"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def ranges():
    found = []
    for code in range(0x110000):
        value = columns(code)
        if found and (value is None or value == found[-1][2]):
            found[-1][1] = code
        else:
            found.append([code, code, value])
    return [entry for entry in found if entry[2] != 1]


print(HEAD % unicodedata.unidata_version)
line = ""
for first, last, width in ranges():
    text = f"RANGE(0x{first:x}, 0x{last:x}, {width})"
    if len(line) + len(text) > 118:
        print(line)
        line = ""
    line += (" " if line else "") + text
print(line)
