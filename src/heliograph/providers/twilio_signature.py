"""Proves that a webhook call comes from Twilio."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from heliograph.ports.provider import BadSignature, RawRequest
from heliograph.providers import proofs, twilio_inbound

#: By default Twilio repeats a call of ours only when it could not connect. This asks for repeats after a 5xx too.
REPEATS = "#rc=5&rp=all"


def verify(request: RawRequest, secrets: Sequence[bytes]) -> None:
    """Compare X-Twilio-Signature with what each secret makes of the call. Raises BadSignature."""
    method = _algorithm(request.headers.get("x-twilio-webhooks-signature-settings", ""))
    signed = _signed_part(request)
    wanted = [base64.b64encode(hmac.new(secret, url + signed, method).digest()) for secret in secrets for url in _as_signed(request.url)]
    if not proofs.proves(request.headers.get("x-twilio-signature", ""), wanted):
        raise BadSignature("X-Twilio-Signature")


def _algorithm(settings: str) -> str:
    """The digest that a call is signed with: a key shared for webhooks signs with SHA-256, the account's token with SHA-1."""
    named = {name.strip(): value.strip().upper() for name, _, value in (each.partition("=") for each in settings.split(","))}
    match named.get("algorithm", "") or "HMAC_SHA1":
        case "HMAC_SHA1":
            return "sha1"
        case "HMAC_SHA256":
            return "sha256"
        case _:
            raise BadSignature("algorithm")


def _signed_part(request: RawRequest) -> bytes:
    """What is signed after the address: the form's pairs in order, or nothing where the address holds the body's hash."""
    if digest := request.query.get("bodySHA256", ""):
        if not hmac.compare_digest(digest.encode("utf-8", "replace"), hashlib.sha256(request.body).hexdigest().encode()):
            raise BadSignature("bodySHA256")
        return b""
    return b"".join(name + value for name, value in sorted(set(twilio_inbound.pairs(request.body))))


def _as_signed(url: str) -> list[bytes]:
    """The address in the forms in which Twilio may have signed it: with the port or without.

    Whether the fragment that asks for repeats is signed with it is documented nowhere, so both are tried.
    """
    try:
        at = urlsplit(url)
        port = at.port or {"http": 80, "https": 443}.get(at.scheme, 0)
        host = at.netloc.rpartition(":")[0] if at.port else at.netloc
    except ValueError:
        return [url.encode("utf-8", "replace")]
    bare = [at._replace(netloc=host).geturl(), at._replace(netloc=f"{host}:{port}").geturl()]
    return [form.encode("utf-8", "replace") for plain in bare for form in (plain, plain + REPEATS)]
