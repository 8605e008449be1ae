"""Metrics that the documents and the deployment name are those that are served, and the reverse."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shadow.sinks.prometheus import Metrics

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.run.mitm_script import OPTIONS

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*"))
    if path.is_file()
)
NAME = re.compile(r"(?<![\w:/-])shadow_[a-z0-9_]+(?![\w(])")
"""A rule that is recorded bears a level and a colon before its name, and is no metric of ours."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("", "_bucket", "_sum", "_count")}


def served() -> Iterator[str]:
    """Every name that a query may use."""
    registry = CollectorRegistry()
    Metrics(registry, "1.0")
    for family in registry.collect():
        yield from (family.name + suffix for suffix in SUFFIXES[family.type])


def addon_options() -> set[str]:
    """What may be set of the addon for mitmproxy, whose options bear our name too."""
    return {name for name, *_ in OPTIONS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_metric_that_is_named_is_served(path: Path) -> None:
    assert set(NAME.findall(path.read_text(encoding="utf-8"))) <= {*served(), *addon_options()}


def test_every_option_of_the_addon_is_described() -> None:
    text = (ROOT / "docs" / "mitmdump.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(shadow_[a-z0-9_]+)` \|", text, re.MULTILINE)) == addon_options()


def test_every_metric_that_is_served_is_described() -> None:
    described = set(NAME.findall((ROOT / "docs" / "output.md").read_text(encoding="utf-8")))
    suffixed = ("_bucket", "_sum", "_count")
    assert {name for name in served() if not name.endswith(suffixed)} <= described
