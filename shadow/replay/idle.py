"""Connections kept open between two exchanges, by lane."""

from collections import OrderedDict
from time import monotonic

from shadow.replay.connection import Connection


class IdleConnections:
    """At most `capacity` kept connections, owned until taken; the one unused for longest makes room."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lane_of: OrderedDict[Connection, str] = OrderedDict()
        """The longest unused first."""
        self._of_lane: dict[str, list[Connection]] = {}

    def put(self, connection: Connection, lane: str) -> None:
        """Keep `connection` for later exchanges of `lane`."""
        if self.capacity < 1:
            connection.abort()
            return
        connection.park()
        self._lane_of[connection] = lane
        self._of_lane.setdefault(lane, []).append(connection)
        if len(self._lane_of) > self.capacity:
            oldest = next(iter(self._lane_of))
            self._remove(oldest)
            oldest.abort()

    def take(self, lane: str, *, idle_seconds_max: float, is_careful: bool) -> Connection | None:
        """The connection of `lane` used last, if it is younger than that and, with care, seen to be alive.

        A look at the socket costs a system call, so it is left out where a dead connection does no harm.
        """
        while lane in self._of_lane:
            connection = self._of_lane[lane][-1]
            self._remove(connection)
            is_fresh = monotonic() - connection.idle_since <= idle_seconds_max
            if connection.is_open and is_fresh and not (is_careful and connection.has_unread()):
                return connection
            connection.abort()
        return None

    def clear(self) -> None:
        """Close all of them."""
        for connection in self._lane_of:
            connection.abort()
        self._lane_of.clear()
        self._of_lane.clear()

    def _remove(self, connection: Connection) -> None:
        lane = self._lane_of.pop(connection)
        siblings = self._of_lane[lane]
        siblings.remove(connection)
        if not siblings:
            del self._of_lane[lane]
