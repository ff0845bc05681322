"""What a source hands over: bytes, and what is known about how they came."""

from enum import StrEnum

import msgspec


class Source(StrEnum):
    """Where a payload came from."""

    POLL = "poll"
    MQTT = "mqtt"
    PUSH = "push"
    IMPORT = "import"
    UPGRADE = "upgrade"


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes from a node, unparsed.

    Instants are epoch seconds UTC (see docs/architecture.md for why not datetime).
    """

    data: bytes
    source: Source
    #: Who delivered it, for the operator: the polled address, the topic, the file's name.
    address: str
    #: When it arrived, by our own clock.
    received_at: int
    #: Name of a format in `isems.formats`; None: find out from the bytes.
    format_hint: str | None = None
    #: What is wrong with the way it came: then it is not read, but kept as rejected.
    problem: str | None = None
    #: Node id known from the way it came (a topic, a URL); None: it is in the bytes.
    node_hint: str | None = None
    #: The only nodes that may speak this way, where the way does not name one itself; None: all.
    allowed_nodes: frozenset[str] | None = None
    #: False for anything that may have waited on its way: retained, backlog, a file.
    is_live: bool = True
    #: It may have waited in a broker's queue, behind what the node published before it and ahead of what came later.
    is_queued: bool = False
    #: The broker says that it sent it before.
    is_redelivered: bool = False
    #: It waited here until our own clock was right: what came after it may be known already.
    has_waited: bool = False
    #: The sender's own clock at `received_at` (the `Date` header of a router's web server).
    sender_time: int | None = None
