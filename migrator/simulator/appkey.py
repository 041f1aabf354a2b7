"""The key pair of an org's app, by which clients sign JWT bearer assertions."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048


def make_app_key() -> bytes:
    """A new private key, PEM (PKCS#8, without a password)."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key_of(private_key: bytes) -> str:
    """The public key of a private RSA key, PEM; a ValueError when it is none."""
    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except TypeError as fault:
        raise ValueError("the key has a password") from fault
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("no RSA key")  # noqa: TRY004 - what is wrong is the content of a file
    made = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made.decode()
