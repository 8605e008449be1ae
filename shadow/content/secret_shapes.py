"""How secrets look: names that mean one, what opens and ends a value, and shapes known under any name.

Every pattern is linear in its input: repetitions are bounded, or end what they began.
"""

import re

ENDS = (
    "authorization",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "sharedkey",
    "authkey",
    "sessionid",
    "jwt",
    "credential",
    "credentials",
    "cookie",
    "xamzsignature",
    "xgoogsignature",
)
"""A name is secret where it ends so, letter case and separators left out: ``X-Api-Key``, ``accessToken``."""
WHOLE = frozenset(
    [
        "pwd",
        "pass",
        "auth",
        "sid",
        "sig",
        "otp",
        "cvv",
        "cvc",
        "sessid",
        "phpsessid",
        "jsessionid",
        "connectsid",
    ]
)
OPEN = frozenset(
    [
        "pagetoken",
        "nexttoken",
        "nextpagetoken",
        "continuationtoken",
        "accesscontrolallowcredentials",
    ]
)
"""Named like secrets, but masking them would hide how lists are read, or what a browser may do."""
HINTS = tuple(
    b"auth pass secret token key jwt cred cookie ignature pwd sid sig otp cvv cvc sess ession".split()
)
"""Text that holds none of these, in lower case, names no secret: saves the slow search."""
SCHEMES = frozenset(
    b"apikey aws4-hmac-sha256 basic bearer digest dpop hawk hmac key negotiate ntlm signature token".split()
)

MARK = re.compile(rb"<redacted:[0-9a-f]{6}>\**|\*+")
OPEN_JSON = re.compile(rb'"([^"\\\r\n]{1,64})"\s{0,64}:\s{0,64}(?=["\d\[{-])')
JSON_LEAF = re.compile(rb'"((?:[^"\\]|\\.)*)(?:"(\s{0,64}:)?|\\?\Z)|-?\d[\d.eE+-]*|[\[\]{}]', re.DOTALL)
OPEN_FIELD = re.compile(rb"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,64}):[ \t]*")
FIELD_VALUES = {
    b"": re.compile(rb"[^\r\n]+"),
    b"\n": re.compile(rb"[^\r\n]+"),
    b"'": re.compile(rb"(?:[^'\r\n]|'\\'')+"),  # a shell's way to say a quote
    b'"': re.compile(rb'(?:[^"\\\r\n]|\\.)+'),
}
"""How far a header line goes, by what stands before it: to the line's end, or to the closing quote."""
FIELD_IN_PROSE = re.compile(rb"[^\r\n'\"]+")
FORM = re.compile(rb"(?:\A|(?<=&))([^=&]{1,256})="), re.compile(rb"([^&#]*)")
CODING = re.compile(rb"(?im)^content-encoding[ \t]*:[ \t]*([^\r\n]+?)[ \t]*\r?$")
PAIRS = (
    # JSON within a JSON string
    (re.compile(rb'\\"([^"\\]{1,64})\\"\s{0,64}:\s{0,64}\\"'), re.compile(rb'(.*?)(?=\\"|\Z)', re.DOTALL)),
    # multipart/form-data
    (
        re.compile(rb'name="?([^";\r\n]{1,64})"?[^\r\n]{0,256}\r?\n(?:[^\r\n]{1,256}\r?\n){0,8}\r?\n'),
        re.compile(rb"(.*?)(?=\r?\n--|\Z)", re.DOTALL),
    ),
    # XML
    (
        re.compile(rb"<([A-Za-z0-9_:.-]{1,64})(?:\s[^<>]{0,256})?>(?:<!\[CDATA\[)?"),
        re.compile(rb"([^<\]]+)(?=[<\]])"),
    ),
    # queries, forms, cookies, attributes
    (
        re.compile(rb"(?<![A-Za-z0-9_.\[\]%-])([A-Za-z0-9_.\[\]%-]{1,64})\s?=\s?"),
        re.compile(rb"""(?:"([^"]+)"?|'([^']+)'?|([^&\s"';]+))"""),
    ),
)
"""How a name opens a value, and the value: its one group is the secret."""
SHAPES = tuple(
    (literal, re.compile(shape, re.DOTALL))
    for literal, shape in (
        (b"eyJ", rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){2,4}"),  # RFC 7515, RFC 7516
        (
            b"PRIVATE KEY",
            rb"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY[A-Z ]{0,16}-----.*?(?:-----END [A-Z0-9 ]{0,64}-----|\Z)",
        ),
        (b"gh", rb"(?<![A-Za-z0-9_])gh[pousr]_[A-Za-z0-9]{20,}"),
        (b"xox", rb"(?<![A-Za-z0-9_])xox[abprs]-[A-Za-z0-9-]{10,}"),
        (b"AIza", rb"(?<![A-Za-z0-9_])AIza[A-Za-z0-9_-]{35}"),
        (b"k_", rb"(?<![A-Za-z0-9_])[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
        (b"IA", rb"(?<![A-Za-z0-9_])A[KS]IA[A-Z0-9]{16}"),
        (b"$2", rb"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}"),  # password hashes: bcrypt, Argon2, crypt(3)
        (
            b"$argon2",
            rb"\$argon2(?:id|i|d)\$v=\d{1,3}\$[\w=,]{1,60}\$[A-Za-z0-9+/]{1,128}\$[A-Za-z0-9+/]{1,256}",
        ),
        (b"$6$", rb"\$6\$[^$\s\"]{1,80}\$[./A-Za-z0-9]{20,120}"),
        (b"$5$", rb"\$5\$[^$\s\"]{1,80}\$[./A-Za-z0-9]{20,120}"),
        (b"pbkdf2", rb"\bpbkdf2[\w:]{1,40}\$[\w$./+=,-]{20,200}"),
        (b"earer", rb"(?i:\bbearer\s+)([A-Za-z0-9._~+/-]{8,}=*)"),
        (b"EARER", rb"(?i:\bbearer\s+)([A-Za-z0-9._~+/-]{8,}=*)"),
        (b"://", rb"://[^/\s:@]{0,256}:([^/\s@]{1,256})@"),  # the password in a URL
    )
)
"""Secrets known by how they look, each with a literal that it cannot be without: saves most searches."""
