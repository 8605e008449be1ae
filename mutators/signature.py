"""Signatures that are no signatures: dropped, cut, flipped, zeroed, written otherwise."""

from random import Random

import msgspec

from mutators._contract import mutator
from mutators._resource import writes
from mutators._signed import Signed, signed
from shadow.auth.algorithms import ED25519_ORDER, RECOVERABLE_BYTES, SECP256K1_ORDER
from shadow.auth.credentials import credential_names, stripped
from shadow.auth.ecdsa import negated
from shadow.auth.encoding import Written, written
from shadow.model import Edit, Expect, Known, Level, Request


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def unsigned(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A request that needs a signature proves nothing without one (OWASP API Security 2023, API2)."""
    it = signed(request, known)
    if it is None or not (it.is_stated or writes(request)):
        return None  # what may be read may be public, as far as is known
    return it.kept(stripped(request, it.signer), "dropped every signing field")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_dropped(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A key id without a signature is a claim without a proof (CWE-347)."""
    it = signed(request, known)
    if it is None or set(credential_names(request)) - it.signing_names():
        return None  # another credential may carry the request
    place = it.signer.places(request).get("signature", "")
    return it.kept(it.without_signature(), f"dropped {place!r}")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_emptied(request: Request, _rng: Random, known: Known) -> Edit | None:
    """No scheme's signature has no bytes; a check that is skipped for an empty value is none (CWE-347)."""
    it = signed(request, known)
    return it.edit("signature", b"", "emptied the signature") if it and it.value else None


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_truncated(request: Request, rng: Random, known: Known) -> Edit | None:
    """A part of a signature is not the signature; a comparison of prefixes can be forged (CWE-187)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    size = len(seen.raw)
    kept = rng.choice([each for each in (1, 4, 8, size // 2, size - 1) if each < size])
    value = seen.text(seen.raw[:kept])
    return it.edit("signature", value, f"kept {kept} of the signature's {len(seen.raw)} bytes")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_extended(request: Request, rng: Random, known: Known) -> Edit | None:
    """Signatures of an algorithm have one length (RFC 2104, RFC 8032 §5.1.6), so a longer one is none."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    more = rng.randint(1, 32)
    return it.edit(
        "signature", seen.text(seen.raw + rng.randbytes(more)), f"added {more} bytes to the signature"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_bit_flipped(request: Request, rng: Random, known: Known) -> Edit | None:
    """Every bit of a MAC or signature is compared or enters the verification (RFC 2104, RFC 8032 §5.1.7)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    bit = rng.randrange(_proven_bytes(seen) * 8)
    return it.edit("signature", seen.text(_flipped(seen.raw, bit)), f"flipped bit {bit} of the signature")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_tail_changed(request: Request, rng: Random, known: Known) -> Edit | None:
    """The last bytes count like the first; a comparison that stops early lets them differ (CWE-697)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    end = _proven_bytes(seen)
    tail = rng.choice((1, end // 2))
    raw = seen.raw[: end - tail] + bytes(byte ^ 0xFF for byte in seen.raw[end - tail : end]) + seen.raw[end:]
    return it.edit("signature", seen.text(raw), f"inverted the signature's last {tail} bytes")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_zeroed(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Zeros are no signature; a verifier without range checks took r = s = 0 for one (CVE-2022-21449)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None or not any(seen.raw):
        return None
    return it.edit("signature", seen.text(bytes(len(seen.raw))), "set every byte of the signature to zero")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_random(request: Request, rng: Random, known: Known) -> Edit | None:
    """Nobody guesses a signature: random bytes of the right length must fail (CWE-347)."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    return it.edit(
        "signature", seen.text(rng.randbytes(len(seen.raw))), "replaced the signature by random bytes"
    )


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_undecodable(request: Request, rng: Random, known: Known) -> Edit | None:
    """Letters of no encoding stand for no bytes, and a decoder's error is not a pass (CWE-755)."""
    it = signed(request, known)
    if it is None or not it.value:
        return None
    mark = rng.choice((b"!", b"~", b"\xff", b"%00", b"\t"))
    seen = written(it.value)
    # some decoders skip such letters: for one of the prefix or the padding they would miss nothing
    start = len(seen.prefix) if seen else 0
    at = rng.randrange(start, len(it.value.rstrip(b"=")) or 1)
    value = it.value[:at] + mark + it.value[at + len(mark) :] + b"!"
    return it.edit("signature", value, f"wrote {mark!r} into the signature at {at}")


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_in_other_encoding(request: Request, rng: Random, known: Known) -> Edit | None:
    """The right bytes in another encoding: a service may read both, but both of its versions alike."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    if it is None or seen is None:
        return None
    others = [seen._replace(encoding=name).text() for name in ("hex", "base64", "base64url")]
    odd = (it.value.upper(), it.value + b"=", it.value.rstrip(b"="), b" " + it.value, _with_spare_bit(seen))
    values = [value for value in (*others, *odd) if value != it.value]
    return it.edit("signature", rng.choice(values), "wrote the signature in another way")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_malleated(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A second signature made from a valid one without the key, (r, -s) or S + L, is invalid where the
    scheme wants a low s (BIP 146) or a reduced S (RFC 8032 §5.1.7); to a MAC it is simply wrong."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    raw = _malleated(seen.raw) if seen else None
    if it is None or seen is None or raw is None:
        return None
    return it.edit("signature", seen.text(raw), "made another signature from the valid one")


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_negated(request: Request, _rng: Random, known: Known) -> Edit | None:
    """(r, -s) is another valid ECDSA signature of the same bytes (FIPS 186-5 allows it, though what is keyed
    by a signature is done twice so): both versions must take it, or neither."""
    it = signed(request, known)
    seen = written(it.value) if it else None
    raw = negated(seen.raw) if seen else None
    if it is None or seen is None or raw is None:
        return None
    return it.edit("signature", seen.text(raw), "negated the signature's s")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def signature_field_doubled(request: Request, rng: Random, known: Known) -> Edit | None:
    """Two signature fields make one value with a comma (RFC 9110 §5.3), which is no signature; where the
    last one wins, a check of the first by anything in front is worth nothing."""
    return _doubled(signed(request, known), rng, is_valid_last=True)


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def signature_field_followed(request: Request, rng: Random, known: Known) -> Edit | None:
    """The valid signature first and a wrong one after it: many frameworks read the first, rightly or not."""
    return _doubled(signed(request, known), rng, is_valid_last=False)


def _doubled(it: Signed | None, rng: Random, *, is_valid_last: bool) -> Edit | None:
    seen = written(it.value) if it else None
    if it is None or seen is None or not it.has_whole_field():
        return None
    name = it.name("signature") or b""
    wrong = (name, seen.text(rng.randbytes(len(seen.raw))))
    at = next(i for i, (key, _) in enumerate(it.request.headers) if key.lower() == name)
    at += not is_valid_last
    headers = (*it.request.headers[:at], wrong, *it.request.headers[at:])
    order = "before" if is_valid_last else "after"
    return it.kept(
        msgspec.structs.replace(it.request, headers=headers), f"added a wrong signature {order} the valid one"
    )


def _with_spare_bit(seen: Written) -> bytes:
    """The signature with a bit set that its last letter does not use; as it was where all are used."""
    text = seen.text()
    bare = text.rstrip(b"=")
    if seen.encoding == "hex" or len(seen.raw) % 3 == 0:
        return text
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    letters += b"-_" if seen.encoding == "base64url" else b"+/"
    last = letters[letters.index(bare[-1:]) ^ 1]
    return bare[:-1] + bytes([last]) + text[len(bare) :]


def _proven_bytes(seen: Written) -> int:
    """How many of the signature's bytes a verifier must heed: it may ignore the recovery id."""
    return RECOVERABLE_BYTES - 1 if len(seen.raw) == RECOVERABLE_BYTES else len(seen.raw)


def _flipped(raw: bytes, bit: int) -> bytes:
    at, shift = divmod(bit, 8)
    return raw[:at] + bytes([raw[at] ^ (1 << shift)]) + raw[at + 1 :]


def _malleated(raw: bytes) -> bytes | None:
    """Another signature by the algebra of the curve that the length tells of; None where there is none."""
    if len(raw) == RECOVERABLE_BYTES:
        s, v = int.from_bytes(raw[32:64]), raw[64]
        other = 55 - v if v in (27, 28) else v ^ 1  # Ethereum counts recovery ids from 27
        return (
            raw[:32] + (SECP256K1_ORDER - s).to_bytes(32) + bytes([other])
            if 0 < s < SECP256K1_ORDER
            else None
        )
    if len(raw) == 64:
        s = int.from_bytes(raw[32:], "little") + ED25519_ORDER
        return raw[:32] + s.to_bytes(32, "little") if s < 2**256 else None
    return None
