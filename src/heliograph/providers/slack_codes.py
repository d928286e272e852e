"""What Slack's answers mean: a 200 is no success, and an error has a name."""

from typing import Any

from heliograph.domain.reasons import Reason
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Deferred, Refused, SendResult, Unknown
from heliograph.providers import certainty, wire
from heliograph.providers.wire import ident, table, text

#: Each leaves the message certainly not posted, but for AMBIGUOUS. Those with [M] are from memory and unconfirmed.
CODES: dict[str, Reason] = {
    "invalid_auth": Reason.BAD_CREDENTIALS,
    "not_authed": Reason.BAD_CREDENTIALS,
    "token_revoked": Reason.BAD_CREDENTIALS,
    "token_expired": Reason.BAD_CREDENTIALS,
    "account_inactive": Reason.BAD_CREDENTIALS,
    "not_allowed_token_type": Reason.BAD_CREDENTIALS,
    "missing_scope": Reason.NOT_PERMITTED,
    "ekm_access_denied": Reason.NOT_PERMITTED,
    "accesslimited": Reason.NOT_PERMITTED,
    "enterprise_is_restricted": Reason.NOT_PERMITTED,
    "two_factor_setup_required": Reason.NOT_PERMITTED,
    "app_access_restricted": Reason.NOT_PERMITTED,
    "is_bot": Reason.NOT_PERMITTED,  # a legacy bot
    "metadata_must_be_sent_from_app": Reason.NOT_PERMITTED,
    "team_access_not_granted": Reason.NOT_PERMITTED,  # [M]
    "channel_not_found": Reason.BAD_RECIPIENT,
    "invalid_channel": Reason.BAD_RECIPIENT,
    "user_not_found": Reason.BAD_RECIPIENT,  # [M]
    "cannot_dm_bot": Reason.BAD_RECIPIENT,  # [M]
    "messages_tab_disabled": Reason.BAD_RECIPIENT,
    "team_not_found": Reason.BAD_RECIPIENT,
    "user_disabled": Reason.BLOCKED,  # [M]
    # What one channel does not allow says nothing of the others.
    "not_in_channel": Reason.CONVERSATION_CLOSED,
    "is_archived": Reason.CONVERSATION_CLOSED,
    "no_permission": Reason.CONVERSATION_CLOSED,
    "access_denied": Reason.CONVERSATION_CLOSED,
    "restricted_action": Reason.CONVERSATION_CLOSED,
    "restricted_action_read_only_channel": Reason.CONVERSATION_CLOSED,
    "restricted_action_thread_only_channel": Reason.CONVERSATION_CLOSED,
    "restricted_action_non_threadable_channel": Reason.CONVERSATION_CLOSED,
    "restricted_action_thread_locked": Reason.CONVERSATION_CLOSED,
    "posting_to_channel_denied": Reason.CONVERSATION_CLOSED,
    "thread_not_found": Reason.CONVERSATION_CLOSED,
    "cannot_reply_to_message": Reason.CONVERSATION_CLOSED,
    "channel_is_limited_access": Reason.CONVERSATION_CLOSED,
    "msg_too_long": Reason.TOO_LARGE,
    "msg_blocks_too_long": Reason.TOO_LARGE,
    "attachment_payload_limit_exceeded": Reason.TOO_LARGE,
    "file_upload_size_restricted": Reason.TOO_LARGE,
    "storage_limit_reached": Reason.TOO_LARGE,
    "file_uploads_disabled": Reason.UNSUPPORTED,
    "file_uploads_except_images_disabled": Reason.UNSUPPORTED,
    "file_type_not_allowed": Reason.UNSUPPORTED,
    "slack_connect_file_link_sharing_blocked": Reason.UNSUPPORTED,
    "slack_connect_file_upload_sharing_blocked": Reason.UNSUPPORTED,  # [M]
    "slack_connect_blocked_file_type": Reason.UNSUPPORTED,  # [M]
    "no_text": Reason.BAD_REQUEST,
    "invalid_arguments": Reason.BAD_REQUEST,
    "invalid_arg_name": Reason.BAD_REQUEST,
    "invalid_array_arg": Reason.BAD_REQUEST,
    "invalid_charset": Reason.BAD_REQUEST,
    "invalid_form_data": Reason.BAD_REQUEST,
    "invalid_post_type": Reason.BAD_REQUEST,
    "missing_post_type": Reason.BAD_REQUEST,
    "missing_argument": Reason.BAD_REQUEST,
    "invalid_metadata_format": Reason.BAD_REQUEST,
    "invalid_metadata_schema": Reason.BAD_REQUEST,
    "metadata_too_large": Reason.BAD_REQUEST,
    "as_user_not_supported": Reason.BAD_REQUEST,
    "too_many_attachments": Reason.BAD_REQUEST,
    "file_not_found": Reason.BAD_REQUEST,
    "missing_file_data": Reason.BAD_REQUEST,
    "method_deprecated": Reason.BAD_REQUEST,
    "deprecated_endpoint": Reason.BAD_REQUEST,
    "ratelimited": Reason.RATE_LIMITED,
    "rate_limited": Reason.RATE_LIMITED,
    "message_limit_exceeded": Reason.RATE_LIMITED,
    "request_timeout": Reason.NETWORK,
    "org_login_required": Reason.PROVIDER_DOWN,
    "team_added_to_org": Reason.PROVIDER_DOWN,
    "unknown_method": Reason.PROVIDER_DOWN,  # "currently not available"
    "internal_error": Reason.PROVIDER_DOWN,
    "fatal_error": Reason.PROVIDER_DOWN,
    "service_unavailable": Reason.PROVIDER_DOWN,
    "file_update_failed": Reason.PROVIDER_DOWN,
}

#: "It's possible some aspect of the operation succeeded before the error was raised"; the last two by caution.
AMBIGUOUS = frozenset({"internal_error", "fatal_error", "service_unavailable", "file_update_failed"})

#: Not the message's fault, and certainly not posted: it comes again.
PASSING = frozenset({Reason.RATE_LIMITED, Reason.NETWORK, Reason.PROVIDER_DOWN})


def meaning(response: HttpResponse) -> dict[str, Any] | SendResult:
    """What an answer means. 5xx is ambiguous, and so is what does not read as an answer of Slack's."""
    number = response.status
    answer = wire.decode(response.body)
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        answer = {}
    if answer.get("ok") is True and 200 <= number < 300:
        return answer
    code = wire.name(answer.get("error"), str(number))
    detail = text(answer.get("needed")) or ident(table(answer.get("response_metadata")).get("messages"))
    if number == 429:
        return Deferred(Reason.RATE_LIMITED, certainty.retry_after(response.headers), code, detail)
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, detail)
    if "error" not in answer and (number < 400 or number == 408):
        return Unknown(Reason.NO_ANSWER, code, detail)
    reason = CODES.get(code, Reason.OTHER)
    if code in AMBIGUOUS:
        return Unknown(reason, code, detail)
    if reason in PASSING:
        return Deferred(reason, certainty.retry_after(response.headers), code, detail)
    if reason is Reason.OTHER and code == str(number):
        reason = {401: Reason.BAD_CREDENTIALS, 403: Reason.NOT_PERMITTED, 413: Reason.TOO_LARGE}.get(number, reason)
    return Refused(reason, code, detail)
