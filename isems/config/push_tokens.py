"""Who may push: tokens, each alone or before the nodes that it may speak for."""

import re
from hashlib import sha256
from unicodedata import category
from urllib.parse import unquote

import msgspec

from isems.config.values import split

#: Letters that stand in a URL as they are, and enough of them that nobody guesses them.
PUSH_TOKEN = re.compile(r"[A-Za-z0-9_.~-]{16,128}")
MAX_NODE_BYTES = 255


class PushToken(msgspec.Struct, frozen=True):
    """Who knows the text with this digest may push. The text itself is kept nowhere, so that nothing can show it."""

    digest: bytes
    #: The nodes that it may speak for; none: for all.
    nodes: frozenset[str] = frozenset()


def parse_push_tokens(text: str) -> tuple[PushToken, ...]:
    """Read entries, each a token or a token and a node; raises ValueError with the place of a wrong one, never its text."""
    bound: dict[bytes, set[str]] = {}
    free = set()
    for number, entry in enumerate(split(text), 1):
        token, separator, node = entry.partition("=")
        token = token.strip()
        if not PUSH_TOKEN.fullmatch(token):
            raise ValueError(_expected_entry(number, "a token of 16 to 128 of the characters A-Z a-z 0-9 - _ . ~"))
        digest = digest_token(token)
        bound.setdefault(digest, set())
        if separator:
            bound[digest].add(_node_of(node, number))
        else:
            free.add(digest)
        if digest in free and bound[digest]:
            raise ValueError(_expected_entry(number, "a token that stands either alone or before node ids, not both"))
    return tuple(PushToken(digest, frozenset(nodes)) for digest, nodes in bound.items())


def digest_token(token: str) -> bytes:
    """Give what a token is known by."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _node_of(text: str, number: int) -> str:
    try:
        node = unquote(text.strip(), errors="strict")
    except UnicodeDecodeError:
        node = ""
    if not 1 <= len(node.encode("utf-8", "surrogatepass")) <= MAX_NODE_BYTES or any(map(_is_control, node)):
        raise ValueError(_expected_entry(number, f"a node id of 1 to {MAX_NODE_BYTES} bytes of UTF-8 after the ="))
    return node


def _is_control(character: str) -> bool:
    return category(character) in ("Cc", "Cs")


def _expected_entry(number: int, expected: str) -> str:
    return f"entries 'token' or 'token=node id', separated by commas or line ends: in entry {number} {expected}"
