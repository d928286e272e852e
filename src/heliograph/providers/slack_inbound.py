"""Translates events of Slack's Events API, and messages of its lists, into facts. Everything here is pure and total.

Source: the reference of events and of message subtypes at https://docs.slack.dev/reference/events.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heliograph.domain.content import Content, Media, MediaKind, Text
from heliograph.ports.provider import (
    Author,
    ConversationRemoved,
    Ignored,
    Inbound,
    InboundMessage,
    Receipt,
    ReceiptLevel,
)
from heliograph.providers import wire
from heliograph.providers.wire import rows, table, text

#: The type of the metadata that goes out with our messages, and the name of our id in it.
EVENT_TYPE = "heliograph_reply"
KEY = "key"
#: Beside a file our id is that of a block, after this.
BLOCK = "heliograph:"

#: Subtypes of a message that somebody wrote; all others tell what happened in the channel.
WRITTEN = frozenset({"", "file_share", "thread_broadcast", "me_message", "bot_message"})

#: Events and subtypes after which the channel takes no more messages.
CLOSING = frozenset({"channel_archive", "group_archive", "channel_deleted", "group_deleted", "channel_left", "group_left"})

TS = re.compile(r"([0-9]{1,11})\.([0-9]{1,6})")
#: Links and mentions: <target> or <target|label>.
MARKUP = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")


@dataclass(frozen=True, slots=True)
class Ours:
    """What a call or a list tells of whose app this is. Empty fields are unknown."""

    app: str = ""
    user: str = ""
    bot: str = ""
    #: The team that installed the app, where the channel is shared with another company's; "" elsewhere.
    host: str = ""

    def wrote(self, message: Mapping[str, Any]) -> bool:
        """Whether the message is our app's own."""
        app = text(message.get("app_id")) or text(table(message.get("bot_profile")).get("app_id"))
        return (
            bool(self.app and app == self.app)
            or bool(self.user and text(message.get("user")) == self.user)
            or bool(self.bot and text(message.get("bot_id")) == self.bot)
        )


def key_of(message: Mapping[str, Any]) -> str:
    """Our id of the delivery, where a bot's message carries it. People set neither metadata nor ids of blocks."""
    if not text(message.get("bot_id")):
        return ""
    metadata = table(message.get("metadata"))
    if metadata.get("event_type") == EVENT_TYPE:
        return text(table(metadata.get("event_payload")).get(KEY))
    blocks = (text(table(block).get("block_id")) for block in rows(message.get("blocks")))
    return next((block.removeprefix(BLOCK) for block in blocks if block.startswith(BLOCK)), "")


def message_id(channel: str, message: Mapping[str, Any]) -> str:
    """What we call a message of ours: of a shared file nothing but the file's id is known when Slack takes it."""
    files = [text(table(each).get("id")) for each in rows(message.get("files"))]
    return f"{channel}:{files[0] if files and files[0] else text(message.get('ts'))}"


def micros(ts: Any) -> int:
    """A message's number, which is its time, in microseconds; 0 where it is none."""
    found = TS.fullmatch(ts) if isinstance(ts, str) else None
    return int(found[1]) * 1_000_000 + int(found[2].ljust(6, "0")) if found else 0


def parse_body(body: bytes) -> list[Inbound]:
    """The facts of one call, which carries one event."""
    call = wire.decode(body)
    fallback = wire.fingerprint(body)
    if not isinstance(call, dict):
        return [Ignored(fallback, "not_an_event")]
    event_id = wire.name(call.get("event_id"), fallback)
    try:
        if call.get("type") != "event_callback":
            return [Ignored(event_id, wire.name(call.get("type")))]
        return [_event(event_id, call, table(call.get("event")))]
    except Exception:  # what cannot be read must not fail the call
        return [Ignored(event_id, "untranslatable")]


def _event(event_id: str, call: Mapping[str, Any], event: Mapping[str, Any]) -> Inbound:
    kind, subtype = wire.name(event.get("type")), wire.name(event.get("subtype"), "")
    bots = [table(each) for each in rows(call.get("authorizations")) if table(each).get("is_bot") is True]
    ours = Ours(
        text(call.get("api_app_id")),
        text(bots[0].get("user_id")) if bots else "",
        host=text(call.get("team_id")) if call.get("is_ext_shared_channel") is True else "",
    )
    channel = text(event.get("channel")) or text(event.get("channel_id"))
    at = micros(event.get("event_ts")) or _seconds(call.get("event_time"))
    if kind in CLOSING or (kind == "message" and subtype in CLOSING):
        return ConversationRemoved(event_id, channel, at) if channel else Ignored(event_id, "incomplete_event")
    if kind == "member_left_channel" and channel and ours.user and text(event.get("user")) == ours.user:
        return ConversationRemoved(event_id, channel, at)
    if kind == "message_metadata_posted":
        return _metadata(event_id, event, channel, ours)
    if kind not in ("message", "app_mention"):
        # Revoked tokens as well: what that means the next call to the provider tells with certainty.
        return Ignored(event_id, kind)
    if subtype == "message_changed":
        return _edit(event_id, event, channel, ours)
    if subtype not in WRITTEN:
        return Ignored(event_id, subtype)
    return message_fact(event, channel, ours, event_id)


def _metadata(event_id: str, event: Mapping[str, Any], channel: str, ours: Ours) -> Inbound:
    """The same echo, for apps whose manifest subscribes to their own metadata."""
    ts = text(event.get("message_ts"))
    key = key_of(event)
    if not (key and channel and micros(ts)) or not ours.wrote(event):
        return Ignored(event_id, "message_metadata_posted")
    return Receipt(f"metadata:{channel}:{ts}", ReceiptLevel.ACCEPTED, micros(ts), f"{channel}:{ts}", key)


def _edit(event_id: str, event: Mapping[str, Any], channel: str, ours: Ours) -> Inbound:
    """A person's correction is a message of its own; that Slack has unfolded a link is none, and neither is a bot's edit."""
    message = table(event.get("message"))
    edited = text(table(message.get("edited")).get("ts"))
    if not edited or ours.wrote(message) or text(message.get("bot_id")) or wire.name(message.get("subtype"), "") not in WRITTEN:
        return Ignored(event_id, "message_changed")
    fact = message_fact(message, channel, ours, event_id)
    if not isinstance(fact, InboundMessage):
        return fact
    return InboundMessage(
        f"{fact.event_id}:edited:{edited}",
        fact.conversation,
        fact.contact,
        fact.contact_name,
        fact.message_id,
        fact.author,
        fact.contents,
        micros(edited) or fact.occurred_at,
        (*fact.not_carried, "edit"),
    )


def message_fact(message: Mapping[str, Any], channel: str, ours: Ours, fallback_id: str) -> Inbound:
    """The fact that one message states: the same, with the same id, by an event, by a mention and from a list."""
    ts = text(message.get("ts"))
    if not channel or not micros(ts):
        return Ignored(fallback_id, "incomplete_message")
    event_id, at = f"message:{channel}:{ts}", micros(ts)
    if ours.wrote(message):
        return Receipt(event_id, ReceiptLevel.ACCEPTED, at, message_id(channel, message), key_of(message))
    user, bot = text(message.get("user")), text(message.get("bot_id"))
    contents, not_carried = _contents(message, ours)
    profile = table(message.get("user_profile")) or table(message.get("bot_profile"))
    home = text(message.get("user_team")) or text(message.get("team"))
    return InboundMessage(
        event_id,
        conversation_id(channel, message),
        user or bot,
        text(profile.get("real_name")) or text(profile.get("display_name")) or text(profile.get("name")) or text(message.get("username")),
        f"{channel}:{ts}",
        # In a channel shared between two companies, those of ours are no contacts.
        Author.BUSINESS if bot or (ours.host and home == ours.host) else Author.CONTACT,
        contents,
        at,
        not_carried,
    )


def conversation_id(channel: str, message: Mapping[str, Any]) -> str:
    """A direct channel is one conversation; elsewhere each thread is, and a message outside of one begins one."""
    thread = text(message.get("thread_ts"))
    if thread:
        return f"{channel}:{thread}"
    return channel if channel.startswith("D") else f"{channel}:{text(message.get('ts'))}"


def _seconds(value: Any) -> int:
    found = wire.number(value)
    return int(found) * 1_000_000 if found is not None and 0 < found < 1e11 else 0


def _contents(message: Mapping[str, Any], ours: Ours) -> tuple[tuple[Content, ...], tuple[str, ...]]:
    shown = text(message.get("text"))
    if not shown:
        attached = [table(each) for each in rows(message.get("attachments"))]
        shown = "\n".join(filter(None, (text(each.get("text")) or text(each.get("fallback")) for each in attached)))
    body = plain(shown, ours.user)
    contents: list[Content] = [Text(body)] if body.strip() else []
    not_carried: list[str] = []
    for each in map(table, rows(message.get("files"))):
        found = _file(each)
        if found is None:
            not_carried.append("file")
        else:
            contents.append(found)
    if not contents and not not_carried:
        not_carried.append("blocks" if message.get("blocks") else "unknown")
    return tuple(contents), tuple(dict.fromkeys(not_carried))


def _file(file: Mapping[str, Any]) -> Content | None:
    url = text(file.get("url_private_download")) or text(file.get("url_private"))
    name = text(file.get("name")) or text(file.get("title"))
    if not url:
        # Deleted, beyond the plan's limit, or another company's: there is nothing to fetch.
        return None
    if file.get("mode") == "external" or file.get("is_external") is True:
        return Text(f"{name} {url}".strip())
    media_type = text(file.get("mimetype")).lower() or "application/octet-stream"
    kind = MediaKind.of(media_type)
    return Media(kind, name[:255] or kind.value, media_type, wire.size(file.get("size")), None, url)


def plain(body: str, bot_user: str = "") -> str:
    """What a reader sees of Slack's markup of links, mentions and entities. A mention of our bot at the beginning goes."""
    if bot_user and body.startswith(f"<@{bot_user}"):
        body = body.partition(">")[2].lstrip(" :,")
    return MARKUP.sub(_shown, body).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _shown(found: re.Match[str]) -> str:
    target, label = found[1], found[2] or ""
    match target[:1]:
        case "@":
            return f"@{label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
        case _:
            address = target.removeprefix("mailto:").removeprefix("tel:")
            return address if not label or label in (target, address) or target.endswith(f"//{label}") else f"{label} ({address})"
