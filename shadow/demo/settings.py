"""What a user of Shadow would write in a configuration for the reference service."""

from shadow.demo.principals import Key, Principal, principals

_GAUGES = """\
[gauges]
path = "/metrics"
"""
_SIGNING = """\
[signing]
key_id = "X-Key-Id"
algorithm = "X-Algorithm"
timestamp = "X-Timestamp"
timestamp_format = "unix"
nonce = "X-Nonce"
body_digest = "X-Content-SHA256"
signature = "X-Signature"
signature_encoding = "hex"
canonical = ["method", "path", "query", "timestamp", "nonce", "body_digest", "host"]
separator = "\\n"
"""


def shadow_config(seed: int) -> str:
    """The TOML of where the service tells of itself, its signing scheme, its keys, and who may do what.

    What the canonical string is made of, one component a line, no line break after the last:
    ``method`` as sent; ``path``, the raw request target up to ``?``; ``query``, the raw ``name=value``
    pairs sorted bytewise and joined with ``&``, percent-encoding left as sent, the empty string where
    there is none; ``timestamp`` and ``nonce`` as in their fields; ``body_digest``, the hexadecimal
    SHA-256 of the body as sent; ``host``, the value of the Host field. ``secp256k1-recoverable`` signs
    the SHA-256 of the canonical string; its 65 bytes are r, s (low) and the recovery id (0 to 3).
    """
    known = principals(seed)
    keys = [_key_table(key) for principal in known for key in principal.keys]
    return "\n".join((_GAUGES, _SIGNING, *keys, *(_identity_table(principal) for principal in known)))


def _key_table(key: Key) -> str:
    return (
        "[[signing.keys]]\n"
        f'id = "{key.id}"\nalgorithm = "{key.algorithm}"\n'
        f'secret = "{key.secret.hex()}"\nstatus = "{key.status}"\n'
    )


def _identity_table(principal: Principal) -> str:
    may = ", ".join(f'"{allowed}"' for allowed in principal.role.may)
    return (
        "[[identity]]\n"
        f'name = "{principal.name}"\nrole = "{principal.role.name}"\nrank = {principal.role.rank}\n'
        f'tenant = "{principal.tenant}"\nkey = "{principal.key.id}"\nmay = [{may}]\n'
    )
