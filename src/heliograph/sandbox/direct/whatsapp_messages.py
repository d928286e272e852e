"""Reads what a business sends by the simulated WhatsApp Cloud API, and refuses what the real one refuses at once.

Source: Meta's reference of messages and media, and its error codes.
"""

import re
from typing import Any

from heliograph.sandbox.direct import meta_platform, whatsapp_templates as templates
from heliograph.sandbox.direct.service import Problem
from heliograph.sandbox.direct.state import Account, Post
from heliograph.sandbox.wire import Json

MB = 1_048_576
TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024

_OFFICE = "application/vnd.openxmlformats-officedocument."
#: Media types by the kind of message that can carry them. A document takes any that can be uploaded.
FILES: dict[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "sticker": frozenset({"image/webp"}),
    "document": frozenset(
        {
            "text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
            f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation",
        }
    ),
}  # fmt: skip
_MOST = {"image": 5 * MB, "audio": 16 * MB, "video": 16 * MB, "sticker": MB // 2}
_NUMBER = re.compile(r"\+?[0-9]{6,15}")
_USER = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def kinds_of_files() -> frozenset[str]:
    """All media types that can be uploaded."""
    return frozenset().union(*FILES.values())


def most_bytes(media_type: str) -> int:
    """The largest file of a type that can be uploaded: as a document, which takes all."""
    return 100 * MB if media_type in FILES["document"] else 16 * MB


def problem(code: int, message: str, details: str = "", *, subcode: int = 0, number: int = 400) -> Problem:
    """An error as the Cloud API words it: with its code in front, mostly."""
    told = message if message.startswith("(#") or code in (104, 190, 2500) or subcode == 33 else f"(#{code}) {message}"
    data: Json | None = {"messaging_product": "whatsapp", "details": details} if details else None
    return meta_platform.problem(code, told, subcode, data=data, number=number)


class Reader:
    """One body of POST /{phone number id}/messages."""

    def __init__(self, account: Account, body: Json) -> None:
        self.account = account
        self.body = body

    def recipient(self) -> dict[str, str]:
        """`to` (a number) or `recipient` (a business-scoped user id); `to` wins, as at the real one. Raises Problem."""
        to, user = self.body.get("to"), self.body.get("recipient")
        if self.body.get("recipient_type", "individual") != "individual":
            raise problem(131009, "Parameter value is not valid", "There are no groups here")
        if isinstance(to, str) and to:
            if not _NUMBER.fullmatch(to):
                raise problem(131009, "Parameter value is not valid", "to is no phone number")
            if to.lstrip("+") == self.account.more["number"]:
                raise problem(131021, "Recipient cannot be the sender")
            return {"to": to}
        if not isinstance(user, str) or not user:
            raise problem(131008, "Required parameter is missing", "Parameter to or recipient is required")
        if not _USER.fullmatch(user):
            raise problem(131009, "Parameter value is not valid", "recipient is no business-scoped user id")
        return {"recipient": user}

    def kind_and_text(self) -> tuple[str, str]:
        """The kind of post and the text in it. Raises Problem."""
        kind = self.body.get("type", "text")
        if kind == "text":
            return "text", self._bounded(self._part("text"), "body", TEXT_LIMIT, required=True)
        if kind in FILES:
            caption = self._bounded(self._part(kind), "caption", CAPTION_LIMIT, required=False)
            if caption and kind in ("audio", "sticker"):
                raise problem(100, f'(#100) Unexpected key "caption" on param "{kind}".')
            return ("file" if kind == "document" else kind), caption
        if kind == "location":
            return "location", ""
        if kind == "template":
            return "template", templates.filled(self.account.more["templates"], self._part("template"), problem)
        if kind == "reaction":
            return "reaction", str(self._part("reaction").get("emoji", ""))
        if kind == "interactive":
            part = self._part("interactive")
            body = part.get("body")
            return "text", self._bounded(body if isinstance(body, dict) else {}, "text", CAPTION_LIMIT, required=True)
        if kind == "contacts":
            return "text", "[contact]"
        raise problem(100, "(#100) Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, …}")

    def fill(self, post: Post) -> None:
        """The file or the place of a post. Raises Problem."""
        kind = self.body.get("type", "text")
        if kind in FILES:
            self._file(post, kind)
        elif kind == "location":
            part = self._part("location")
            post.place = {"lat": self._degrees(part, "latitude", 90), "long": self._degrees(part, "longitude", 180)}
            post.text = str(part.get("name") or "")

    def _file(self, post: Post, kind: str) -> None:
        part = self._part(kind)
        id, link = part.get("id"), part.get("link")
        if isinstance(link, str) and link.startswith(("http://", "https://")) and id is None:
            # The sandbox fetches nothing from elsewhere: the phone shows the address.
            post.url = link
            return
        file = self.account.files.get(str(id))
        if file is None:
            raise problem(131009, "Parameter value is not valid", f"{kind}['id'] is no file that was uploaded")
        if kind != "document" and file.media_type not in FILES[kind]:
            raise problem(131053, "Media upload error", f"{file.media_type} cannot go as {kind}")
        if len(file.data) > _MOST.get(kind, 100 * MB):
            raise problem(131053, "Media upload error", f"The file is too large to go as {kind}")
        post.file = str(id)

    def _part(self, kind: str) -> Json:
        found = self.body.get(kind)
        if not isinstance(found, dict):
            raise problem(131008, "Required parameter is missing", f"Parameter {kind} is required")
        return found

    def _bounded(self, part: Json, name: str, limit: int, *, required: bool) -> str:
        value: Any = part.get(name, "")
        if not isinstance(value, str) or (required and not value.strip()):
            raise problem(131008, "Required parameter is missing", f"Parameter {name} is required")
        if len(value) > limit:
            raise problem(100, f"(#100) Param {name} must be at most {limit} characters long.")
        return value

    def _degrees(self, part: Json, name: str, most: int) -> float:
        try:
            value = float(part.get(name, ""))
        except (TypeError, ValueError):
            raise problem(131008, "Required parameter is missing", f"Parameter {name} is required") from None
        if not -most <= value <= most:
            raise problem(131009, "Parameter value is not valid", f"{name} is out of range")
        return value
