"""The first key encrypts, all decrypt, and what is wrong says what to do."""

from typing import Any

import pytest

from relaybase.postgres import encrypting
from relaycore.errors import CannotDecrypt, NoEncryptionKey


def test_it_is_read_again_and_stands_nowhere_as_it_is() -> None:
    kept = encrypting.encrypt(b"whsec_hidden")
    assert encrypting.decrypt(kept) == encrypting.decrypt(memoryview(kept)) == b"whsec_hidden"
    assert b"hidden" not in kept
    assert encrypting.encrypt(b"whsec_hidden") != kept


def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(settings: Any) -> None:
    old, new = encrypting.new_key(), encrypting.new_key()
    settings.RELAY_ENCRYPTION_KEYS = [old]
    kept = encrypting.encrypt(b"x")
    settings.RELAY_ENCRYPTION_KEYS = [new, old]
    assert encrypting.decrypt(kept) == b"x"
    anew = encrypting.encrypt_anew(kept)
    settings.RELAY_ENCRYPTION_KEYS = [new]
    assert encrypting.decrypt(anew) == b"x"
    for work in (encrypting.decrypt, encrypting.encrypt_anew):
        with pytest.raises(CannotDecrypt, match="RELAY_ENCRYPTION_KEYS lacks the key"):
            work(kept)


def test_without_a_key_it_says_how_to_make_one(settings: Any) -> None:
    settings.RELAY_ENCRYPTION_KEYS = []
    for work in (encrypting.encrypt, encrypting.decrypt, encrypting.encrypt_anew):
        with pytest.raises(NoEncryptionKey, match=r"python manage\.py endpoints key"):
            work(b"x")
    with pytest.raises(NoEncryptionKey, match="RELAY_ENCRYPTION_KEYS in all processes"):
        encrypting.require_key()


def test_what_was_tampered_with_is_not_read() -> None:
    kept = bytearray(encrypting.encrypt(b"x"))
    kept[-5] ^= 1
    with pytest.raises(CannotDecrypt):
        encrypting.decrypt(bytes(kept))
