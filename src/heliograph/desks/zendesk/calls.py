"""Read what Zendesk's servers and admins send: forms and event callbacks. Pure, and total over what nobody asked for."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from heliograph.desks.zendesk import limits
from heliograph.ports.desk import Begun, Ended, Happening, Malformed, Mentioned, Placed, Visit, Wanted, Written

FILES = "file_urls[]"
SUBDOMAIN = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
#: An id that we have made.
OURS = re.compile(r"^[A-Za-z0-9_-]{1,64}\Z")
NO_WORD = re.compile(r"[^a-z0-9_]+")
#: Beyond what a database keeps as a number.
LARGEST_ID = 2**62


def fields(body: bytes) -> list[tuple[str, str]]:
    """A form's fields, in order. Raises Malformed."""
    if body.count(b"&") >= limits.FIELDS:
        raise Malformed("The form has more fields than any of these.")
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict")
    except ValueError as wrong:
        raise Malformed("This is no form in UTF-8.") from wrong


def _form(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The last value of each field: what is null to Zendesk is absent or blank here."""
    return {name: value.replace("\x00", "") for name, value in pairs}


def metadata(text: str) -> tuple[str, str]:
    """Link and secret of what we gave Zendesk to keep; two blanks where it is none of ours."""
    try:
        kept = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return "", ""
    if not isinstance(kept, dict):
        return "", ""
    link, secret = kept.get("link"), kept.get("secret")
    if not isinstance(link, str) or not isinstance(secret, str) or not OURS.match(link):
        return "", ""
    return link, secret


def written(body: bytes) -> Written:
    """A channelback. Raises Malformed."""
    pairs = fields(body)
    form = _form(pairs)
    link, secret = metadata(form.get("metadata", ""))
    files = tuple(value for name, value in pairs if name in (FILES, "file_urls") and value)
    return Written(
        link, secret, form.get("request_unique_identifier", ""), form.get("thread_id", ""), form.get("parent_id", ""),
        form.get("message", ""), files,
    )  # fmt: skip


def wanted(body: bytes) -> Wanted:
    """A pull. Raises Malformed."""
    form = _form(fields(body))
    link, secret = metadata(form.get("metadata", ""))
    return Wanted(link, secret, form.get("state", ""))


def visit(body: bytes, *, loopback: bool, pushes: bool) -> Visit:
    """An admin's visit. `pushes`: it brings a token. `loopback`: a Zendesk on this machine may send one, too (a sandbox).

    Raises Malformed.
    """
    form = _form(fields(body))
    back, subdomain = form.get("return_url", ""), form.get("subdomain", "").strip().lower()
    token, instance = form.get("zendesk_access_token", "").strip(), form.get("instance_push_id", "").strip()
    if not SUBDOMAIN.match(subdomain):
        raise Malformed("The visit does not say from which Zendesk it comes.")
    base = _base(back, subdomain, loopback=loopback)
    if not pushes:
        token = instance = ""
    elif not token or not instance or not _plain(token, limits.TOKEN) or not _plain(instance, limits.INSTANCE):
        raise Malformed("Zendesk sent no push token: its OAuth client for this service is missing.")
    link, _ = metadata(form.get("metadata", ""))
    locale, name = form.get("locale", "")[: limits.LOCALE], form.get("name", "")[: limits.ACCOUNT_NAME]
    return Visit(base, subdomain, locale, instance, back, token, name, link)


def _base(back: str, subdomain: str, *, loopback: bool) -> str:
    """Where that Zendesk is reached. Raises Malformed where the way back leads to anybody else."""
    if not _plain(back, limits.WAY_BACK):
        raise Malformed("The way back is no address.")
    try:
        parts = urlsplit(back)
        host, port = parts.hostname or "", parts.port
    except ValueError as wrong:
        raise Malformed("The way back is no address.") from wrong
    if parts.username or parts.password or "\\" in back:
        raise Malformed("The way back is no address.")
    if loopback and parts.scheme == "http" and host in ("127.0.0.1", "localhost"):
        return f"http://{host}:{port}" if port else f"http://{host}"
    if parts.scheme != "https" or port not in (None, 443) or host != f"{subdomain}.zendesk.com":
        raise Malformed("The way back does not lead to this Zendesk.")
    return f"https://{host}"


def _plain(text: str, limit: int) -> bool:
    return len(text) <= limit and text.isascii() and text.isprintable() and " " not in text


def happenings(body: bytes) -> list[Happening]:
    """An event callback. Raises Malformed where it is not JSON with `events`."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Malformed("This is no JSON.") from wrong
    events = told.get("events") if isinstance(told, dict) else None
    if not isinstance(events, list):
        raise Malformed("This holds no events.")
    return [one for event in events[: limits.EVENTS] for one in _happening(event)][: limits.EVENTS]


def _happening(event: Any) -> list[Happening]:
    if not isinstance(event, dict):
        return [Mentioned("unreadable")]
    kind, data = word(event.get("type_id")), event.get("data")
    data = data if isinstance(data, dict) else {}
    kept = data.get("metadata")
    link, secret = metadata(kept) if isinstance(kept, str) else ("", "")
    if kind == "resources_created_from_external_ids":
        events = data.get("resource_events")
        return [placed for each in (events if isinstance(events, list) else [])[: limits.EVENTS] if (placed := _placed(each))]
    if kind == "deactivate_integration_instance":
        return [Ended(link, secret, for_good=False, code=word(data.get("deactivated_by")))]
    if kind == "destroy_integration_instance":
        return [Ended(link, secret, for_good=True, code="removed")]
    if kind in ("activate_integration_instance", "create_integration_instance"):
        return [Begun(link, secret)]
    return [Mentioned(kind or "unreadable", bool(event.get("error")))]


def _placed(event: Any) -> Placed | None:
    if not isinstance(event, Mapping):
        return None
    item, comment, ticket = event.get("external_id"), _id(event.get("comment_id")), _id(event.get("ticket_id"))
    # Zendesk opened a new ticket for it: that one has the comment.
    follow_up = _id(event.get("follow_up_ticket_id"))
    if not isinstance(item, str) or not OURS.match(item) or not (follow_up or ticket):
        return None
    return Placed(item, follow_up or ticket, comment)


def _id(value: Any) -> int:
    """A number of Zendesk's, 0 where there is none. It writes them as numbers, and here and there as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST_ID else 0


def word(value: Any) -> str:
    """A code of Zendesk's as a short word that is fit for a log."""
    return NO_WORD.sub("_", value[: limits.CODE].lower()).strip("_") if isinstance(value, str) else ""
