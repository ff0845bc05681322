"""Push tokens stand in the path, because boards can send them nowhere else: so paths are shown without them."""

import logging
import re
from typing import Any


def _spelt(text: str) -> str:
    """A pattern for a text whose characters may each be percent-encoded."""
    return "".join(f"(?:{re.escape(character)}|%{ord(character):02x})" for character in text)


#: Also of wrong tokens: they are often right ones with a slip.
TOKEN = re.compile(rf"({_spelt('/push')}(?:{_spelt('/')})+)[^/?#\s\"'<>]+", re.IGNORECASE)
#: Who writes paths into the log: the servers of `flask run` and `isems serve`, and Flask itself, by our name.
LOGGERS = ("werkzeug", "waitress", "isems")


def redact(text: str) -> str:
    """Give a text with paths in it without the tokens in these."""
    return TOKEN.sub(r"\1***", text)


def redact_event(event: Any, _hint: Any = None) -> Any:
    """Redact every text in an error report: the address asked for stands in several places."""
    if isinstance(event, str):
        return redact(event)
    if isinstance(event, dict):
        return {key: redact_event(value) for key, value in event.items()}
    if isinstance(event, list | tuple):
        return [redact_event(value) for value in event]
    return event


class _Redactor(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a slip in a library, which logging itself would forgive too
            message, record.args = str(record.msg), ()
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_REDACTOR = _Redactor()


def redact_logs() -> None:
    """Let no server's log show a token. What loggers below these say themselves is our own, and holds none."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_REDACTOR)  # a second time changes nothing
