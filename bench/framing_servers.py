"""Old and current releases of HTTP servers, and the advisories that the older ones fall under."""

from typing import NamedTuple


class Server(NamedTuple):
    """Two releases of a server, and what is known of the older one."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    known: tuple[tuple[str, str, str], ...] = ()
    """(advisory, mutator that shows it, pattern of what the mutant says it did)."""
    kind: str = ""
    """What the service calls it, where that is not its name."""
    environment: tuple[tuple[str, str], ...] = ()


_SETUPTOOLS = "setuptools<70"
_AIOHTTP = (("aiohttp==3.8.4",), ("aiohttp",))
SERVERS: dict[str, Server] = {
    "gunicorn": Server(
        ("gunicorn==20.1.0", _SETUPTOOLS),
        ("gunicorn",),
        (
            ("CVE-2024-1135", "not_chunked_at_last", r"."),
            ("CVE-2024-6827", "smuggle_by_unknown_coding", r"CL\.TE"),
        ),
    ),
    "waitress": Server(
        ("waitress==1.3.1", _SETUPTOOLS),
        ("waitress",),
        (
            ("CVE-2019-16785", "bare_line_feeds", r"LF"),
            ("CVE-2019-16786", "listed_coding", r"[a-z], ?chunked"),
            ("CVE-2019-16789", "disguised_chunked", r"\\x"),
            ("CVE-2019-16792", "smuggle_by_two_lengths", r"CL\.CL"),
            ("CVE-2022-24761", "bad_content_length", r"\+|0_"),
            ("CVE-2022-24761", "bad_chunk_size", r"\+|0_|0x"),
        ),
    ),
    "tornado": Server(
        ("tornado==6.3.3",), ("tornado",), (("GHSA-753j-mpmx-qq6g", "not_chunked_at_last", r"."),)
    ),
    "aiohttp": Server(*_AIOHTTP, (("CVE-2023-37276", "wrapped_coding", r"0dvalue"),)),
    "aiohttp-python": Server(
        *_AIOHTTP,
        (
            ("CVE-2023-47627", "bad_content_length", r"\+|0_"),
            ("CVE-2024-23829", "bad_name", r"."),
            ("CVE-2024-52304", "odd_chunk_extension", r"LF"),
        ),
        kind="aiohttp",
        environment=(("AIOHTTP_NO_EXTENSIONS", "1"),),
    ),
    "uvicorn-h11": Server(
        ("uvicorn==0.20.0", "h11==0.14.0"),
        ("uvicorn", "h11"),
        (
            ("CVE-2025-43859", "odd_chunk_data_end", r"XX"),
            ("CVE-2025-43859", "smuggle_by_chunk_syntax", r"XX"),
        ),
    ),
    "uvicorn-httptools": Server(
        ("uvicorn==0.20.0", "httptools==0.5.0"),
        ("uvicorn", "httptools"),
        (("CVE-2024-27982 (llhttp)", "space_before_first_field", r"."),),
    ),
    "twisted": Server(
        ("twisted==21.7.0", _SETUPTOOLS),
        ("twisted",),
        (
            ("CVE-2022-24801", "bad_content_length", r"\+|-"),
            ("CVE-2022-24801", "bad_chunk_size", r"0x|\+|-"),
            ("CVE-2022-24801", "odd_chunk_extension", r"LF"),
        ),
    ),
    "cheroot": Server(("cheroot==8.3.0", _SETUPTOOLS), ("cheroot",)),
    "werkzeug": Server(("werkzeug==2.0.3",), ("werkzeug",)),
}
