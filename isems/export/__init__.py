"""Measurements for other programs: which rows, and in what form."""

from isems.export.encoding import CSV, NDJSON, TextFormat, write_csv_text, write_number
from isems.export.files import write_file
from isems.export.pieces import Piece, Selection, choose, read_pieces

__all__ = [
    "CSV",
    "NDJSON",
    "Piece",
    "Selection",
    "TextFormat",
    "choose",
    "read_pieces",
    "write_csv_text",
    "write_file",
    "write_number",
]
