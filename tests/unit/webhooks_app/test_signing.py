"""Signatures by ed25519, against RFC 8032 and checked by hand; and secrets as text."""

import base64
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from relaycore.errors import BadSecret
from relaycore.sending.signing import SharedSecret, Signer
from webhooks_app import signing

VECTORS = [  # RFC 8032, 7.1, tests 1 to 3: seed, public key, message, signature.
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def text(prefix: str, key: bytes) -> str:
    return prefix + base64.b64encode(key).decode()


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_it_signs_as_the_rfc_shows(seed: str, public: str, message: str, signature: str) -> None:
    for key in (seed, seed + public):
        private = text("whsk_", bytes.fromhex(key))
        assert signing.public_of(private) == text("whpk_", bytes.fromhex(public))
        signed = signing.read(private).sign(bytes.fromhex(message))
        assert signed == b"v1a," + base64.b64encode(bytes.fromhex(signature))


@given(body=st.binary(max_size=100))
def test_a_receiver_with_the_public_key_is_content(body: bytes) -> None:
    private = signing.new_private()
    _, (_, at), (_, signature) = Signer([signing.read(private)]).headers("abc", 1732190000, body)
    public = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(signing.public_of(private).removeprefix("whpk_"))
    )
    signed = base64.b64decode(signature.removeprefix(b"v1a,"))
    public.verify(signed, b"abc." + at + b"." + body)
    with pytest.raises(InvalidSignature):
        public.verify(signed, b"abc." + at + b".." + body)


def test_both_kinds_may_sign_at_once_and_the_public_library_passes_over_what_it_does_not_know() -> None:
    shared = signing.new_shared()
    signer = Signer([signing.read(signing.new_private()), signing.read(shared)])
    found = {
        name.decode(): value.decode() for name, value in signer.headers("abc", int(time.time()), b'{"a": 1}')
    }
    assert [one.partition(",")[0] for one in found["webhook-signature"].split(" ")] == ["v1a", "v1"]
    assert Webhook(shared).verify(b'{"a": 1}', found) == {"a": 1}


def test_new_ones_are_new_and_of_the_right_size() -> None:
    for make, prefix in ((signing.new_shared, "whsec_"), (signing.new_private, "whsk_")):
        assert len({make() for _ in range(20)}) == 20
        assert make().startswith(prefix)
        assert len(base64.b64decode(make().removeprefix(prefix))) == 32
    assert isinstance(signing.read(signing.new_shared()), SharedSecret)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "hunter2hunter2", text("whpk_", b"s" * 32), text("whsk_", b"s" * 31), text("whsk_", b"s" * 64)),
        *("whsk_!", text("whsec_", b"s" * 23), text("WHSEC_", b"s" * 32)),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(BadSecret) as caught:
        signing.read(secret)
    assert base64.b64encode(b"s" * 9).decode() not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_no_key_is_shown() -> None:
    private = signing.PrivateKey(b"s" * 32)
    assert "sss" not in repr(private)
