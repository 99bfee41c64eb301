"""Letter shapes drawn by ourselves: a 5x7 dot-matrix table and a stroke table for OCR-like and embossed print.

Dot rows are seven 5-bit numbers from top to bottom. Strokes run on a grid 4 wide and 6 high, y downwards; each pair
of digits is a point "xy", "/" lifts the pen.
"""

from __future__ import annotations

DOTS: dict[str, str] = {
    "0": "0E 11 13 15 19 11 0E",
    "1": "04 0C 04 04 04 04 0E",
    "2": "0E 11 01 02 04 08 1F",
    "3": "1F 02 04 02 01 11 0E",
    "4": "02 06 0A 12 1F 02 02",
    "5": "1F 10 1E 01 01 11 0E",
    "6": "06 08 10 1E 11 11 0E",
    "7": "1F 01 02 04 08 08 08",
    "8": "0E 11 11 0E 11 11 0E",
    "9": "0E 11 11 0F 01 02 0C",
    "A": "0E 11 11 11 1F 11 11",
    "B": "1E 11 11 1E 11 11 1E",
    "C": "0E 11 10 10 10 11 0E",
    "D": "1C 12 11 11 11 12 1C",
    "E": "1F 10 10 1E 10 10 1F",
    "F": "1F 10 10 1E 10 10 10",
    "G": "0E 11 10 17 11 11 0F",
    "H": "11 11 11 1F 11 11 11",
    "I": "0E 04 04 04 04 04 0E",
    "J": "07 02 02 02 02 12 0C",
    "K": "11 12 14 18 14 12 11",
    "L": "10 10 10 10 10 10 1F",
    "M": "11 1B 15 15 11 11 11",
    "N": "11 11 19 15 13 11 11",
    "O": "0E 11 11 11 11 11 0E",
    "P": "1E 11 11 1E 10 10 10",
    "Q": "0E 11 11 11 15 12 0D",
    "R": "1E 11 11 1E 14 12 11",
    "S": "0F 10 10 0E 01 01 1E",
    "T": "1F 04 04 04 04 04 04",
    "U": "11 11 11 11 11 11 0E",
    "V": "11 11 11 11 11 0A 04",
    "W": "11 11 11 15 15 15 0A",
    "X": "11 11 0A 04 0A 11 11",
    "Y": "11 11 11 0A 04 04 04",
    "Z": "1F 01 02 04 08 10 1F",
    "-": "00 00 00 1F 00 00 00",
}

STROKES: dict[str, str] = {
    "0": "10 30 41 45 36 16 05 01 10",
    "1": "10 20 26/06 46 45",
    "2": "00 40 43 03 06 46",
    "3": "00 40 46 06/13 43",
    "4": "00 04 44/33 36",
    "5": "40 00 03 43 46 06",
    "6": "20 00 06 46 43 03",
    "7": "01 00 40 42 23 26",
    "8": "10 30 33 13 10/03 43 46 06 03",
    "9": "46 40 00 03 43",
    "A": "06 02 20 42 46/04 44",
    "B": "00 06 36 45 44 33 03/33 42 41 30 00",
    "C": "41 30 10 01 05 16 36 45",
    "D": "00 06 26 44 42 20 00",
    "E": "40 00 06 46/03 33",
    "F": "40 00 06/03 33",
    "G": "41 30 10 01 05 16 36 45 43 23",
    "H": "00 06/40 46/03 43",
    "I": "10 30/20 26/16 36",
    "J": "10 40/30 35 26 16 05",
    "K": "00 06/40 03 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "O": "20 41 45 26 05 01 20",
    "P": "06 00 30 41 42 33 03",
    "Q": "20 41 45 26 05 01 20/24 46",
    "R": "06 00 30 41 42 33 03/23 46",
    "S": "41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40/20 26",
    "U": "00 05 16 36 45 40",
    "V": "00 26 40",
    "W": "00 16 23 36 40",
    "X": "00 46/40 06",
    "Y": "00 23 40/23 26",
    "Z": "00 40 06 46",
    "-": "13 33",
}


def dot_rows(glyph: str) -> list[list[bool]]:
    """Seven rows of five dots, top to bottom, for a digit, capital letter or "-"; KeyError for others."""
    return [[bool(int(row, 16) >> (4 - column) & 1) for column in range(5)] for row in DOTS[glyph].split()]


def stroke_lines(glyph: str) -> list[list[tuple[int, int]]]:
    """Polylines on the 4x6 grid for a digit, capital letter or "-"; KeyError for others."""
    return [[(int(p[0]), int(p[1])) for p in line.split()] for line in STROKES[glyph].split("/")]
