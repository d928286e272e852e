"""What every method of the simulated Telegram works with: its bots, its clock, how updates go out."""

import json
from collections.abc import Callable
from typing import Any

from heliograph.sandbox.ids import Ids
from heliograph.sandbox.outbox import TELEGRAM_RETRIES, Outbox, Target
from heliograph.sandbox.tally import Tally
from heliograph.sandbox.telegram.state import Bot, Chat, ChatMessage, StoredFile
from heliograph.sandbox.wire import Json, Now, Request, Response, answer

#: Not sent unless a bot asks for them (Bot API, getUpdates, allowed_updates).
_OPT_IN = ("chat_member", "message_reaction", "message_reaction_count")


class Problem(Exception):
    """An error answer."""

    def __init__(self, code: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        more = {"parameters": parameters} if parameters else {}
        self.response = answer(code, {"ok": False, "error_code": code, "description": description, **more})


def done(result: Any, description: str = "") -> Response:
    """A success answer."""
    return answer(200, {"ok": True, "result": result, **({"description": description} if description else {})})


DONE = done(result=True)


class Params:
    """Parameters of a call, from the query, a form or a JSON body; values that are JSON in a form are unpacked."""

    def __init__(self, request: Request) -> None:
        self._values: dict[str, Any] = {**request.query, **request.form}
        if request.headers.get("content-type", "").startswith("application/json") and request.body:
            try:
                body = request.json()
            except (ValueError, RecursionError):
                raise Problem(400, "Bad Request: can't parse JSON object") from None
            if isinstance(body, dict):
                self._values |= body
        self.files = {f.field: f for f in request.files}

    def text(self, name: str) -> str:
        """A string, "" if missing."""
        value = self._values.get(name)
        return "" if value is None else str(value)

    def whole(self, name: str, default: int) -> int:
        """A whole number. Raises Problem."""
        value = self._values.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Problem(400, f"Bad Request: {name} must be an integer") from None

    def degrees(self, name: str) -> float:
        """A number. Raises Problem."""
        try:
            return float(self._values[name])
        except (KeyError, TypeError, ValueError):
            raise Problem(400, f"Bad Request: parameter {name} is required") from None

    def packed(self, name: str) -> Any:
        """A list or object, None if missing."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Problem(400, f"Bad Request: can't parse {name} JSON object") from None

    def given(self, name: str) -> bool:
        """Whether the parameter is there at all."""
        return self._values.get(name) not in (None, "")


class Center:
    """Records and services shared by all methods."""

    def __init__(self, *, now: Now, ids: Ids, outbox: Outbox, tally: Tally, changed: Callable[[], None]) -> None:
        self.now = now
        self.ids = ids
        self.outbox = outbox
        self.tally = tally
        self.changed = changed
        self.bots: dict[int, Bot] = {}
        #: Sizes in bytes.
        self.download_limit = 20 * 1_048_576
        self.upload_limit = 50 * 1_048_576

    def new_bot(self, username: str, name: str) -> Bot:
        """A bot with a fresh token."""
        id = 5_000_000_000 + len(self.bots) + 1
        bot = Bot(id, f"{id}:{self.ids.token(35)}", username, name)
        self.bots[id] = bot
        return bot

    def new_chat(self, bot: Bot, first_name: str, *, kind: str = "private", username: str = "") -> Chat:
        """Somebody the bot may write to."""
        user = 700_000_000 + sum(len(b.chats) for b in self.bots.values()) + 1
        id = user if kind == "private" else -user
        chat = Chat(id, kind, first_name, username, user)
        bot.chats[id] = chat
        return chat

    def chat(self, bot: Bot, params: Params) -> Chat:
        """The chat that a call names, if the bot may write there. Raises Problem."""
        if not params.given("chat_id"):
            raise Problem(400, "Bad Request: chat_id is empty")
        name = params.text("chat_id")
        try:
            chat = bot.chats.get(int(name))
        except ValueError:
            chat = next((c for c in bot.chats.values() if name.startswith("@") and c.username == name[1:]), None)
        if chat is None:
            raise Problem(400, "Bad Request: chat not found")
        if chat.migrated_to is not None:
            parameters = {"migrate_to_chat_id": chat.migrated_to}
            raise Problem(400, "Bad Request: group chat was upgraded to a supergroup chat", parameters)
        if chat.refusal:
            raise Problem(403, f"Forbidden: {chat.refusal}")
        return chat

    def append(self, bot: Bot, chat: Chat, content: Json, *, from_bot: bool) -> ChatMessage:
        """A new message in a chat."""
        message = ChatMessage(bot.next_message, self.now(), from_bot, content)
        bot.next_message += 1
        chat.messages.append(message)
        if from_bot:
            chat.typing_until = 0
        self.changed()
        return message

    def keep_file(self, bot: Bot, *, folder: str, name: str, media_type: str, data: bytes) -> StoredFile:
        """Store a file under a new file_id."""
        id = self.ids.token(48)
        ending = name.rpartition(".")[2] if "." in name else "bin"
        kept = StoredFile(id, f"{folder}/file_{len(bot.files)}.{ending}", name, media_type, data)
        bot.files[id] = kept
        return kept

    # --- updates ---------------------------------------------------------------------------

    def update(self, bot: Bot, kind: str, payload: Json) -> Json:
        """Tell the bot something, by webhook if it has one, else at its next getUpdates."""
        update = {"update_id": bot.next_update, kind: payload}
        if (bot.allowed and kind not in bot.allowed) or (not bot.allowed and kind in _OPT_IN):
            return update
        bot.next_update += 1
        bot.updates.append(update)
        if bot.webhook:
            self.outbox.put(bot.webhook, kind, update)
        self.changed()
        return update

    def set_webhook(self, bot: Bot, url: str, secret: str) -> None:
        """Send updates to `url` from now on, those that wait included."""
        self.drop_webhook(bot)

        def pack(events: list[Json]) -> tuple[dict[str, str], bytes]:
            headers = {"content-type": "application/json"}
            if bot.webhook_secret:
                headers["x-telegram-bot-api-secret-token"] = bot.webhook_secret
            return headers, json.dumps(events[0], ensure_ascii=False).encode()

        def arrived(event: Json) -> None:
            bot.updates = [u for u in bot.updates if u["update_id"] != event["update_id"]]

        bot.webhook_secret = secret
        bot.webhook = Target(f"bot{bot.id}", "telegram", url, TELEGRAM_RETRIES, lambda: 1, pack, arrived)
        for update in bot.updates:
            self.outbox.put(bot.webhook, next(k for k in update if k != "update_id"), update)

    def drop_webhook(self, bot: Bot) -> None:
        """Keep updates for getUpdates from now on."""
        if bot.webhook:
            bot.webhook.removed = True
        bot.webhook = None
        bot.webhook_secret = ""
        self.changed()
