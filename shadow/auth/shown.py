"""Schemes that requests show by themselves, known by no key: what signs a request, and where it stands."""

from shadow.auth.keys import SigningKey
from shadow.auth.message_signature import MessageScheme
from shadow.auth.schemes import Schemes, presets
from shadow.auth.settings import SigningSettings
from shadow.auth.sigv4 import SigV4Scheme
from shadow.model import Request, Signs

_NAMELESS = (SigningKey("unknown"),)
"""Stands for the key of a signature that names none. Its secret is not known either."""
_MARKS = frozenset(
    {
        b"signature-input",
        b"x-hub-signature-256",
        b"x-hub-signature",
        b"x-slack-signature",
        b"stripe-signature",
    }
)
_AMAZON = b"AWS4-HMAC-SHA256 "
_PRESIGNED = b"X-Amz-Signature="

SHOWN: Signs = Schemes(
    MessageScheme(SigningSettings(keys=_NAMELESS)),
    SigV4Scheme(SigningSettings()),
    *(scheme for name in ("github", "slack", "stripe") for scheme in presets(name, _NAMELESS)),
    begins=False,
)
"""Reads and edits signatures of these schemes. It can neither make nor verify any."""


def may_show(request: Request) -> bool:
    """Whether `request` may bear a signature that `SHOWN` knows; cheap, for it is asked of every request."""
    for name, value in request.headers:
        lower = name.lower()
        if lower in _MARKS or (lower == b"authorization" and value.startswith(_AMAZON)):
            return True
    return _PRESIGNED in request.target
