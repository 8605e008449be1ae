"""The judge: what differs for a reason, what that means, and which cause it has. Pure."""

from shadow.judge.causes import Causes, Record, Sighting
from shadow.judge.classes import classify, is_cut, is_unwell
from shadow.judge.evidence import Evidence
from shadow.judge.fewest import Search, fewest, next_proposal
from shadow.judge.fingerprint import Cause, causes_of, signature
from shadow.judge.following import further_answers
from shadow.judge.likeness import Likeness, likeness
from shadow.judge.minimise import Less, Shrinking, new_body, new_text, shrink
from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.judge.oracle import aftermath, judge
from shadow.judge.places import template
from shadow.judge.regression import Witnesses, judge_original, regressions
from shadow.judge.report import finding, message
from shadow.judge.reproduce import curl
from shadow.judge.severity import is_at_least, is_breakage, severity_of
from shadow.judge.talks import class_of_talk, judge_talk

__all__ = [
    "Cause",
    "Causes",
    "Evidence",
    "Less",
    "Likeness",
    "Noise",
    "NoiseSettings",
    "Record",
    "Search",
    "Shrinking",
    "Sighting",
    "Witness",
    "Witnesses",
    "aftermath",
    "causes_of",
    "class_of_talk",
    "classify",
    "curl",
    "fewest",
    "finding",
    "further_answers",
    "is_at_least",
    "is_breakage",
    "is_cut",
    "is_unwell",
    "judge",
    "judge_original",
    "judge_talk",
    "likeness",
    "message",
    "new_body",
    "new_text",
    "next_proposal",
    "regressions",
    "severity_of",
    "shrink",
    "signature",
    "template",
]
