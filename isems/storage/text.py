"""Foreign text as a column: file names, headers and topics may hold what no database takes."""

from typing import Any

from sqlalchemy import Text, TypeDecorator


class PlainText(TypeDecorator[str]):
    """Text in which NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 lacks, are spelt out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Any) -> str | None:
        """Spell out on the way in; what is read back is what was stored."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
