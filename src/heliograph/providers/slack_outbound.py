"""What is true of Slack as data, and how a comment becomes messages of its Web API."""

import re
from collections.abc import Iterator

from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.split import split_text, utf16_units
from heliograph.ports.provider import TEXT_AND_FILES, Advance, Field, Part, ProviderSpec, Rates, Support, Unsupported
from heliograph.providers import places, rendering

BASE_URL = "https://slack.com/api"

SPEC = ProviderSpec(
    name="slack",
    title="Slack",
    fields=(
        Field("bot_token", "Bot User OAuth Token", secret=True, hint="Under OAuth & Permissions: begins with xoxb-."),
        Field(
            "webhook_secret",
            "Signing Secret",
            secret=True,
            required=False,
            hint="Under Basic Information, App Credentials. While it is changed: both, separated by a space.",
        ),
        Field("base_url", "Address of the API", required=False, default=BASE_URL),
    ),
    dedupe=DedupeClass.LOOKUP,
    advance=Advance.ON_ACCEPTANCE,
    # Slack cuts off what is beyond 40,000 characters and says nothing; 4,000 is what it recommends. It is counted before
    # escaping, which makes a text five times as long at worst: still below where anything is cut off.
    text_limit=4000,
    measure=utf16_units,
    file_limit=1024 * 1024 * 1024,
    content={**TEXT_AND_FILES, "location": Support.PARTIAL, "rich": Support.REFUSED},
    capabilities=frozenset({"webhook", "challenge", "find", "history", "fetch_media", "names"}),
    # A file is looked through before it appears, after Slack has said that it took it: absence is proof late only.
    settle=120.0,
    timeout=60.0,
    # "One message per second per channel"; the limit of the whole workspace has no number.
    rates=Rates(conversation=1.0, burst=5),
    setup=(
        "Open https://api.slack.com/apps, choose Create New App, From scratch, and the workspace.",
        "Under OAuth & Permissions, add the Bot Token Scopes chat:write, files:read, files:write, im:history, channels:history, "
        "groups:history, mpim:history, metadata.message:read, users:read and app_mentions:read. Choose Install to Workspace, and copy "
        "the Bot User OAuth Token.",
        "Under Basic Information, App Credentials, copy the Signing Secret.",
        "Under App Home, switch on the Messages Tab and allow users to send messages from it.",
        "Save the channel here first: Slack asks the address a question that only the Signing Secret can answer.",
        "Under Event Subscriptions, switch on Enable Events and enter {webhook_url} as the Request URL. Under Subscribe to bot events, "
        "add message.im, message.channels, message.groups, message.mpim, app_mention, member_left_channel, channel_archive, "
        "channel_deleted, group_archive, group_deleted, tokens_revoked and app_uninstalled. Save Changes.",
        "In Slack, invite the bot to each channel that it is to answer in.",
    ),
    docs="https://docs.slack.dev/reference/methods/chat.postMessage",
)

NAME_LIMIT = 255
#: Characters of the text in one block, which is what is shown beside a file.
BLOCK_LIMIT = 3000


def escaped(body: str) -> str:
    """Text in which nothing is markup: Slack reads links, mentions and entities out of these three characters."""
    return body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def parts(content: Content) -> Iterator[Part]:
    """The messages that carry one content, in order. Raises Unsupported."""
    match content:
        case Text(body):
            yield from _text(body)
        case Media():
            yield from _media(content)
        case Location():
            yield from _text(places.in_words(content))
        case Rich():
            raise Unsupported("structured content has no counterpart on Slack")


def _text(body: str) -> Iterator[Part]:
    for piece in split_text(body, SPEC.text_limit, measure=utf16_units):
        yield Part("text", {"text": escaped(piece)})


def _media(media: Media) -> Iterator[Part]:
    rendering.fits(media, SPEC.file_limit)
    if media.size == 0:
        raise Unsupported("Slack takes no empty files")
    caption = media.caption if media.caption.strip() and utf16_units(media.caption) <= BLOCK_LIMIT else ""
    name = re.sub(r"[\x00-\x1f\x7f]", "_", media.name)[:NAME_LIMIT] or "file"
    yield Part(media.kind.value, {"filename": name, "caption": caption}, media)
    if not caption:
        yield from _text(media.caption)
