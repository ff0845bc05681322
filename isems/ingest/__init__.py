"""One payload becomes stored rows: parse, judge the times, insert. Whatever cannot be stored is kept as rejected."""

from isems.ingest.arrival import Arrival, read_payload
from isems.ingest.result import IngestResult
from isems.ingest.storing import ingest, ingest_all, store_all, store_payloads
from isems.ingest.waiting import WaitingInput, judge_undecided, settle_expired

__all__ = [
    "Arrival",
    "IngestResult",
    "WaitingInput",
    "ingest",
    "ingest_all",
    "judge_undecided",
    "read_payload",
    "settle_expired",
    "store_all",
    "store_payloads",
]
