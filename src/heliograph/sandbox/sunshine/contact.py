"""What the contact does on the other side: writes, reads, types, blocks, taps buttons; and merges of users."""

from heliograph.sandbox.faults import Mode
from heliograph.sandbox.sunshine.center import BOT_NAME, Center
from heliograph.sandbox.sunshine.content import check_content
from heliograph.sandbox.sunshine.messages import keep_file, store
from heliograph.sandbox.sunshine.state import App, Attachment, Client, Conversation, Message, User
from heliograph.sandbox.wire import Json, Upload


class NoSuch(LookupError):
    """The contact side was asked about something that does not exist."""


class Contacts:
    """Acts as the contacts of all conversations."""

    def __init__(self, center: Center) -> None:
        self._center = center

    def find(self, conversation: str) -> tuple[App, Conversation, User, Client]:
        """Raises NoSuch."""
        app = self._center.app_of(conversation)
        if app is None or conversation not in app.conversations:
            raise NoSuch("no such conversation")
        found = app.conversations[conversation]
        reached = self._center.client_of(app, found)
        if reached is None:
            raise NoSuch("the conversation has no contact")
        return app, found, *reached

    def write(self, conversation: str, content: Json) -> Message:
        """The contact sends `content`, in the API's own shape. Raises ValueError if it is malformed."""
        app, place, user, client = self.find(conversation)
        wrong = check_content(content)
        if wrong:
            raise ValueError("; ".join(wrong))
        client.last_seen = self._center.now()
        source = {
            "type": client.type, "integrationId": client.integration_id, "originalMessageId": self._center.ids.hex_token(12),
        }  # fmt: skip
        author = {"type": "user", "userId": user.id, "displayName": user.name}
        message = store(self._center, app, place, author=author, content=content, source=source)
        self._center.emit_message(app, place, message, user)
        if self._center.faults.is_on("sunshine", Mode.BOT_OWNS):
            self._bot_answers(app, place)
        return message

    def text(self, conversation: str, text: str) -> Message:
        """The contact writes text."""
        return self.write(conversation, {"type": "text", "text": text})

    def upload(self, conversation: str, file: Upload, origin: str) -> Attachment:
        """Put a file where the service can serve it, to be sent next."""
        app, _, _, _ = self.find(conversation)
        return keep_file(self._center, app, file, origin)

    def submit_form(self, conversation: str, form_message: str, answers: Json) -> Message:
        """The contact fills in a form that we sent; `answers` by field name."""
        _, place, _, _ = self.find(conversation)
        form = self._message(place, form_message)
        if form.content["type"] != "form":
            raise NoSuch("the message is not a form")
        fields = []
        for field in form.content["fields"]:
            value = answers.get(field["name"], "")
            shown = [{"name": str(value), "label": str(value)}] if field["type"] == "select" else str(value)
            fields.append({"type": field["type"], "name": field["name"], "label": field["label"], field["type"]: shown})
        form.content["submitted"] = True
        return self.write(conversation, {"type": "formResponse", "fields": fields})

    def postback(self, conversation: str, payload: str) -> None:
        """The contact taps a postback button."""
        app, place, user, client = self.find(conversation)
        source = {"type": client.type, "integrationId": client.integration_id}
        self._center.emit(
            app, "conversation:postback", place, {"postback": {"payload": payload}, "user": user.brief(), "source": source}, of=user
        )

    def read(self, conversation: str) -> int:
        """The contact has seen everything; how many messages were new to them."""
        app, place, user, client = self.find(conversation)
        unread = [m for m in place.messages if not m.from_user and not m.read and not m.silent and not m.refused]
        for message in unread:
            message.read = True
        self._activity(app, place, user, client, "conversation:read")
        return len(unread)

    def types(self, conversation: str, *, on: bool) -> None:
        """The contact starts or stops typing."""
        app, place, user, client = self.find(conversation)
        self._activity(app, place, user, client, "typing:start" if on else "typing:stop")

    def block(self, conversation: str, *, blocked: bool) -> None:
        """The contact unsubscribes, or subscribes again."""
        app, place, user, client = self.find(conversation)
        client.state = "blocked" if blocked else "active"
        payload = {"user": user.brief(), "client": client.to_json(), "reason": "blocked" if blocked else "unblocked"}
        self._center.emit(app, "client:update", place, payload, of=user)

    def merge(self, surviving: str, discarded: str) -> Json:
        """Two contacts, each named by a conversation of theirs, turn out to be one; conversation `discarded` loses its id."""
        app, kept, winner, _ = self.find(surviving)
        other_app, gone, loser, loser_client = self.find(discarded)
        if app is not other_app or winner is loser:
            raise NoSuch("merge needs two contacts of one app")
        everything = sorted([*kept.messages, *gone.messages], key=lambda m: (m.received, m.id))
        kept.keep(everything)
        briefs = {"surviving": app.conversation_brief(kept), "discarded": app.conversation_brief(gone)}
        del app.conversations[gone.id]
        self._center.home.pop(gone.id)
        for other in app.by_user.pop(loser.id):
            if other != gone.id:
                app.conversations[other].participants[winner.id] = app.conversations[other].participants.pop(loser.id)
                app.by_user[winner.id].append(other)
        winner.clients.append(loser_client)
        del app.users[loser.id]
        if loser.external_id:
            app.external[loser.external_id] = winner.id
        self._center.tally.move("sunshine", gone.id, kept.id)
        payload = {
            "mergedUsers": {"surviving": winner.brief(), "discarded": loser.brief()}, "mergedConversations": briefs, "reason": "api",
        }  # fmt: skip
        self._center.emit(app, "user:merge", None, payload, of=winner)
        return payload

    def _message(self, place: Conversation, id: str) -> Message:
        if id not in place.position:
            raise NoSuch("no such message")
        return place.messages[place.position[id]]

    def _activity(self, app: App, place: Conversation, user: User, client: Client, kind: str) -> None:
        activity = {
            "type": kind, "author": {"type": "user", "userId": user.id, "user": user.brief()},
            "source": {"type": client.type, "integrationId": client.integration_id},
        }  # fmt: skip
        trigger = "conversation:read" if kind == "conversation:read" else "conversation:typing"
        self._center.emit(app, trigger, place, {"activity": activity}, of=user)

    def _bot_answers(self, app: App, place: Conversation) -> None:
        content = {"type": "text", "text": "I am a bot. Somebody will be with you soon."}
        author = {"type": "business", "displayName": BOT_NAME, "subtypes": ["bot"]}
        member = app.member(place.active)
        source = {"type": "custom", **({"integrationId": member.integration_id} if member else {})}
        self._center.emit_message(app, place, store(self._center, app, place, author=author, content=content, source=source), None)

    def apply_bot(self) -> None:
        """Bring the owners of all conversations in line with the "bot owns" switch."""
        on = self._center.faults.is_on("sunshine", Mode.BOT_OWNS)
        for app in self._center.apps.values():
            for board in app.switchboards.values():
                bot = next((m.id for m in board.members.values() if m.name == BOT_NAME), "")
                wanted = bot if on else board.default_id
                for place in app.conversations.values():
                    if bot and place.active != wanted and (on or place.active == bot):
                        place.active = wanted
                        self._center.emit(app, "switchboard:passControl", place, {})
