"""Hosts and ports as they stand in URLs and Host fields."""


def authority(host: str, port: int | None = None) -> str:
    """``host:port``, or the host alone; an IPv6 address stands in brackets (RFC 3986 §3.2.2)."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
