"""What every operation of the simulated Sunshine Conversations service works with: its records, its clock, its events."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from heliograph.sandbox.faults import Fault, Faults, Mode
from heliograph.sandbox.ids import Ids, iso
from heliograph.sandbox.outbox import SUNSHINE_RETRIES, Outbox, Target
from heliograph.sandbox.service import Settings
from heliograph.sandbox.sunshine.state import App, Client, Conversation, Integration, Key, Message, User, Webhook
from heliograph.sandbox.tally import Tally
from heliograph.sandbox.wire import Json, Now, Request, Response, answer

BOT_NAME = "answer-bot"


class Problem(Exception):
    """An error answer."""

    def __init__(self, code: int, error: str, *titles: str) -> None:
        super().__init__(error)
        self.response = answer(code, {"errors": [{"code": error, "title": title} for title in titles]})


@dataclass(slots=True)
class Call:
    """One authenticated request."""

    request: Request
    key: Key
    args: dict[str, str]
    app_or_none: App | None
    receipt: Fault | None = None
    _body: Any = field(default=None, repr=False)

    @property
    def app(self) -> App:
        """The app in the path."""
        if self.app_or_none is None:
            raise Problem(404, "app_not_found", "App not found")
        return self.app_or_none

    def json(self) -> Json:
        """The body, which must be a JSON object; an empty body is an empty object."""
        if not self.request.body:
            return {}
        try:
            body = self.request.json()
        except (ValueError, RecursionError):
            raise Problem(400, "bad_request", "Invalid JSON in request body") from None
        if not isinstance(body, dict):
            raise Problem(400, "bad_request", "The body must be a JSON object")
        return body

    def packed(self, name: str) -> dict[str, str]:
        """A query parameter that the official Python client sends as one JSON object; empty if it is missing."""
        if name not in self.request.query:
            return {}
        try:
            value = json.loads(self.request.query[name])
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Problem(400, "bad_request", f"Invalid {name} query parameters")
        return {n: str(v) for n, v in value.items() if v is not None}

    def page(self) -> dict[str, str]:
        """Cursor parameters, as `page[before]=` or packed. Raises Problem if there are two cursors."""
        found = {n: self.request.query[f"page[{n}]"] for n in ("before", "after", "size") if f"page[{n}]" in self.request.query}
        found |= self.packed("page")
        if "before" in found and "after" in found:
            raise Problem(400, "bad_request", "Invalid page query parameters")
        return found


class Center:
    """Records and services shared by all operations."""

    def __init__(
        self, *, now: Now, ids: Ids, faults: Faults, outbox: Outbox, tally: Tally, changed: Callable[[], None], settings: Settings
    ) -> None:
        self.now = now
        self.ids = ids
        self.faults = faults
        self.outbox = outbox
        self.tally = tally
        self.changed = changed
        self.settings = settings
        self.apps: dict[str, App] = {}
        self.keys: dict[str, Key] = {}
        self.home: dict[str, App] = {}

    # --- look-ups --------------------------------------------------------------------------

    def conversation(self, app: App, id: str, error: str = "conversation_not_found") -> Conversation:
        """Raises Problem 404."""
        found = app.conversations.get(id)
        if found is None:
            raise Problem(404, error, "Resource not found" if error == "not_found" else "Conversation not found")
        return found

    def user(self, app: App, name: str) -> User:
        """Raises Problem 404."""
        found = app.user(name)
        if found is None:
            raise Problem(404, "user_not_found", "User not found")
        return found

    def app_of(self, conversation: str) -> App | None:
        """The app that holds a conversation."""
        return self.home.get(conversation)

    def client_of(self, app: App, conversation: Conversation) -> tuple[User, Client] | None:
        """The contact's channel in a conversation, blocked or not; None in a conversation without participants."""
        for user_id in conversation.participants:
            user = app.users.get(user_id)
            if user and user.clients:
                return user, user.clients[0]
        return None

    # --- making records --------------------------------------------------------------------

    def new_app(self, name: str) -> App:
        """An app."""
        id = self.ids.object_id()
        app = self.apps[id] = App(id, name, f"sandbox-{id[-4:]}", settings={"multiConvoEnabled": True, "appLocalizationEnabled": True})
        return app

    def new_key(self, app: App, kind: str, *, integration_id: str = "", name: str = "") -> Key:
        """An API key of the given scope."""
        prefix = {"app": "app", "account": "act", "integration": "int"}[kind]
        key = Key(f"{prefix}_{self.ids.object_id()}", self.ids.token(43), kind, app.id, integration_id, name or "Key")
        self.keys[key.id] = key
        return key

    def new_integration(self, app: App, type: str, name: str = "") -> Integration:
        """A channel or custom integration."""
        made = Integration(self.ids.object_id(), type, name)
        app.integrations[made.id] = made
        return made

    def new_user(self, app: App, external_id: str | None, profile: Json, metadata: Json | None = None) -> User:
        """A contact. Raises Problem 409 if the external id is taken."""
        if external_id and external_id in app.external:
            raise Problem(409, "conflict", "User already exists")
        user = User(self.ids.object_id(), external_id, profile, metadata or {}, self.now())
        app.users[user.id] = user
        if external_id:
            app.external[external_id] = user.id
        return user

    def new_client(self, app: App, user: User, type: str, external_id: str) -> Client:
        """Give a contact a channel; makes the channel's integration when it is the first of its kind."""
        integration = next((i for i in app.integrations.values() if i.type == type), None) or self.new_integration(app, type, type.title())
        client = Client(self.ids.object_id(), type, integration.id, external_id, user.name, self.now(), self.now())
        user.clients.append(client)
        return client

    def new_conversation(self, app: App, type: str, users: list[User], reason: str = "none") -> Conversation:
        """A conversation; tells the webhooks."""
        now = self.now()
        default = type == "personal" and not any(app.by_user.get(u.id) for u in users)
        made = Conversation(self.ids.object_id(), type, {u.id: self.ids.object_id() for u in users}, default, now, now)
        app.conversations[made.id] = made
        self.home[made.id] = app
        for user in users:
            app.by_user.setdefault(user.id, []).append(made.id)
        board = next(iter(app.switchboards.values()), None)
        if board and board.enabled:
            made.active = board.default_id
            if self.faults.is_on("sunshine", Mode.BOT_OWNS):
                made.active = next((m.id for m in board.members.values() if m.name == BOT_NAME), made.active)
        payload: Json = {"creationReason": reason, "source": {"type": "api:conversations"}}
        if users:
            payload["user"] = users[0].brief()
        self.emit(app, "conversation:create", made, payload)
        return made

    def new_webhook(
        self, app: App, integration: Integration, *, target: str, triggers: tuple[str, ...], secret: str | None = None,
        full_user: bool = False, full_source: bool = False,
    ) -> Webhook:  # fmt: skip
        """Have events of an app sent to an address."""
        id = self.ids.object_id()
        shown = secret or self.ids.token(43)

        def pack(events: list[Json]) -> tuple[dict[str, str], bytes]:
            body = {"app": {"id": app.id}, "webhook": {"id": id, "version": "v2"}, "events": events}
            headers = {"content-type": "application/json", "x-api-key": hook.secret}
            return headers, json.dumps(body, ensure_ascii=False).encode()

        calls = Target(id, "sunshine", target, SUNSHINE_RETRIES, lambda: self.settings.batch, pack, lambda event: None)
        hook = Webhook(id, integration.id, target, triggers, shown, full_user, full_source, calls)
        integration.webhooks[id] = hook
        return hook

    # --- events ----------------------------------------------------------------------------

    def emit(
        self, app: App, kind: str, conversation: Conversation | None, payload: Json, *, after: float = 0.0, of: User | None = None
    ) -> None:
        """Send an event to every webhook that asked for it and may see it, `after` seconds from now."""
        shown = {"conversation": app.conversation_brief(conversation)} if conversation else {}
        event = {"id": self.ids.object_id(), "createdAt": iso(self.now()), "type": kind, "payload": {**shown, **payload}}
        for integration in app.integrations.values():
            for hook in integration.webhooks.values():
                if (kind in hook.triggers or "*" in hook.triggers) and _sees(app, hook, conversation, kind):
                    self.outbox.put(hook.calls, kind, self._full(event, hook, of), after)
        self.changed()

    def _full(self, event: Json, hook: Webhook, user: User | None) -> Json:
        if not hook.full_user or user is None:
            return event
        payload = dict(event["payload"])
        if "user" in payload:
            payload["user"] = user.to_json()
        message = payload.get("message")
        if message and "user" in message["author"]:
            payload["message"] = {**message, "author": {**message["author"], "user": user.to_json()}}
        return {**event, "payload": payload}

    def emit_message(self, app: App, conversation: Conversation, message: Message, user: User | None) -> None:
        """The conversation:message event; it is sent whoever the author is, our own sends included."""
        shown = message.to_json()
        if user and message.from_user:
            shown["author"] = {**shown["author"], "user": user.brief()}
        self.emit(app, "conversation:message", conversation, {"message": shown}, of=user)

    def emit_delivery(
        self, app: App, conversation: Conversation, message: Message, level: str, *, after: float, final: bool,
        error: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        """A conversation:message:delivery:* event; it carries the message's id only."""
        reached = self.client_of(app, conversation)
        if reached is None:
            return
        user, client = reached
        payload: Json = {
            "user": user.brief(), "destination": {"type": client.type, "integrationId": client.integration_id},
            "message": {"id": message.id}, "isFinalEvent": final,
        }  # fmt: skip
        if error:
            payload["error"] = {"code": error[0], "message": error[1]}
        else:
            payload["externalMessages"] = [{"id": f"x{message.id[-8:]}"}]
        self.emit(app, f"conversation:message:delivery:{level}", conversation, payload, after=after, of=user)


def _sees(app: App, hook: Webhook, conversation: Conversation | None, kind: str) -> bool:
    if conversation is None or not conversation.active or kind.startswith("switchboard:"):
        return True
    own = [m for s in app.switchboards.values() for m in s.members.values() if m.integration_id == hook.integration_id]
    return not own or any(m.id == conversation.active or m.deliver_standby for m in own)


def page_of(items: list[Json], page: dict[str, str], path: str) -> Json:
    """`meta` and `links` and the slice of a forward-paged list; the caller names the slice by popping "items"."""
    try:
        size = int(page.get("size", "25"))
    except ValueError:
        size = 0
    if not 1 <= size <= 100:
        raise Problem(400, "bad_request", "Invalid page query parameters")
    ids = [item["id"] for item in items]
    start, end = 0, size
    for name in ("after", "before"):
        if name in page and page[name] not in ids:
            raise Problem(400, "bad_request", "Invalid page query parameters")
    if "after" in page:
        start = ids.index(page["after"]) + 1
        end = start + size
    elif "before" in page:
        end = ids.index(page["before"])
        start = max(0, end - size)
    more = start > 0 if "before" in page else end < len(items)
    return {"items": items[start:end], **cursors(ids, start, min(end, len(items)), path, more=more)}


def cursors(ids: list[str], start: int, end: int, path: str, *, more: bool) -> Json:
    """The `meta` and `links` of a page [start, end) of `ids`."""
    meta: Json = {"hasMore": more}
    links: Json = {}
    if start > 0 and start < end:
        meta["beforeCursor"] = ids[start]
        links["prev"] = f"{path}?page[before]={ids[start]}"
    if end < len(ids) and start < end:
        meta["afterCursor"] = ids[end - 1]
        links["next"] = f"{path}?page[after]={ids[end - 1]}"
    return {"meta": meta, **({"links": links} if links else {})}


Handler = Callable[[Center, Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: `scopes` are the kinds of key that may call it, `group` its family for faults."""

    method: str
    path: str
    operation: str
    handler: Handler
    group: str = "read"
    scopes: tuple[str, ...] = ("integration", "app", "account")
