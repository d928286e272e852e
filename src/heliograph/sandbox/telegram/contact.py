"""What the contact does on the other side of a bot: writes, sends files, edits, blocks; and groups that are upgraded."""

from heliograph.sandbox.telegram.center import Center
from heliograph.sandbox.telegram.sending import file_json, photo_json
from heliograph.sandbox.telegram.state import Bot, Chat, ChatMessage
from heliograph.sandbox.wire import Json, Upload


class NoSuch(LookupError):
    """The contact side was asked about something that does not exist."""


class Contacts:
    """Acts as the contacts of all chats."""

    def __init__(self, center: Center) -> None:
        self._center = center

    def find(self, conversation: str) -> tuple[Bot, Chat]:
        """The chat with that id. Raises NoSuch."""
        for bot in self._center.bots.values():
            for chat in bot.chats.values():
                if str(chat.id) == conversation:
                    return bot, chat
        raise NoSuch("no such chat")

    def text(self, conversation: str, text: str) -> ChatMessage:
        """Writes text."""
        return self.send(conversation, {"text": text})

    def send(self, conversation: str, content: Json) -> ChatMessage:
        """Sends a message with `content` in the API's own shape (text, sticker, contact, location, ...)."""
        if not content or ("text" in content and not content["text"]):
            raise ValueError("an empty message cannot be sent")
        bot, chat = self.find(conversation)
        message = self._center.append(bot, chat, content, from_bot=False)
        self._center.update(bot, "message", bot.message_json(chat, message))
        return message

    def file(self, conversation: str, kind: str, file: Upload, caption: str = "") -> ChatMessage:
        """Sends a file as "photo", "document", "voice", "audio" or "video"."""
        if kind not in ("photo", "document", "voice", "audio", "video"):
            raise ValueError("unknown kind of file")
        bot, _ = self.find(conversation)
        kept = self._center.keep_file(bot, folder=f"{kind}s", name=file.name, media_type=file.media_type, data=file.data)
        shown: object = photo_json(kept) if kind == "photo" else file_json(kept)
        if kind in ("voice", "audio", "video"):
            shown = {**file_json(kept), "duration": 1, **({"width": 640, "height": 360} if kind == "video" else {})}
        return self.send(conversation, {kind: shown, **({"caption": caption} if caption else {})})

    def location(self, conversation: str, latitude: float, longitude: float) -> ChatMessage:
        """Shares a place."""
        return self.send(conversation, {"location": {"latitude": latitude, "longitude": longitude}})

    def sticker(self, conversation: str, emoji: str) -> ChatMessage:
        """Sends a sticker."""
        bot, _ = self.find(conversation)
        kept = self._center.keep_file(bot, folder="stickers", name="sticker.webp", media_type="image/webp", data=b"RIFF\0\0\0\0WEBP")
        shown = {
            "file_id": kept.id, "file_unique_id": kept.id[:16], "type": "regular", "width": 512, "height": 512, "is_animated": False,
            "is_video": False, "emoji": emoji,
        }  # fmt: skip
        return self.send(conversation, {"sticker": shown})

    def share_contact(self, conversation: str, phone: str, name: str) -> ChatMessage:
        """Shares a phone book entry."""
        return self.send(conversation, {"contact": {"phone_number": phone, "first_name": name}})

    def edit(self, conversation: str, message_id: int, text: str) -> ChatMessage:
        """Edits an earlier message."""
        bot, chat = self.find(conversation)
        message = next((m for m in chat.messages if m.id == message_id and not m.from_bot), None)
        if message is None:
            raise NoSuch("no such message of the contact")
        message.content = {**message.content, "text": text}
        message.edited = True
        shown = {**bot.message_json(chat, message), "edit_date": self._center.now() // 1_000_000}
        self._center.update(bot, "edited_message", shown)
        return message

    def block(self, conversation: str, *, blocked: bool) -> None:
        """Stops the bot (a person blocks it, a group kicks it), or starts it again."""
        bot, chat = self.find(conversation)
        private = chat.kind == "private"
        chat.refusal = "" if not blocked else "bot was blocked by the user" if private else f"bot was kicked from the {chat.kind} chat"
        states = ("member", "kicked") if blocked else ("kicked", "member")
        old, new = ({"user": bot.sender(), "status": s, **({"until_date": 0} if s == "kicked" else {})} for s in states)
        self._center.update(bot, "my_chat_member", {
            "chat": chat.to_json(), "from": chat.user_json(), "date": self._center.now() // 1_000_000,
            "old_chat_member": old, "new_chat_member": new,
        })  # fmt: skip

    def deactivate(self, conversation: str) -> None:
        """The account is closed; the bot is not told."""
        self.find(conversation)[1].refusal = "user is deactivated"
        self._center.changed()

    def migrate(self, conversation: str) -> Chat:
        """A group becomes a supergroup with another id."""
        bot, chat = self.find(conversation)
        if chat.kind != "group" or chat.migrated_to is not None:
            raise NoSuch("only a group can be upgraded")
        new = Chat(-1_000_000_000_000 + chat.id, "supergroup", chat.first_name, chat.username, chat.user_id)
        bot.chats[new.id] = new
        chat.migrated_to = new.id
        self._center.tally.move("telegram", str(chat.id), str(new.id))
        for place, content in ((chat, {"migrate_to_chat_id": new.id}), (new, {"migrate_from_chat_id": chat.id})):
            message = self._center.append(bot, place, content, from_bot=False)
            self._center.update(bot, "message", bot.message_json(place, message))
        return new

    def read(self, conversation: str) -> int:
        """Has seen everything. Bots are never told."""
        _, chat = self.find(conversation)
        unread = [m for m in chat.messages if m.from_bot and not m.read]
        for message in unread:
            message.read = True
        if unread:
            self._center.changed()
        return len(unread)
