"""``[signing]`` and ``[tokens]``: how the service's requests are signed, and with which keys."""

import msgspec

from shadow.auth.keys import SigningKey, TokenKey

SCHEMES = ("canonical", "github", "slack", "stripe", "sigv4", "rfc9421", "callable")
"""What ``signing.scheme`` may name."""


class SigningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[signing]``: the keys alone where the scheme is one that requests show by themselves; else which
    headers carry what, and what is signed. An empty name is no header."""

    signature: str = ""
    """Header that carries the signature, or ``"query:NAME"``; so for all the others."""
    key_id: str = ""
    """Header that names the key; empty where the key that fits is taken."""
    algorithm: str = ""
    """Header that names the algorithm."""
    timestamp: str = ""
    """Header that states when the request was signed."""
    timestamp_format: str = "unix"
    """``"unix"`` (seconds), ``"unix_ms"`` or ``"iso8601"``."""
    nonce: str = ""
    """Header that makes each request unique."""
    body_digest: str = ""
    """Header that states the hex SHA-256 of the body."""
    signature_prefix: str = ""
    """What stands before the signature in its header, as ``"sha256="``."""
    signature_format: str = ""
    """How the signature's header is built where it holds more: ``"t={timestamp},v1={signature}"``; of
    `signature`, `key_id`, `algorithm`, `timestamp` and `nonce`."""
    signature_encoding: str = "hex"
    """``"hex"``, ``"base64"`` or ``"base64url"``."""
    canonical: tuple[str, ...] = ("method", "path", "query", "timestamp", "nonce", "body_digest", "host")
    """What is signed, in this order; `docs/configuration.md` lists the parts there are."""
    separator: str = "\n"
    """Between two parts of the canonical string."""
    keys: tuple[SigningKey, ...] = ()
    """Keys that the service knows."""
    scheme: str = ""
    """``"github"``, ``"slack"``, ``"stripe"``, ``"sigv4"``, ``"rfc9421"``, ``"canonical"`` (the settings
    above) or ``"callable"``. Empty: ``"canonical"`` where `signature` is set, else what a request shows."""
    region: str = ""
    """SigV4: the region to sign for where the request names none."""
    service: str = ""
    """SigV4: the service to sign for where the request names none."""
    label: str = "sig1"
    """RFC 9421: the label of a signature on a request that has none."""
    components: tuple[str, ...] = ("@method", "@authority", "@path", "@query", "content-digest")
    """RFC 9421: what a signature on a request that has none covers; fields it lacks are left out."""
    url_scheme: str = ""
    """RFC 9421: what the service takes for ``@scheme``, such as ``"https"`` behind a proxy that ends TLS.
    Empty: the target's own."""
    callable: str = ""
    """``"package.module:function"``, which signs; see `docs/signing.md`."""


class TokenSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tokens]``: what bearer tokens are signed with."""

    keys: tuple[TokenKey, ...] = ()
    """Keys that the service accepts tokens of, or no longer does."""
