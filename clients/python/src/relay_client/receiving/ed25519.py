"""Ed25519, by the library `cryptography`: it comes with `relay-client[webhooks]`."""


def is_signed(public: bytes, signature: bytes, content: bytes) -> bool:
    """Whether this is the signature of these bytes by whoever has the private key to this public one.

    Raises:
        ModuleNotFoundError: the library is not there.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        text = "A public key (whpk_…) needs the library cryptography: pip install 'relay-client[webhooks]'"
        raise ModuleNotFoundError(text, name=exc.name) from None
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except InvalidSignature:
        return False
    return True
