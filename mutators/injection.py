"""Text that means something to pages, message heads, file systems and clients, in any place that holds text.
What was obeyed shows in the answer: as an element of the page, a field, a file's content, a failed call.
"""

from random import Random

from mutators._code import name
from mutators._contract import mutator
from mutators._message import appended
from mutators._places import injected
from shadow.model import Edit, Expect, Level, Request, Shows, Sign

_MARKUP = (
    *("\" {0}=1 ' {0}=2 --></title></textarea></script><{0}>",) * 6,
    "<{0}>",
    '"><{0}>',
    "'><{0}>",
    '" {0}="1',
    "' {0}='1",
    " {0}=1 ",
    "--><{0}>",
    "</title><{0}>",
    "</textarea><{0}>",
    "</script><{0}>",
    "<svg/{0}=1>",
    "<img src=x {0}=1>",
)
"""Out of everything in one text; then one by one out of text, of attributes in each kind of quotes or none,
of comments, and of elements that hold text.
"""
_OTHER_MARKUP = (
    *("\" {0}=1 ' {0}=2 --></title></textarea></script><{0}>",) * 6,
    "<script>shadow</script>",
    "javascript:shadow",
    "&lt;shadow",
    "'-shadow-'",
    "<!--#echo var=x-->",
)
_LINE_ENDS = ("\r\n{0}: 1", "\n{0}: 1", "\r{0}: 1", "\u560d\u560a{0}: 1", "\r\n\t\r\n{0}: 1", "%0d%0a{0}: 1")
_PATHS = (
    *(
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "....//....//....//....//etc/passwd",
    ),
    *("..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd\x00.png", "/proc/self/root/etc/passwd"),
    *("..\\..\\..\\..\\windows\\win.ini", "C:\\windows\\win.ini", "php://filter/resource=/etc/passwd"),
)
_OTHER_PATHS = ("/proc/self/environ", "\\\\127.0.0.1\\shadow", ".", "..", "../", "/", "~", "CON", "a/../b")
_ADDRESSES = (
    *("http://127.0.0.1:1/",) * 3,
    *("http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "http://2130706433:1/"),
    *("http://0177.0.0.1:1/", "//127.0.0.1:1/", "ftp://127.0.0.1:1/", "http://127.0.0.1:1#@shadow.invalid/"),
)
_OTHER_ADDRESSES = (
    "gopher://127.0.0.1:1/_",
    "dict://127.0.0.1:1/",
    "http://shadow.invalid/",
    "ldap://127.0.0.1:1/a",
)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_markup(request: Request, rng: Random) -> Edit | None:
    """Markup is text, escaped wherever a page shows it: a page has no element or attribute of a name that the
    request made up (CWE-79, WFC F201).
    """
    word = name(rng)
    piece = rng.choice(_MARKUP).format(word)
    is_alone = rng.random() < 0.5

    def sign(place: str) -> Sign:
        what = f"markup put into {place} is part of the page, unescaped"
        return Sign(Shows.ELEMENT, "F201", what, word.encode())

    return injected(
        request, rng, lambda text: piece if is_alone else text + piece, f"put the markup {piece!r} into", sign
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_markup(request: Request, rng: Random) -> Edit | None:
    """Scripts, script addresses and entities are text, in both releases alike (CWE-79)."""
    piece = rng.choice(_OTHER_MARKUP)
    return injected(
        request, rng, lambda text: rng.choice((text + piece, piece)), f"put the markup {piece!r} into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_line_end(request: Request, rng: Random) -> Edit | None:
    """A line end in a value ends no line of a header: no field of the answer has a name that the request
    made up (CWE-93, CWE-113).
    """
    word = name(rng)
    piece = rng.choice(_LINE_ENDS).format(word)

    def sign(place: str) -> Sign:
        what = f"a line put into {place} is a field of the answer"
        return Sign(Shows.FIELD, "field-injection", what, word.encode())

    return injected(request, rng, lambda text: text + piece, f"put a line end {piece!r} into", sign)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_file_path(request: Request, rng: Random) -> Edit | None:
    """A path in a value must not lead out of where files are kept: no file of the system comes back
    (CWE-22, CWE-98).
    """
    piece = rng.choice(_PATHS)
    return injected(request, rng, lambda _: piece, f"put the path {piece!r} into", _disclosed)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_path(request: Request, rng: Random) -> Edit | None:
    """Paths without a content to look for are refused or not found, never a crash (CWE-22, CWE-73)."""
    piece = rng.choice(_OTHER_PATHS)
    return injected(request, rng, lambda _: piece, f"put the path {piece!r} into")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_address(request: Request, rng: Random) -> Edit | None:
    """An address in a value must not be called without a check: the answer does not tell of a connection
    that port 1 refused (CWE-918, WFC F202).
    """
    piece = rng.choice(_ADDRESSES)
    return injected(request, rng, lambda _: piece, f"put the address {piece!r} into", _called)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def inject_other_address(request: Request, rng: Random) -> Edit | None:
    """Addresses of other protocols and of names that nobody has are refused, or taken as text (CWE-918)."""
    piece = rng.choice(_OTHER_ADDRESSES)
    return injected(request, rng, lambda _: piece, f"put the address {piece!r} into", _called)


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def inject_into_header(request: Request, rng: Random) -> Edit | None:
    """Fields that get logged and shown (User-Agent, Referer, X-Forwarded-For) hold text (CWE-117,
    CVE-2021-44228).
    """
    field = rng.choice(
        (b"Referer", b"X-Forwarded-For", b"X-Request-Id", b"X-Api-Version", b"Origin", b"X-Client-Id")
    )
    word = name(rng)
    piece = rng.choice(
        (
            *(form.format(word) for form in _MARKUP[:6]),
            *("{{7*7}}", "${7*7}", "'", '"', "\\", "';", "; id", "| id", "$(id)"),
            *("${jndi:ldap://127.0.0.1:1/a}", "' or sleep(1)-- ", "%n%s%x", "../../etc/passwd"),
        )
    )
    what = f"markup put into the field {field.decode()} is part of the page, unescaped"
    sign = Sign(Shows.ELEMENT, "F201", what, word.encode()) if word in piece else None
    made = appended(request, (field, piece.encode()))
    return Edit(made, f"added {field.decode()}: {piece}", sign=sign)


def _called(place: str) -> Sign:
    return Sign(Shows.CALL, "F202", f"an address put into {place} was called from the service's host")


def _disclosed(place: str) -> Sign:
    return Sign(Shows.FILE, "file-disclosure", f"a path put into {place} brought a file of the system")
