#!/usr/bin/python3
"""Makes a picture of a program's screen, as a terminal of 256 colours shows it.

    picture.py FILE.png [--size 100x30] [--do STEP]... -- COMMAND...

Steps are done in order: wait=TEXT until the screen shows TEXT, gone=TEXT until it does not, key=NAME ("PgDn", "^D", "x"),
type=TEXT.  When it has been silent for a moment the screen is drawn, and the program's terminal hung up.
"""
import argparse
import sys
import unicodedata

from PIL import Image, ImageDraw, ImageFont

from terminal_harness import Pty, colour_index

FONTS = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono"
HEIGHT, MARGIN = 15, 10  # of letters, and around the screen, in pixels
FORE, BACK = (0xd8, 0xd8, 0xd8), (0x1a, 0x1b, 0x20)
SYSTEM = ["000000", "cd3131", "0dbc79", "c8a228", "2472c8", "bc3fbc", "11a8cd", "d0d0d0",
          "666666", "f14c4c", "23d18b", "f5f543", "3b8eea", "d670d6", "29b8db", "ffffff"]


def palette(index):
    """xterm's: 16 of the user's, a cube of 6 by 6 by 6, 24 greys."""
    if index < 16:
        return tuple(bytes.fromhex(SYSTEM[index]))
    if index >= 232:
        return (8 + 10 * (index - 232),) * 3
    steps = (0, 95, 135, 175, 215, 255)
    return tuple(steps[(index - 16) // size % 6] for size in (36, 6, 1))


def colours(cell):
    fore, back = colour_index(cell.fg), colour_index(cell.bg)
    fore = FORE if fore is None else palette(fore)
    back = BACK if back is None else palette(back)
    return (back, fore) if cell.reverse else (fore, back)


class Picture:
    def __init__(self, terminal):
        self.plain = ImageFont.truetype(f"{FONTS}.ttf", HEIGHT)
        self.bold = ImageFont.truetype(f"{FONTS}-Bold.ttf", HEIGHT)
        self.width = round(self.plain.getlength("M"))
        self.height = sum(self.plain.getmetrics())
        size = (terminal.screen.columns * self.width + 2 * MARGIN, terminal.screen.lines * self.height + 2 * MARGIN)
        self.image = Image.new("RGB", size, BACK)
        self.draw = ImageDraw.Draw(self.image)
        cells = [(row, column, terminal.screen.buffer[row][column])
                 for row in range(terminal.screen.lines) for column in range(terminal.screen.columns)]
        self.pairs = {colours(cell) for _, _, cell in cells}
        for row, column, cell in cells:  # grounds first: letters may reach into their neighbours
            self.draw.rectangle(self.box(row, column), fill=colours(cell)[1])
        for row, column, cell in cells:
            self.letter(row, column, cell)
        if terminal.cursor():
            self.draw.rectangle(self.box(*terminal.cursor()), outline=FORE)

    def box(self, row, column):
        x, y = MARGIN + column * self.width, MARGIN + row * self.height
        return x, y, x + self.width - 1, y + self.height - 1

    def letter(self, row, column, cell):
        x, y, right, bottom = self.box(row, column)
        fore = colours(cell)[0]
        if cell.data.strip() and not unicodedata.combining(cell.data[0]):
            self.draw.text((x, y), cell.data, font=self.bold if cell.bold else self.plain, fill=fore)
        if cell.underscore:
            self.draw.line((x, bottom - 1, right, bottom - 1), fill=fore)

    def save(self, path):
        """With a palette, as the file then takes a third: the colours of cells, and steps between them for edges of letters."""
        steps = max(2, 256 // len(self.pairs))
        colours_used = [round(fore + (back - fore) * step / (steps - 1)) for pair in sorted(self.pairs)[:128]
                        for step in range(steps) for fore, back in zip(*pair)]
        palette = Image.new("P", (1, 1))
        palette.putpalette(colours_used)
        self.image.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def do(terminal, step):
    kind, _, text = step.partition("=")
    if kind == "wait":
        terminal.wait_text(text)
    elif kind == "gone":
        terminal.wait_for(lambda: text not in terminal.text(), f"{text!r} to be gone")
    elif kind == "key":
        terminal.keys(text)
    elif kind == "type":
        terminal.send(text)
    else:
        sys.exit(f"picture.py: what is {step!r}?")


def settle(terminal):
    """A frame may be half there, and another follow when the program knows more."""
    seen = -1
    while seen < len(terminal.raw):
        seen = len(terminal.raw)
        terminal.pump(0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", metavar="FILE.png")
    parser.add_argument("--size", default="100x30", help="COLUMNSxROWS")
    parser.add_argument("--do", action="append", default=[], metavar="STEP", dest="steps")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args()
    columns, rows = map(int, options.size.split("x"))
    with Pty(options.command, rows=rows, columns=columns) as terminal:
        for step in options.steps:
            do(terminal, step)
        settle(terminal)
        Picture(terminal).save(options.picture)


if __name__ == "__main__":
    main()
