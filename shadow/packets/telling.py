"""What a campaign found, as files: findings, a summary, and each culprit as a capture."""

import struct
import time
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from shadow.model import Expect, Finding, Found, Kind
from shadow.packets.campaign import Campaign, Culprit
from shadow.packets.health import Health
from shadow.sinks.folder import Folder
from shadow.sinks.ledger import Ledger
from shadow.sinks.lines import finding_line, json_line

_LINKTYPE_RAW = 101
_FAULTS = {Health.GONE: "crash", Health.HUNG: "hang"}
_WHATS_MAX = 20


def finding_of(culprit: Culprit, *, where: str, seed: int) -> Finding:
    """The finding that `culprit` makes at ``"udp port 5300"``."""
    first = culprit.made[0]
    fault = _FAULTS[culprit.health]
    is_single = len(culprit.made) == 1
    mutator = first.mutator if is_single else "several"
    is_on_both = culprit.baseline not in (None, Health.WELL)
    why = f"the service is {culprit.health.value} after {first.what}"
    if not is_single:
        why = (
            f"the service is {culprit.health.value} after packets {first.number} to {culprit.made[-1].number}"
        )
    if culprit.baseline is not None:
        why += "; so is the baseline" if is_on_both else "; the baseline lives"
    packets = [packet for made in culprit.made for packet in made.packets]
    return Finding(
        id=sha256(f"packets\x1f{fault}\x1f{mutator}\x1f{where}".encode()).hexdigest()[:12],
        kind=Kind.NETWORK.value,
        fault=fault,
        severity="medium" if is_on_both else "high",
        title=f"{fault} on {where} ({mutator})",
        endpoint=where,
        where=("packet",),
        mutator=mutator,
        edits=tuple(f"{each.number} {each.mutator}: {each.what}" for each in culprit.made[:_WHATS_MAX]),
        expect=Expect.SURVIVE.value,
        why=why,
        exchanges=(),
        count=1,
        control=None,
        answer={"class": "hung" if culprit.health is Health.HUNG else "down"},
        baseline=None if culprit.baseline is None else {"class": culprit.baseline.value},
        confirmed=f"{culprit.confirmed}/{culprit.tried}",
        reproduce={"curl": None, "raw_base64": b64encode(b"".join(packets)).decode(), "seed": seed},
        endpoints=(where,),
    )


def write(
    folder: Folder, campaign: Campaign, findings: Iterable[Finding], *, run: str, seed: int, started_at: float
) -> dict[str, Any]:
    """Write the output folder; the summary. Raises OSError."""
    found = list(findings)
    ledger = Ledger()
    for each in found:
        ledger.hear(Found(each))
    seconds = round(time.time() - started_at, 3)
    summary = ledger.summary(run, seed, started_at, seconds) | {
        "packets": dict(sorted(campaign.sent.items())),
        "looks": campaign.looks,
        "stopped": campaign.stopped,
    }
    folder.replace("findings.jsonl", b"".join(map(finding_line, found)))
    for finding, culprit in zip(found, campaign.culprits, strict=True):
        packets = [packet for made in culprit.made for packet in made.packets]
        folder.replace(f"packets-{finding.id}.pcap", capture(packets))
    folder.replace("summary.json", json_line(summary))
    return summary


def capture(packets: Iterable[bytes]) -> bytes:
    """A pcap file of IP packets, a millisecond apart."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, _LINKTYPE_RAW)
    records = (
        struct.pack("<IIII", at // 1000, at % 1000 * 1000, len(packet), len(packet)) + packet
        for at, packet in enumerate(packets)
    )
    return header + b"".join(records)
