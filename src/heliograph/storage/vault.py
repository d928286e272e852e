"""Seals accounts' secrets with AES-256-GCM, bound to the place where they are kept; opens what former master keys have sealed."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heliograph.ports.runtime import SealBroken

NONCE = 12


def digest_key(key: bytes) -> bytes:
    """What a master key makes fingerprints with, as long as nothing else was noted."""
    return hashlib.sha256(b"heliograph fingerprint" + key).digest()


def key_id(key: bytes) -> str:
    """The name of a master key; it gives nothing of it away."""
    return hmac.new(digest_key(key), b"key id", hashlib.sha256).hexdigest()[:8]


class AesVault:
    """`key` and each of `others` are 32 random bytes: sealed is with `key`, opened with whichever it was.

    The ciphertext begins with its key's own fingerprint, so that a wrong key is told from damage. `prints`: what fingerprints are made
    with, where that is not `key`: they name versions of credentials and releases, and must outlive a master key.
    """

    def __init__(self, key: bytes, others: Sequence[bytes] = (), *, prints: bytes = b"") -> None:
        if any(len(each) != 32 for each in (key, *others)):
            raise ValueError("the master key must be 32 bytes; make one with: heliograph keys new")
        self._ciphers = {key_id(each): AESGCM(hashlib.sha256(b"heliograph seal" + each).digest()) for each in (*others, key)}
        self._prints = prints or digest_key(key)
        self.key_id = key_id(key)
        self.key_ids = frozenset(self._ciphers)

    def __repr__(self) -> str:
        return f"AesVault({self.key_id})"

    @property
    def prints(self) -> bytes:
        """What fingerprints are made with; secret."""
        return self._prints

    def sealed_by(self, sealed: str) -> str:
        """See ports.runtime.Vault."""
        return sealed.partition(".")[0]

    def seal(self, plain: Mapping[str, str], *, place: str) -> str:
        """See ports.runtime.Vault."""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._ciphers[self.key_id].encrypt(nonce, json.dumps(dict(plain)).encode(), place.encode())
        return f"{self.key_id}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> dict[str, str]:
        """See ports.runtime.Vault."""
        by, _, text = sealed.partition(".")
        cipher = self._ciphers.get(by)
        if cipher is None:
            raise SealBroken("sealed with another master key")
        try:
            data = urlsafe_b64decode(text)
            opened: dict[str, str] = json.loads(cipher.decrypt(data[:NONCE], data[NONCE:], place.encode()))
        except (InvalidTag, ValueError) as broken:
            raise SealBroken("damaged, or moved from another place") from broken
        return opened

    def fingerprint(self, plain: Mapping[str, str]) -> str:
        """See ports.runtime.Vault."""
        text = json.dumps(dict(sorted(plain.items())))
        return hmac.new(self._prints, text.encode(), hashlib.sha256).hexdigest()[:12]
