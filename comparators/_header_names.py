"""Which header fields are compared how."""

import re

NOT_COMPARED = frozenset(
    b"connection content-length keep-alive proxy-connection shadow-run shadow-trial te trailer"
    b" transfer-encoding upgrade grpc-accept-encoding grpc-encoding"
    b" age alt-svc cdn-loop cf-cache-status cf-ray nel report-to via x-amz-cf-id x-amz-cf-pop x-cache"
    b" x-cache-hits x-served-by x-timer".split()
)
"""Framing and hop-by-hop fields (RFC 9110 §7.6.1), and what caches add."""

OF_THE_SENDER = frozenset((b"date", b"server"))
"""Who answered, and when: nothing about the answer, but a server that told it goes on telling it."""

VOLATILE = OF_THE_SENDER | frozenset(
    b"b3 cf-request-id request-id retry-after sentry-trace server-timing traceparent tracestate"
    b" uber-trace-id x-amz-id-2 x-amz-request-id x-amzn-requestid x-amzn-trace-id"
    b" x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-cloud-trace-context x-correlation-id"
    b" x-datadog-parent-id x-datadog-trace-id x-envoy-upstream-service-time x-github-request-id"
    b" x-ms-request-id x-process-time x-request-id x-request-start x-response-time x-runtime"
    b" x-served-in x-trace-id".split()
)
"""Fields that differ from answer to answer by design: only their presence is compared."""
_COUNTER = re.compile(rb"(?:x-)?rate-?limit-(?:.{0,40}-)?(?:remaining|reset|used|retry-after)(?:-.{0,40})?")

SETS = frozenset(
    b"accept accept-ch accept-encoding accept-patch accept-post accept-ranges access-control-allow-headers"
    b" access-control-allow-methods access-control-expose-headers allow clear-site-data content-language"
    b" critical-ch timing-allow-origin vary x-robots-tag".split()
)
"""Comma-separated lists whose order means nothing."""
CASE_SENSITIVE = frozenset({b"allow", b"access-control-allow-methods", b"clear-site-data"})

DIRECTIVES = {
    b"cache-control": ",",
    b"cdn-cache-control": ",",
    b"surrogate-control": ",",
    b"content-type": ";",
    b"content-disposition": ";",
    b"permissions-policy": ",",
    b"preference-applied": ",",
    b"priority": ",",
    b"strict-transport-security": ";",
    b"x-xss-protection": ";",
}
"""Fields made of named parts, and what separates these; compared part by part."""

POLICIES = frozenset((b"content-security-policy", b"content-security-policy-report-only", b"feature-policy"))
"""Directives, each with a set of sources (Content Security Policy Level 3 §2.2)."""

CHALLENGES = frozenset((b"www-authenticate", b"proxy-authenticate"))
LIMITS = frozenset((b"ratelimit", b"ratelimit-policy"))
"""Structured lists of limits (draft-ietf-httpapi-ratelimit-headers)."""

DIGESTS = frozenset(b"content-digest content-md5 digest repr-digest x-goog-hash".split())
"""Of the bytes of the body."""
_DIGEST = re.compile(rb"(?:.*-)?(?:md5|sha-?\d+|crc-?32c?|adler-?32|checksum)(?:-.*)?")


def is_digest(name: bytes) -> bool:
    """Whether field `name`, in lower case, is called as a digest of the body that stands there bare."""
    return _DIGEST.fullmatch(name) is not None


def is_volatile(name: bytes) -> bool:
    """Whether only the presence of field `name`, in lower case, is compared."""
    return name in VOLATILE or (b"limit" in name and _COUNTER.fullmatch(name) is not None)
