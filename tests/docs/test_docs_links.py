"""What the documents point to exists: files, headings, and places in the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
BLOCK = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(r"`((?:[a-z0-9_]+/)+(?:[a-z0-9_]+\.[a-z]+)?)`")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors that a heading gets when Markdown is shown on the web."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for link in LINK.findall(prose(document)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{name(document)}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{name(document)}: {link} has no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_place_in_the_code_that_is_named_exists(document: Path) -> None:
    for place in PLACE.findall(prose(document)):
        assert any((base / place).exists() for base in (ROOT, ROOT / "shadow", document.parent)), (
            f"{name(document)}: {place} is nowhere"
        )


def test_every_document_is_linked_to_from_another() -> None:
    """What no other document names is not found by anyone."""
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in LINK.findall(prose(document))
        if "://" not in link and not link.startswith("#")
    }
    in_docs = {path for path in DOCUMENTS if path.parent == ROOT / "docs"}
    assert in_docs <= linked
