"""One payload becomes stored rows: parse, judge the times, insert. Whatever cannot be stored is kept as rejected."""

from isems.ingest.arrival import Arrival, read_payload
from isems.ingest.result import IngestResult
from isems.ingest.storing import ingest, ingest_all, store_all, store_payloads
from isems.ingest.waiting import judge_undecided

__all__ = [
    "Arrival",
    "IngestResult",
    "ingest",
    "ingest_all",
    "judge_undecided",
    "read_payload",
    "store_all",
    "store_payloads",
]
