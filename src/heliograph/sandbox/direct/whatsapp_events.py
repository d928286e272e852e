"""The webhook events of the simulated WhatsApp Cloud API, as changes of a WhatsApp Business Account.

Source: Meta's webhook reference: messages, statuses, system messages, business-scoped user ids.
"""

import hashlib
from typing import Any

from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.wire import SECOND, Json


def message(account: Account, place: Conversation, post: Post) -> Json:
    """The contact has written."""
    kind, content = _content(account, post)
    told = {**_from(place), "id": post.id, "timestamp": str(post.at // SECOND), "type": kind, kind: content}
    return _change(account, post.id, {"contacts": [_contact(place)], "messages": [told]})


def receipt(account: Account, place: Conversation, post: Post, level: str, at: int, error: Json | None) -> Json:
    """A message has been "sent", "delivered", "read" or "failed"."""
    number = place.more.get("number", place.id)
    told: Json = {"id": post.id, "status": level, "timestamp": str(at)}
    if not place.more.get("hidden") and not place.id.startswith("user:"):
        told["recipient_id"] = number
    if place.more:
        told["recipient_user_id"] = place.more["user"]
    if post.more.get("key"):
        told["biz_opaque_callback_data"] = post.more["key"]
    if level in ("sent", "delivered"):
        category = "utility" if post.kind == "template" else "service"
        told["conversation"] = {"id": hashlib.sha256(place.id.encode()).hexdigest()[:32], "origin": {"type": category}}
        told["pricing"] = {"billable": category == "utility", "pricing_model": "PMP", "category": category}
    if error is not None:
        told["errors"] = [error]
    contacts = {"contacts": [_contact(place)]} if place.more else {}
    return _change(account, f"{post.id}:{level}", {**contacts, "statuses": [told]})


def moved(account: Account, place: Conversation, number: str, user: str, id: str, at: int) -> Json:
    """The contact has a new number, and with it a new business-scoped id. Such a message has no contacts."""
    system: Json = {
        "body": f"User {place.name} changed from {place.more['number']} to {number}", "type": "user_changed_number",
        "user_id": user, "previous_user_id": place.more["user"],
    }  # fmt: skip
    if not place.more["hidden"]:
        system["wa_id"] = number
    told = {**_from(place), "id": id, "timestamp": str(at), "type": "system", "system": system}
    return _change(account, id, {"messages": [told]})


def _change(account: Account, id: str, value: Json) -> Json:
    metadata = {"display_phone_number": account.more["number"], "phone_number_id": account.id}
    return {"id": id, "field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def _from(place: Conversation) -> dict[str, str]:
    """Who writes: always the business-scoped id, and the number unless it is hidden behind a username."""
    shown = {} if place.more["hidden"] else {"from": place.more["number"]}
    return {**shown, "from_user_id": place.more["user"]}


def _contact(place: Conversation) -> Json:
    profile = {"name": place.name, **({"username": f"{place.name.lower()}.sandbox"} if place.more["hidden"] else {})}
    shown = {} if place.more["hidden"] else {"wa_id": place.more["number"]}
    return {"profile": profile, **shown, "user_id": place.more["user"]}


def _content(account: Account, post: Post) -> tuple[str, Any]:
    if "content" in post.more:
        return post.kind, post.more["content"]
    if post.kind == "location":
        return "location", {"latitude": post.place["lat"], "longitude": post.place["long"]}
    if post.file:
        kind = "document" if post.kind == "file" else post.kind
        file = account.files[post.file]
        content: Json = {"mime_type": file.media_type, "sha256": hashlib.sha256(file.data).hexdigest(), "id": post.file}
        if kind == "document":
            content["filename"] = file.name
        if kind == "audio":
            content["voice"] = False
        return kind, content | ({"caption": post.text} if post.text and kind != "audio" else {})
    return "text", {"body": post.text}
