"""Why a line or payload could not be stored. Nothing is dropped in silence: it is kept with one of these."""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """The finite list of reasons; the sentence for people is `Rejected.detail`."""

    NO_FORMAT = "no_format"
    FIELD_COUNT = "field_count"
    REVISION = "revision"
    NODE_NAME = "node_name"
    #: A line names another node than the topic, path or token that it came by.
    NODE_FOREIGN = "node_foreign"
    TOPIC = "topic"
    ENCODING = "encoding"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    TIME_UNREADABLE = "time_unreadable"
    NO_TIME = "no_time"
    TIME_SKIPPED = "time_skipped"
    VALUE_UNREADABLE = "value_unreadable"
    PLACEHOLDER = "placeholder"
    CLOCK_UNSET = "clock_unset"
    CLOCK_AHEAD = "clock_ahead"
    CONFLICT = "conflict"
    NODE_LIMIT = "node_limit"
    #: The raw data of its time were pruned.
    OLDER_THAN_KEPT = "older_than_kept"


class Rejected(msgspec.Struct, frozen=True):
    """One piece of input that was not stored, as it came."""

    raw: bytes
    reason: Reason
    #: One English sentence: what was found, what was expected.
    detail: str
    #: The node it claims to be from, where that could be read.
    node: str | None = None
