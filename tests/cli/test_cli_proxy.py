"""Which tap `shadow proxy` runs, and what it costs to start."""

import subprocess
import sys

import pytest

_SCRIPT = """
import sys, warnings
warnings.simplefilter("ignore")
from shadow.cli.proxy import _front
from shadow.config import Settings
print(type(_front(Settings(front=sys.argv[1]))).__name__, "mitmproxy" in sys.modules)
"""


@pytest.mark.parametrize(
    ("front", "said"), [("mitm", "InlineTap True"), ("light", "FrontTap False")], ids=["mitm", "light"]
)
def test_mitmproxy_is_imported_for_its_own_front_alone(front: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, front], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == said
