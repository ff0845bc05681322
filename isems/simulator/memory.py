"""What a node remembers at an instant: its log since the last boot."""

from collections.abc import Iterator

from isems.simulator.faults import POWER_CYCLE, Fault, faulty_line, own_time
from isems.simulator.lines import Record, can_skip, session_lines
from isems.simulator.nodes import NodeSpec, Program
from isems.simulator.records import records_before
from isems.simulator.sessions import Session, Timeline

#: A router moves its log to the archive once it has so many lines.
ROTATION_LINES = 3660
BOARD_LINES = 5


class NodeMemory:
    """A node's log, brought up to an instant and extended from there, never made anew while time moves on.

    What it holds is a function of the instant alone: it makes no difference when it was first asked.
    """

    def __init__(self, spec: NodeSpec, fault: Fault | None = None) -> None:
        self.spec = spec
        self.fault = fault
        #: The session at the last instant asked for; None: the node is without power.
        self.session: Session | None = None
        self.timeline = Timeline(spec, POWER_CYCLE if fault is Fault.REBOOT else None)
        self._source: Iterator[Record] = iter(())
        self._pending: Record | None = None
        self._kept: list[Record] = []
        self._count = 0
        self._at = 0

    def advance(self, at: int) -> Session | None:
        """Bring the log to an instant (epoch seconds); gives the running session."""
        if self.session is None or not self.session.boot <= at < self.session.end or at < self._at:
            self._restart(at)
        self._at = at
        while self._pending is not None and self._pending[0] <= at:
            self._kept.append(self._pending)
            self._count += 1
            self._pending = next(self._source, None)
        self._forget()
        return self.session

    def log(self) -> list[Record]:
        """Give the lines in the current log; empty where the router has none (yet, or just after a rotation)."""
        part = self._count % ROTATION_LINES if self._is_router else min(self._count, BOARD_LINES)
        return self._shown(self._kept[len(self._kept) - part :])

    def archive(self) -> list[Record]:
        """Give the lines of a router's archive; empty before the first rotation."""
        if not self._is_router or self._count < ROTATION_LINES:
            return []
        end = len(self._kept) - self._count % ROTATION_LINES
        return self._shown(self._kept[end - ROTATION_LINES : end])

    def newest(self) -> Record | None:
        """Give the newest record of this session; None before the first."""
        return self._shown(self._kept[-1:])[0] if self._kept else None

    def own_time(self, at: int) -> int:
        """Give what the node's own clock shows at an instant of the running session."""
        return own_time(self.spec, self.fault, self.session, at) if self.session else at

    @property
    def _is_router(self) -> bool:
        return self.spec.program is Program.ROUTER

    def _restart(self, at: int) -> None:
        self._kept, self._count, self._source = [], 0, iter(())
        self.session = self.timeline.session(at)
        if self.session is not None:
            self._count = self._unneeded(self.session, at)
            self._source = session_lines(self.spec, self.timeline.season(at), self.session, self._count)
        self._pending = next(self._source, None)

    def _unneeded(self, session: Session, at: int) -> int:
        """How many records of the session are in no log any more, and need not be made."""
        if not can_skip(self.spec):
            return 0
        made = records_before(self.spec, session, at)
        if self._is_router:
            return max(0, made // ROTATION_LINES - 1) * ROTATION_LINES
        return max(0, made - BOARD_LINES)

    def _forget(self) -> None:
        keep = ROTATION_LINES + self._count % ROTATION_LINES if self._is_router else BOARD_LINES
        if len(self._kept) > keep:
            del self._kept[: len(self._kept) - keep]

    def _shown(self, kept: list[Record]) -> list[Record]:
        """The records as this node's fault prints them, with its own clock's times."""
        session, spec, fault = self.session, self.spec, self.fault
        if session is None or fault is None:
            return kept
        return [(own_time(spec, fault, session, at), faulty_line(spec, fault, session, at, line)) for at, line in kept]
