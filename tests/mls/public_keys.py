"""Public signature keys as objects, for certificates."""

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

__all__ = ["PublicKey", "public_key_object"]

PublicKey = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey | ec.EllipticCurvePublicKey

_CURVES: dict[int, ec.EllipticCurve] = {65: ec.SECP256R1(), 97: ec.SECP384R1(), 133: ec.SECP521R1()}


def public_key_object(data: bytes) -> PublicKey:
    """A public key as on the wire, parsed: each scheme's have a length of their own."""
    match len(data):
        case 32:
            return ed25519.Ed25519PublicKey.from_public_bytes(data)
        case 57:
            return ed448.Ed448PublicKey.from_public_bytes(data)
        case length:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[length], data)
