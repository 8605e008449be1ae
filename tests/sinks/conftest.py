"""What the tests of the sinks build on."""

from collections.abc import Callable
from typing import Any

import pytest

from shadow.model import Finding


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """Makes a finding; keywords replace what it says."""

    def make(**says: Any) -> Finding:
        usual: dict[str, Any] = {
            "id": "f1",
            "kind": "mutant",
            "fault": "F205",
            "severity": "high",
            "title": "a request without its signature is accepted",
            "endpoint": "GET /v1/x/{id}",
            "where": ("status",),
            "mutator": "drop_signature",
            "edits": ("dropped header 'x-signature'",),
            "expect": "reject",
            "why": "",
            "exchanges": (1,),
            "count": 1,
            "control": {"status": 200},
            "answer": {"status": 200},
            "baseline": None,
            "confirmed": "5/5",
            "reproduce": {"curl": "curl http://h/", "raw_base64": "", "seed": 7},
        }
        return Finding(**(usual | says))

    return make
