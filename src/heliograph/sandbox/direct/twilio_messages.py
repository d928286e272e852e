"""How the simulated Twilio writes things down: messages as its API shows them, webhooks as its forms, errors by its codes."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from heliograph.sandbox.direct.service import Call, Problem
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.outbox import RetryPolicy
from heliograph.sandbox.wire import SECOND, Json, Request, Response, answer

VERSION = "2010-04-01"
SMS_LIMIT = 1600

#: Without overrides one repeat, and only where no connection was made; an answer, whatever it is, ends it.
#: With them (`#rc=…&rp=…`) up to five, all within 15 seconds (Twilio's guide "Webhook connection overrides").
ANSWERS = frozenset(range(300, 600))
SPAN = 15.0

MESSAGES = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination/account",
    21609: "The 'StatusCallback' URL is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21620: "Invalid media URL",
    21655: "The ContentSid is invalid",
    21656: "The ContentVariables parameter is invalid",
    21701: "The Messaging Service does not exist.",
    21910: "Invalid From and To pair. From and To should be of the same channel",
    63007: "Twilio could not find a Channel with the specified From address",
}


def problem(code: int, number: int = 400, headers: Mapping[str, str] | None = None) -> Response:
    """An error answer."""
    message = MESSAGES.get(code, "The request was refused")
    more = f"https://www.twilio.com/docs/errors/{code}"
    response = answer(number, {"code": code, "message": message, "more_info": more, "status": number})
    for name, value in (headers or {}).items():
        response = response.with_header(name, value)
    return response


def refused(code: int, number: int = 400) -> Problem:
    """The same, to raise."""
    return Problem(problem(code, number))


def message_of(call: Call) -> Post:
    """The message that a path names. Raises Problem."""
    sid, account = call.args["message"], call.account
    written = (post for place in account.conversations.values() for post in place.posts if post.mine)
    post: Post | None = account.more["sent"].get(sid) or next((post for post in written if post.id == sid), None)
    if post is None:
        raise refused(20404, 404)
    return post


def form_of(request: Request) -> dict[str, str]:
    """A form's fields; of a body that is no form there are none, as the real service has it."""
    if request.form or "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
        return dict(request.form)
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def http_url(value: str) -> bool:
    """Whether it is an address that Twilio would call."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def key_of(callback: str) -> str:
    """Our id of the delivery, from the address for receipts."""
    return parse_qs(urlsplit(callback).query).get("reply", [""])[0]


def retries_of(url: str) -> tuple[str, RetryPolicy]:
    """The address that is called, and how often: the fragment says it, and is not sent."""
    bare, _, fragment = url.partition("#")
    asked = dict(parse_qsl(fragment))
    count = int(asked["rc"]) if asked.get("rc", "").isdecimal() and int(asked["rc"]) <= 5 else 1
    kinds = set(asked.get("rp", "ct").split(","))
    final = set(ANSWERS)
    if kinds & {"all", "4xx"}:
        final -= set(range(400, 500))
    if kinds & {"all", "5xx"}:
        final -= set(range(500, 600))
    return bare, RetryPolicy(tuple(min(0.25 * 2**n, SPAN / 3) for n in range(count)), frozenset(final), SPAN)


def signed(secret: str, url: str, fields: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a webhook call."""
    pairs = "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(secret.encode(), (url + pairs).encode(), hashlib.sha1).digest()
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8", "user-agent": "TwilioProxy/1.1",
        "x-twilio-signature": base64.b64encode(digest).decode(),
    }  # fmt: skip
    return headers, urlencode(fields).encode()


def when(microseconds: int) -> str:
    """A time as the API shows it."""
    return format_datetime(datetime.fromtimestamp(microseconds // SECOND, UTC))


def channel_of(address: str) -> str:
    """ "whatsapp" or "", for SMS."""
    return "whatsapp" if address.startswith("whatsapp:") else ""


def shown(account: Account, post: Post, state: str) -> Json:
    """A message as the API shows it."""
    base = f"/{VERSION}/Accounts/{account.id}/Messages/{post.id}"
    error = post.more.get("error")
    return {
        "account_sid": account.id, "api_version": VERSION, "body": post.text, "date_created": when(post.at), "date_sent": when(post.at),
        "date_updated": when(post.at), "direction": "inbound" if post.mine else "outbound-api",
        "error_code": error if state in ("failed", "undelivered") else None, "error_message": None, "from": post.more["from"],
        "messaging_service_sid": post.more.get("service"), "num_media": str(int(bool(post.file or post.url))), "num_segments": "1",
        "price": None, "price_unit": "USD", "sid": post.id, "status": state, "subresource_uris": {"media": f"{base}/Media.json"},
        "to": post.more["to"], "uri": f"{base}.json",
    }  # fmt: skip


def arrival(account: Account, place: Conversation, post: Post, base: str) -> dict[str, str]:
    """The form of an inbound message; `base` is where its files are fetched."""
    fields = {
        "MessageSid": post.id, "SmsMessageSid": post.id, "SmsSid": post.id, "SmsStatus": "received", "AccountSid": account.id,
        "ApiVersion": VERSION, "From": place.id, "To": post.more["to"], "Body": post.text, "NumMedia": "0", "NumSegments": "1",
    }  # fmt: skip
    if account.more["service"]:
        fields["MessagingServiceSid"] = account.more["service"]
    if channel_of(place.id):
        kind = {"file": "document"}.get(post.kind, post.kind)
        number = place.id.partition("+")[2]
        fields |= {"ProfileName": place.name, "WaId": number, "ChannelPrefix": "whatsapp", "MessageType": kind}
    if post.file:
        url = f"{base}/{VERSION}/Accounts/{account.id}/Messages/{post.id}/Media/{post.file}"
        fields |= {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": account.files[post.file].media_type}
    if post.place:
        fields |= {"Latitude": f"{post.place['lat']:.6f}", "Longitude": f"{post.place['long']:.6f}"}
    more: dict[str, str] = post.more.get("fields", {})
    return fields | more


def news(account: Account, post: Post, state: str) -> dict[str, str]:
    """The form of a status callback."""
    fields = {
        "MessageSid": post.id, "MessageStatus": state, "SmsSid": post.id, "SmsStatus": state, "AccountSid": account.id,
        "ApiVersion": VERSION, "From": post.more["from"], "To": post.more["to"],
    }  # fmt: skip
    if channel_of(post.more["to"]):
        fields |= {"ChannelPrefix": "whatsapp"} | ({"EventType": "READ"} if state == "read" else {})
    if state in ("failed", "undelivered"):
        fields["ErrorCode"] = str(post.more["error"])
    return fields
