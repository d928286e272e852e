"""The vault of a process: which master keys it holds, and what its fingerprints are made with, so that they outlive a master key."""

import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence

import msgspec

from heliograph.ports.runtime import SealBroken
from heliograph.services.proving import KEY_CHECK, KeyCheck
from heliograph.services.rotation import PRINTS, PRINTS_PLACE, Prints
from heliograph.storage.vault import AesVault, digest_key, key_id


def vault_of(keys: Sequence[bytes], *, installation: str, notes: Mapping[str, str]) -> AesVault:
    """`keys`: the one that seals, then former ones. `installation` and `notes` are the store's, see storage.glance.

    A store that was rotated holds the key of its fingerprints, sealed. Before that they are made with the master key under which the
    store began: the one that makes of the installation's id what was noted.
    """
    first, *others = keys
    if PRINTS in notes:
        try:
            kept = AesVault(first, others).open(msgspec.json.decode(notes[PRINTS], type=Prints).sealed, place=PRINTS_PLACE)
            return AesVault(first, others, prints=b64decode(kept["key"]))
        except (SealBroken, ValueError):
            # None of these keys is this store's: the gate will say so, by what fingerprints come out now.
            return AesVault(first, others)
    if not others:
        return AesVault(first)
    if KEY_CHECK in notes:
        noted = msgspec.json.decode(notes[KEY_CHECK], type=KeyCheck).fingerprint
        for each in keys:
            if hmac.compare_digest(AesVault(each).fingerprint({"installation": installation}), noted):
                return AesVault(first, others, prints=digest_key(each))
        return AesVault(first, others)
    return AesVault(first, others, prints=digest_key(others[-1]) if installation else b"")


def name_of(key: bytes) -> str:
    """The name of a master key; it gives nothing of it away."""
    return key_id(key)
