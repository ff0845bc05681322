"""Every record of a node in a span of time, and whole histories as files."""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from isems.simulator.lines import Record, can_skip, first_and_period, session_lines
from isems.simulator.nodes import NodeSpec
from isems.simulator.sessions import Season, Session, Timeline

_LINES_A_WRITE = 4096
_PLAIN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})


@lru_cache(maxsize=32)
def _timeline(spec: NodeSpec) -> Timeline:
    return Timeline(spec)


def records(spec: NodeSpec, start: int, end: int) -> Iterator[Record]:
    """Give (true epoch seconds, CSV line without newline) of every record a node makes in [start, end).

    A record depends on nothing but the node and its time: not on `start`, not on what was asked before.
    """
    for season, session in _timeline(spec).sessions(start, end):
        for record in lines_from(spec, season, session, start):
            if record[0] >= end:
                return
            yield record


def lines_from(spec: NodeSpec, season: Season, session: Session, start: int) -> Iterator[Record]:
    """Give a session's records from `start` (epoch seconds) on."""
    lines = session_lines(spec, season, session, records_before(spec, session, start) if can_skip(spec) else 0)
    for record in lines:
        if record[0] >= start:
            yield record
            break
    yield from lines


def records_before(spec: NodeSpec, session: Session, at: int) -> int:
    """Give how many records a session certainly made before an instant (at most two fewer than it did)."""
    first, period = first_and_period(spec)
    return max(0, int((at - session.boot - first) / period) - 1)


def write_history(
    mesh: Sequence[NodeSpec],
    start: int,
    end: int,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write each node's records of [start, end) to ``<number>-<name>.log.gz`` in `folder`; give the files.

    `progress` is called with the nodes done and their number. Same mesh and span: same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for done, spec in enumerate(mesh, start=1):
        paths.append(folder / f"{spec.index:03d}-{safe_name(spec.name)}.log.gz")
        _write_log(paths[-1], records(spec, start, end))
        progress(done, len(mesh))
    return paths


def safe_name(name: str) -> str:
    """Spell a node's name with letters, digits and hyphens that any file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name.translate(_PLAIN)).strip("-") or "node"


def _write_log(path: Path, lines: Iterator[Record]) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
        batch: list[str] = []
        for _, line in lines:
            batch.append(line)
            if len(batch) == _LINES_A_WRITE:
                file.write(("\n".join(batch) + "\n").encode())
                batch.clear()
        if batch:
            file.write(("\n".join(batch) + "\n").encode())
