"""Slack under the contract."""

import hashlib
import hmac
from typing import Any

from slack_bolt.request.internals import extract_channel_id, extract_team_id
from slack_bolt.request.payload_utils import is_event, to_message
from slack_sdk.models.metadata import Metadata
from slack_sdk.signature import SignatureVerifier

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, RawRequest, Refused, SendResult, Unknown
from tests.providers.contract import BODY_CANARY, CANARY, Case, Documented, as_json
from tests.providers.misbehaving import answer

AT = 1_772_357_400_000_000
TS = "1772357400.000100"
TEAM, APP, BOT, BOT_USER, USER, CHANNEL, DIRECT = "T024BE7LD", "A0HELIO01", "B0HELIO01", "U0HELIO01", "U061F7AUR", "C024BE91L", "D024BE91L"


def signed(body: bytes, secret: str, at: int = AT) -> RawRequest:
    stamp = str(at // 1_000_000)
    digest = hmac.new(secret.encode("utf-8", "surrogatepass"), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-slack-signature": f"v0={digest}", "x-slack-request-timestamp": stamp, "content-type": "application/json"}
    return RawRequest("POST", "/hooks/slack/chn_1", {}, headers, body, "https://desk.example/hooks/slack/chn_1", at)


class Then:
    """The official verifier's clock."""

    def now(self) -> float:
        return AT / 1_000_000


def judge(body: Any) -> None:
    """Slack publishes no model of its events in Python; its own framework finds in them what it hands to apps."""
    assert is_event(body) and extract_team_id(body) == TEAM
    message = to_message(body)
    if message is not None:
        assert extract_channel_id(body) == message["channel"]
        if "metadata" in message:
            assert Metadata(**message["metadata"]).to_dict() == message["metadata"]
    request = signed(as_json(body), f"{CANARY}-old")
    assert SignatureVerifier(f"{CANARY}-old", Then()).is_valid_request(request.body, request.headers)  # type: ignore[arg-type]


def error(code: str, reason: Reason, outcome: type[SendResult] = Refused, number: int = 200, **more: Any) -> Documented:
    body = {"ok": False, "error": code, "needed": BODY_CANARY}
    return Documented(f"{number} {code}", answer(number, body, more.pop("headers", {})), outcome, reason, **more)


#: Each code of the table once more, by hand.
REFUSED: dict[Reason, tuple[str, ...]] = {
    Reason.BAD_CREDENTIALS: (
        *("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"),
    ),
    Reason.NOT_PERMITTED: (
        *("missing_scope", "ekm_access_denied", "accesslimited", "enterprise_is_restricted", "two_factor_setup_required"),
        *("team_access_not_granted", "app_access_restricted", "is_bot", "metadata_must_be_sent_from_app"),
    ),
    Reason.BAD_RECIPIENT: (
        "channel_not_found",
        "invalid_channel",
        "user_not_found",
        "cannot_dm_bot",
        "messages_tab_disabled",
        "team_not_found",
    ),
    Reason.BLOCKED: ("user_disabled",),
    Reason.CONVERSATION_CLOSED: (
        *("not_in_channel", "is_archived", "no_permission", "access_denied", "posting_to_channel_denied", "thread_not_found"),
        *("restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
        *("restricted_action_non_threadable_channel", "restricted_action_thread_locked", "cannot_reply_to_message"),
        "channel_is_limited_access",
    ),
    Reason.TOO_LARGE: (
        *("msg_too_long", "file_upload_size_restricted", "storage_limit_reached", "msg_blocks_too_long"),
        "attachment_payload_limit_exceeded",
    ),
    Reason.UNSUPPORTED: (
        *("file_uploads_disabled", "slack_connect_file_upload_sharing_blocked", "slack_connect_blocked_file_type"),
        *("file_uploads_except_images_disabled", "file_type_not_allowed", "slack_connect_file_link_sharing_blocked"),
    ),
    Reason.BAD_REQUEST: (
        *("no_text", "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset", "invalid_form_data"),
        *("invalid_post_type", "missing_post_type", "missing_argument", "invalid_metadata_format", "metadata_too_large"),
        *("as_user_not_supported", "too_many_attachments", "file_not_found", "method_deprecated", "deprecated_endpoint"),
        *("invalid_metadata_schema", "missing_file_data"),
    ),
    Reason.OTHER: ("a_new_thing",),
}
DEFERRED: dict[Reason, tuple[str, ...]] = {
    Reason.RATE_LIMITED: ("ratelimited", "rate_limited", "message_limit_exceeded"),
    Reason.NETWORK: ("request_timeout",),
    Reason.PROVIDER_DOWN: ("org_login_required", "team_added_to_org", "unknown_method"),
}

CASE = Case(
    config={"bot_token": f"xoxb-{CANARY}", "webhook_secret": f"{CANARY}-old {CANARY}-new"},
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: f"{server}/api",
    to=Address(f"{CHANNEL}:{TS}", USER),
    accepted=answer(
        200,
        {
            "ok": True,
            "channel": CHANNEL,
            "ts": "1772357401.000200",
            "message": {"type": "message", "text": BODY_CANARY, "bot_id": BOT, "ts": "1772357401.000200"},
        },
    ),
    provider_id=f"{CHANNEL}:1772357401.000200",
    valid=answer(
        200,
        {"ok": True, "url": "https://shop.slack.com/", "team": "Shop", "user": "desk", "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT},
    ),
    named=answer(200, {"ok": True, "user": {"id": "U1", "name": "ada", "real_name": "Ada Lovelace", "profile": {"display_name": "ada"}}}),
    identity=f"{TEAM}:{BOT}",
    errors=(
        *(error(code, reason) for reason, codes in REFUSED.items() for code in codes),
        *(error(code, reason, Deferred) for reason, codes in DEFERRED.items() for code in codes),
        *(
            error(code, Reason.PROVIDER_DOWN, Unknown)
            for code in ("internal_error", "fatal_error", "service_unavailable", "file_update_failed")
        ),
        error("ratelimited", Reason.RATE_LIMITED, Deferred, 429, headers={"Retry-After": "30"}, after=30.0),
        error("invalid_auth", Reason.BAD_CREDENTIALS, number=401),
        Documented("429 of a gateway", answer(429, b""), Deferred, Reason.RATE_LIMITED),
        Documented("401 of a gateway", answer(401, b""), Refused, Reason.BAD_CREDENTIALS),
        Documented("403 of a gateway", answer(403, b"<html>"), Refused, Reason.NOT_PERMITTED),
        Documented("413 of a gateway", answer(413, b"<html>"), Refused, Reason.TOO_LARGE),
        Documented("404 of a gateway", answer(404, b"<html>"), Refused, Reason.OTHER),
        Documented("a redirect", answer(302, b"", {"Location": "https://elsewhere.example"}), Unknown, Reason.NO_ANSWER),
        Documented("200 without a message", answer(200, {"ok": True}), Unknown, Reason.NO_ANSWER),
        Documented("200 without an error's name", answer(200, {"ok": False}), Unknown, Reason.NO_ANSWER),
        Documented("503 of a gateway", answer(503, b"<html>"), Unknown, Reason.PROVIDER_DOWN),
    ),
    signed=signed,
    judge=judge,
    codes="heliograph.providers.slack_codes",
    unjudged=frozenset({"url_verification", "app_rate_limited"}),
)
