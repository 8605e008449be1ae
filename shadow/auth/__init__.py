"""Signing schemes and identities: recognised, verified, put on anew; clock, dice and secrets come in."""

from shadow.auth.identity import allows, as_identity, is_public, owner_of
from shadow.auth.keys import SigningKey, TokenKey
from shadow.auth.scheme import CanonicalScheme
from shadow.auth.schemes import signer_of
from shadow.auth.settings import SigningSettings, TokenSettings
from shadow.auth.token_scheme import TokenScheme

__all__ = [
    "CanonicalScheme",
    "SigningKey",
    "SigningSettings",
    "TokenKey",
    "TokenScheme",
    "TokenSettings",
    "allows",
    "as_identity",
    "is_public",
    "owner_of",
    "signer_of",
]
