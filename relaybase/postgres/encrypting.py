"""What stands encrypted in PostgreSQL: secrets that have to be read again, so that no digest will do.

The keys are `RELAY_ENCRYPTION_KEYS`: the first one encrypts, all of them decrypt. So a new key is put in
front, what stands there is written anew (`manage.py endpoints reencrypt`), and the old one is taken away.
Fernet (https://github.com/fernet/spec): AES-128-CBC with HMAC-SHA256, and a new vector each time.
"""

import functools
from collections.abc import Callable, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from relaycore.errors import CannotDecrypt, NoEncryptionKey


def new_key() -> str:
    """A key, as it stands in `RELAY_ENCRYPTION_KEYS`."""
    return Fernet.generate_key().decode()


def require_key() -> None:
    """Nothing, if there is something to encrypt with.

    Raises:
        NoEncryptionKey: there is not.
    """
    _keys()


def encrypt(data: bytes) -> bytes:
    """It, encrypted by the first key.

    Raises:
        NoEncryptionKey: there is none.
    """
    return _keys().encrypt(data)


def decrypt(data: bytes | memoryview) -> bytes:
    """What was encrypted by any of the keys.

    Raises:
        NoEncryptionKey: there is none.
        CannotDecrypt: it was encrypted by another one, or is damaged.
    """
    return _decrypted(_keys().decrypt, data)


def encrypt_anew(data: bytes | memoryview) -> bytes:
    """What was encrypted by any of the keys, encrypted by the first one. It raises what `decrypt` does."""
    return _decrypted(_keys().rotate, data)


def _decrypted(work: Callable[[bytes], bytes], data: bytes | memoryview) -> bytes:
    try:
        return work(bytes(data))
    except InvalidToken:
        raise CannotDecrypt(
            "A secret cannot be decrypted: RELAY_ENCRYPTION_KEYS lacks the key that it was encrypted with."
        ) from None


def _keys() -> MultiFernet:
    if not settings.RELAY_ENCRYPTION_KEYS:
        raise NoEncryptionKey(
            "Secrets are kept encrypted, and there is no key for that. Make one by "
            "`python manage.py endpoints key`, and set it as RELAY_ENCRYPTION_KEYS in all processes."
        )
    return _by(tuple(settings.RELAY_ENCRYPTION_KEYS))


@functools.lru_cache(maxsize=4)
def _by(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
