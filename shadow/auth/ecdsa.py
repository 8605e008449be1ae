"""ECDSA signatures of the NIST curves in both their forms, and the second one that every signature has."""

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

_ORDERS = {
    32: 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    48: (1 << 384) - 0x389CB27E_0BC8D220_A7E5F24D_B74F5885_1313E695_333AD68D,
    66: (1 << 521) - 0x5AE_79787C40_D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
"""Orders of P-256, P-384 and P-521 (FIPS 186-4 §D.1.2), by the bytes of a number below them."""
_DER = 0x30


def negated(raw: bytes) -> bytes | None:
    """(r, -s) for the (r, s) that `raw` is, as two numbers or in DER; None where its length is no curve's."""
    size, is_odd = divmod(len(raw), 2)
    if not is_odd and (order := _ORDERS.get(size)) is not None:
        s = int.from_bytes(raw[size:])
        return raw[:size] + (order - s).to_bytes(size) if 0 < s < order else None
    if raw[:1] != bytes([_DER]):
        return None
    try:
        r, s = decode_dss_signature(raw)
    except ValueError:
        return None
    size = max((max(r, s).bit_length() + 7) // 8, 1)
    order = next((_ORDERS[each] for each in sorted(_ORDERS) if size <= each and s < _ORDERS[each]), None)
    return encode_dss_signature(r, order - s) if order is not None and s else None
