"""What every scheme does whose parts stand at places that the settings name."""

from collections.abc import Mapping

from shadow.auth.place import Place
from shadow.auth.stamp import read_time
from shadow.model import Request


class Placed:
    """Reads, replaces and takes away the parts of a signature. A part of `shadow.model.Signs`."""

    def __init__(self, places: Mapping[str, Place], timestamp_format: str) -> None:
        self._places = places
        self._timestamp_format = timestamp_format

    def places(self, request: Request | None = None) -> dict[str, str]:  # noqa: ARG002 - the same for all
        return {part: place.name for part, place in self._places.items()}

    def read(self, request: Request, part: str) -> bytes | None:
        place = self._places.get(part)
        return None if place is None else place.read(request)

    def put(self, request: Request, part: str, value: bytes) -> Request | None:
        place = self._places.get(part)
        return None if place is None else place.put(request, value)

    def bare(self, request: Request) -> Request:
        for place in self._places.values():
            request = place.drop(request)
        return request

    def stated_time(self, request: Request) -> float | None:
        stated = self.read(request, "timestamp")
        return None if stated is None else read_time(stated, self._timestamp_format)
