"""Seals accounts' secrets with AES-256-GCM, bound to the place where they are kept."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from heliograph.ports.runtime import SealBroken

NONCE = 12


class AesVault:
    """`key` is 32 random bytes. The ciphertext begins with the key's own fingerprint, so that a wrong key is told from damage."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the master key must be 32 bytes; make one with: heliograph keys new")
        self._cipher = AESGCM(hashlib.sha256(b"heliograph seal" + key).digest())
        self._digest_key = hashlib.sha256(b"heliograph fingerprint" + key).digest()
        self.key_id = hmac.new(self._digest_key, b"key id", hashlib.sha256).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"AesVault({self.key_id})"

    def seal(self, plain: Mapping[str, str], *, place: str) -> str:
        """See ports.runtime.Vault."""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._cipher.encrypt(nonce, json.dumps(dict(plain)).encode(), place.encode())
        return f"{self.key_id}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> dict[str, str]:
        """See ports.runtime.Vault."""
        key_id, _, text = sealed.partition(".")
        if key_id != self.key_id:
            raise SealBroken("sealed with another master key")
        try:
            data = urlsafe_b64decode(text)
            opened: dict[str, str] = json.loads(self._cipher.decrypt(data[:NONCE], data[NONCE:], place.encode()))
        except (InvalidTag, ValueError) as broken:
            raise SealBroken("damaged, or moved from another place") from broken
        return opened

    def fingerprint(self, plain: Mapping[str, str]) -> str:
        """See ports.runtime.Vault."""
        text = json.dumps(dict(sorted(plain.items())))
        return hmac.new(self._digest_key, text.encode(), hashlib.sha256).hexdigest()[:12]
