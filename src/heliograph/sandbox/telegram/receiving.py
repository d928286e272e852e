"""The methods by which a bot learns what happened: getMe, getUpdates, webhooks, getFile."""

import re
from urllib.parse import urlsplit

from heliograph.sandbox.telegram.center import Center, Params, Problem, done
from heliograph.sandbox.telegram.state import Bot
from heliograph.sandbox.wire import SECOND, Json, Outcome, Park, Reply, Response

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def get_me(center: Center, bot: Bot, params: Params) -> Response:
    """Who the token belongs to."""
    return done(bot.to_json())


def get_updates(center: Center, bot: Bot, params: Params) -> Outcome:
    """Long polling. A second call ends the first with 409; an offset confirms what came before it."""
    if bot.webhook:
        return Reply(_conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"))
    offset = params.whole("offset", 0)
    limit = min(max(params.whole("limit", 100), 1), 100)
    wait = min(max(params.whole("timeout", 0), 0), 50)
    _allow(bot, params)
    bot.poll += 1
    poll = bot.poll
    if offset > 0:
        bot.updates = [u for u in bot.updates if u["update_id"] >= offset]
    elif offset < 0:
        bot.updates = bot.updates[offset:]
    until = center.now() + wait * SECOND
    center.changed()

    def look() -> Outcome:
        if bot.poll != poll:
            return Reply(_conflict("terminated by other getUpdates request; make sure that only one bot instance is running"))
        if bot.webhook:
            return Reply(_conflict("terminated by setWebhook request"))
        if bot.updates or center.now() >= until:
            return Reply(done(bot.updates[:limit]))
        return Park(until=until, wakeable=True, again=look)

    return look()


def set_webhook(center: Center, bot: Bot, params: Params) -> Response:
    """Have updates sent to an address; an empty one removes it."""
    url, secret = params.text("url"), params.text("secret_token")
    if not url:
        return delete_webhook(center, bot, params)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise Problem(400, "Bad Request: bad webhook: Failed to parse URL") from None
    # The real service insists on HTTPS; here loopback may do without.
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise Problem(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise Problem(400, "Bad Request: secret token contains unallowed characters")
    if params.text("drop_pending_updates").lower() == "true":
        bot.updates.clear()
    _allow(bot, params)
    center.set_webhook(bot, url, secret)
    return done(result=True, description="Webhook was set")


def delete_webhook(center: Center, bot: Bot, params: Params) -> Response:
    """Back to getUpdates."""
    was_set = bot.webhook is not None
    if params.text("drop_pending_updates").lower() == "true":
        bot.updates.clear()
    center.drop_webhook(bot)
    return done(result=True, description="Webhook was deleted" if was_set else "Webhook is already deleted")


def get_webhook_info(center: Center, bot: Bot, params: Params) -> Response:
    """Where updates go, and what went wrong last."""
    info: Json = {
        "url": bot.webhook.url if bot.webhook else "", "has_custom_certificate": False, "pending_update_count": len(bot.updates),
    }  # fmt: skip
    if bot.webhook:
        info["max_connections"] = 40
        failure = next((e for e in reversed(center.outbox.log) if e["webhook"] == bot.webhook.id), None)
        if failure and not (failure["code"] and 200 <= failure["code"] < 300):
            info["last_error_date"] = failure["at"] // SECOND
            shown = f"Wrong response from the webhook: {failure['code']}" if failure["code"] else "Connection timed out"
            info["last_error_message"] = shown
    if bot.allowed:
        info["allowed_updates"] = list(bot.allowed)
    return done(info)


def get_file(center: Center, bot: Bot, params: Params) -> Response:
    """Where a file can be downloaded; at most 20 MB."""
    file = bot.files.get(params.text("file_id"))
    if file is None:
        raise Problem(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    if len(file.data) > center.download_limit:
        raise Problem(400, "Bad Request: file is too big")
    shown = {"file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data), "file_path": file.path}
    return done(shown)


def _allow(bot: Bot, params: Params) -> None:
    allowed = params.packed("allowed_updates")
    if isinstance(allowed, list):
        bot.allowed = tuple(str(a) for a in allowed)


def _conflict(why: str) -> Response:
    return Problem(409, f"Conflict: {why}").response
