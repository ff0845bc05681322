"""What an MQTT topic tells: which node, and in which format (docs/wire-formats.md, MQTT)."""

from collections.abc import Sequence
from typing import NamedTuple

#: The last level of a topic -> name of a format.
FORMATS = {"csvlog": "csv_log", "data.json": "node_json"}


class Topic(NamedTuple):
    """The node that a topic names, and the format of what comes there."""

    node: str
    format: str


def filters_of(prefixes: Sequence[str], group: str | None = None) -> list[str]:
    """Give what to subscribe to: everything below a prefix that no other one covers, since nodes' ids may hold slashes.

    With a group the broker gives each message to one of its members.
    """
    shortest = [one for one in prefixes if not any(one != other and one.startswith(other) for other in prefixes)]
    shared = f"$share/{group}/" if group else ""
    return [f"{shared}{prefix}#" for prefix in dict.fromkeys(shortest)]


def read_topic(topic: str, prefixes: Sequence[str]) -> Topic | None:
    """Tell node and format; None where the topic is no node's.

    The longest prefix that fits is cut off; the node is what lies between it and the last level.
    """
    prefix = max((one for one in prefixes if topic.startswith(one)), key=len, default=None)
    if prefix is None:
        return None
    node, _, last = topic[len(prefix) :].rpartition("/")
    return Topic(node, FORMATS[last]) if node and last in FORMATS else None
