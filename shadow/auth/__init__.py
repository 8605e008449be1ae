"""Signing schemes and identities: recognised, verified, put on anew; clock, dice and secrets come in."""

from shadow.auth.identity import allows, as_identity, is_public, owner_of
from shadow.auth.scheme import CanonicalScheme, SigningKey, SigningSettings

__all__ = [
    "CanonicalScheme",
    "SigningKey",
    "SigningSettings",
    "allows",
    "as_identity",
    "is_public",
    "owner_of",
]
