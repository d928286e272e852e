"""The simulated Telegram Bot API: which method a request means, which bot it is for, what the faults make of it."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from heliograph.sandbox.faults import Fault, Faults, carry_out, code_of, network_outcome
from heliograph.sandbox.journal import Arrival, Journal, noted
from heliograph.sandbox.telegram import receiving, sending
from heliograph.sandbox.telegram.acts import acts
from heliograph.sandbox.telegram.center import Center, Params, Problem, done
from heliograph.sandbox.telegram.contact import Contacts
from heliograph.sandbox.telegram.phone import phone
from heliograph.sandbox.telegram.state import Bot
from heliograph.sandbox.wire import Json, Outcome, Reply, Request, Response

_Method = Callable[[Center, Bot, Params], Response]
_METHODS: dict[str, tuple[str, str, _Method]] = {
    name.lower(): (name, group, method)
    for name, group, method in (
        ("getMe", "read", receiving.get_me),
        ("setWebhook", "admin", receiving.set_webhook),
        ("deleteWebhook", "admin", receiving.delete_webhook),
        ("getWebhookInfo", "read", receiving.get_webhook_info),
        ("getFile", "read", receiving.get_file),
        ("sendMessage", "send", sending.send_message),
        ("sendPhoto", "send", sending.send_photo),
        ("sendDocument", "send", sending.send_document),
        ("sendVideo", "send", sending.send_video),
        ("sendAudio", "send", sending.send_audio),
        ("sendVoice", "send", sending.send_voice),
        ("sendLocation", "send", sending.send_location),
        ("sendChatAction", "activity", sending.send_chat_action),
    )
}
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]{30,}")
_TITLES = {
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden: bot can't initiate conversation with a user",
    429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


class Telegram:
    """Answers requests whose path starts with /bot or /file/bot."""

    name = "telegram"
    title = "Telegram"

    def __init__(self, center: Center, faults: Faults, journal: Journal) -> None:
        self.center = center
        self.contacts = Contacts(center)
        self.acts = acts(self.contacts)
        self._faults = faults
        self._journal = journal

    def owns(self, path: str) -> bool:
        """See Service."""
        return path.startswith(("/bot", "/file/bot"))

    def phones(self) -> list[Json]:
        """See Service."""
        return [
            {"service": self.name, "conversation": str(chat.id), "name": chat.first_name}
            for bot in self.center.bots.values()
            for chat in bot.chats.values()
            if chat.migrated_to is None
        ]

    def phone(self, conversation: str) -> Json:
        """See Service."""
        return phone(self.contacts, conversation, self.center.now())

    def revoke(self, key: str, *, revoked: bool) -> bool:
        """See Service. A bot's key is the number before the colon."""
        bot = self.center.bots.get(int(key)) if key.isdigit() else None
        if bot is not None:
            bot.revoked = revoked
        return bot is not None

    def file(self, id: str) -> Response:
        """See Service."""
        for bot in self.center.bots.values():
            if id in bot.files:
                kept = bot.files[id]
                return Response(200, kept.data, {"content-type": kept.media_type, "x-content-type-options": "nosniff"})
        raise LookupError("no such file")

    def handle(self, request: Request) -> Outcome:
        """Decide about one request."""
        path = unquote(request.path)
        is_file = path.startswith("/file/bot")
        token, _, rest = path.removeprefix("/file/bot" if is_file else "/bot").partition("/")
        name, group, method = _which(rest, is_file=is_file)
        arrival = self._journal.arrive(
            at=self.center.now(), service="telegram", operation=name, group=group, key=token.partition(":")[0][:20], conversation=""
        )
        cut_off = self._faults.network("telegram", name, group)
        if cut_off:
            return noted(arrival, network_outcome(cut_off))
        bot = self._bot(token)
        if isinstance(bot, Response):
            return noted(arrival, Reply(bot))
        strike = self._faults.strike("telegram", name, group, str(bot.id))
        if name == "getUpdates" and not (strike.before or strike.after or strike.late or strike.delay):
            return noted(arrival, _polled(self.center, bot, request))
        return noted(arrival, carry_out(strike, self.center.now, _refuse, lambda: self._take(request, bot, rest, method, arrival)))

    def _take(self, request: Request, bot: Bot, rest: str, method: _Method | None, arrival: Arrival) -> Response:
        if arrival.group == "media":
            found = next((f for f in bot.files.values() if f.path == rest), None)
            return Response(200, found.data, {"content-type": found.media_type}) if found else Problem(404, "Not Found").response
        try:
            params = Params(request)
            arrival.conversation = params.text("chat_id")[:20]
            if arrival.operation == "getUpdates":
                return _answered(receiving.get_updates(self.center, bot, params))
            if method is None:
                raise Problem(404, "Not Found")
            response = method(self.center, bot, params)
        except Problem as problem:
            return problem.response
        arrival.taken = arrival.group != "read"
        return response

    def _bot(self, token: str) -> Bot | Response:
        if not _TOKEN.fullmatch(token):
            return Problem(404, "Not Found").response
        bot = self.center.bots.get(int(token.partition(":")[0]))
        if bot is None or bot.token != token or bot.revoked:
            return Problem(401, "Unauthorized").response
        return bot


def _which(rest: str, *, is_file: bool) -> tuple[str, str, _Method | None]:
    if is_file:
        return "downloadFile", "media", None
    if rest.lower() == "getupdates":
        return "getUpdates", "poll", None
    return _METHODS.get(rest.lower(), (rest[:40] or "none", "read", None))


def _polled(center: Center, bot: Bot, request: Request) -> Outcome:
    try:
        return receiving.get_updates(center, bot, Params(request))
    except Problem as problem:
        return Reply(problem.response)


def _answered(outcome: Outcome) -> Response:
    # A fault spoils the answer of a poll anyway, so the poll is not left waiting.
    return outcome.response if isinstance(outcome, Reply) else done([])


def _refuse(fault: Fault) -> Response:
    code = code_of(fault)
    title = _TITLES.get(code, "Error")
    if code == 429 and fault.retry_after is not None:
        description = f"{title}: retry after {fault.retry_after}"
        return Problem(429, description, {"retry_after": fault.retry_after}).response
    return Problem(code, title).response
