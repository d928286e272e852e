"""The whole sandbox: all services, their faults, their judge, one clock. No transport, no waiting."""

from collections.abc import Callable
from dataclasses import dataclass, field

from heliograph.sandbox import sunshine, telegram
from heliograph.sandbox.direct import DIRECT, DirectService
from heliograph.sandbox.errands import Errands
from heliograph.sandbox.faults import Faults, Mode
from heliograph.sandbox.ids import Ids
from heliograph.sandbox.journal import Journal
from heliograph.sandbox.outbox import Outbox
from heliograph.sandbox.service import Hub, Service, Settings
from heliograph.sandbox.sunshine.center import BOT_NAME
from heliograph.sandbox.sunshine.state import App, Conversation, Switchboard, SwitchboardIntegration
from heliograph.sandbox.tally import Tally
from heliograph.sandbox.telegram.center import Center as TelegramCenter
from heliograph.sandbox.wire import Json, Now, Outcome, Rand, Reply, Request, answer
from heliograph.sandbox.zendesk import Zendesk

#: All events that a desk needs.
TRIGGERS = (
    "conversation:message", "conversation:message:delivery:channel", "conversation:message:delivery:user",
    "conversation:message:delivery:failure", "conversation:create", "conversation:read", "conversation:typing", "conversation:postback",
    "conversation:remove", "user:merge", "user:remove", "client:update", "switchboard:passControl", "switchboard:offerControl",
    "switchboard:acceptControl", "switchboard:releaseControl", "switchboard:passControl:failure", "switchboard:offerControl:failure",
    "switchboard:acceptControl:failure",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything a desk needs to connect to a freshly seeded sandbox."""

    app_id: str
    key_id: str
    key_secret: str = field(repr=False)
    account_key_id: str
    account_key_secret: str = field(repr=False)
    integration_id: str
    integration_key_id: str
    integration_key_secret: str = field(repr=False)
    webhook_id: str
    webhook_secret: str = field(repr=False)
    user_id: str
    conversation_id: str
    bot_token: str = field(repr=False)
    bot_username: str
    chat_id: str

    def to_json(self) -> Json:
        """All of it, secrets included: for the loopback control API only."""
        return {name: getattr(self, name) for name in Demo.__slots__}


class Sandbox:
    """Hand requests to `handle`, carry out the outcome, deliver `outbox`. `now` gives microseconds UTC, `rand` numbers in [0, 1)."""

    def __init__(self, *, now: Now, rand: Rand, settings: Settings | None = None) -> None:
        self.now = now
        #: Counts changes; whoever shows the sandbox asks again when it has moved.
        self.revision = 0
        self._listeners: list[Callable[[], None]] = []
        self._bot_owned = False
        self.ids = Ids(now, rand)
        self.faults = Faults(rand, self._faults_changed)
        self.journal = Journal()
        self.tally = Tally(self._changed)
        self.outbox = Outbox(now, self.faults, self._changed)
        self.errands = Errands(now, self._changed)
        self.settings = settings or Settings()
        self.sunshine = sunshine.Sunshine(
            sunshine.Center(
                now=now, ids=self.ids, faults=self.faults, outbox=self.outbox, tally=self.tally, changed=self._changed,
                settings=self.settings,
            ),
            self.journal,
        )  # fmt: skip
        self.telegram = telegram.Telegram(
            TelegramCenter(now=now, ids=self.ids, outbox=self.outbox, tally=self.tally, changed=self._changed), self.faults, self.journal
        )
        hub = Hub(now, self.ids, self.faults, self.journal, self.outbox, self.errands, self.tally, self.settings, self._changed)
        self.direct: dict[str, DirectService] = {cls.name: cls(hub) for cls in DIRECT}
        self.zendesk = Zendesk(hub)
        services: list[Service] = [self.sunshine, self.telegram, *self.direct.values(), self.zendesk]
        self.services = {service.name: service for service in services}
        self.demo: Demo | None = None

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, synchronously; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def handle(self, request: Request) -> Outcome:
        """Decide about a request to one of the services, by its path."""
        self.revision += 1
        for service in self.services.values():
            if service.owns(request.path):
                return service.handle(request)
        return Reply(answer(404, {"error": "no service here: /sc/... is Sunshine, /bot<token>/... Telegram, all others /<name>/..."}))

    def seed_direct(self, name: str, *, contact: str = "Ada", webhook_url: str = "") -> Json:
        """A fresh account at a service, with one conversation: the fields of a channel but for `base_url`. Raises KeyError."""
        service = self.direct[name]
        account, config = service.seed(contact)
        service.accounts[account.id] = account
        service.set_webhook(account, webhook_url)
        return {**config, "webhook_secret": account.secret}

    def seed_demo(
        self, *, webhook_url: str | None = None, webhook_secret: str | None = None, telegram_webhook_url: str | None = None,
        telegram_secret: str = "", contact: str = "Ada",
    ) -> Demo:  # fmt: skip
        """An app with keys, a webhook, a switchboard with a bot, and a contact with a conversation; a bot with a chat.

        Without `webhook_url` there is no webhook (and no secret); without `telegram_webhook_url` the bot is for polling.
        """
        center = self.sunshine.center
        app = center.new_app("Demo desk")
        desk = center.new_integration(app, "custom", "Heliograph")
        hook_id = hook_secret = ""
        if webhook_url:
            hook = center.new_webhook(app, desk, target=webhook_url, triggers=TRIGGERS, secret=webhook_secret)
            hook_id, hook_secret = hook.id, hook.secret
        _seed_switchboard(center, app, desk.id)
        key, account = center.new_key(app, "app", name="Desk"), center.new_key(app, "account", name="Account")
        own = center.new_key(app, "integration", integration_id=desk.id, name="Integration")
        place = self.new_contact(app, contact)
        bot = self.telegram.center.new_bot("demo_desk_bot", "Demo desk")
        chat = self.telegram.center.new_chat(bot, contact, username=contact.lower())
        if telegram_webhook_url:
            self.telegram.center.set_webhook(bot, telegram_webhook_url, telegram_secret)
        self.demo = Demo(
            app_id=app.id, key_id=key.id, key_secret=key.secret, account_key_id=account.id, account_key_secret=account.secret,
            integration_id=desk.id, integration_key_id=own.id, integration_key_secret=own.secret, webhook_id=hook_id,
            webhook_secret=hook_secret, user_id=next(iter(place.participants)), conversation_id=place.id, bot_token=bot.token,
            bot_username=bot.username, chat_id=str(chat.id),
        )  # fmt: skip
        return self.demo

    def new_contact(self, app: App, name: str, *, channel: str = "whatsapp", external_id: str | None = None) -> Conversation:
        """A contact on a channel, with a conversation."""
        center = self.sunshine.center
        given, _, surname = name.partition(" ")
        profile = {"givenName": given, **({"surname": surname} if surname else {})}
        user = center.new_user(app, external_id, profile)
        center.new_client(app, user, channel, f"+4477{user.id[-8:]}")
        return center.new_conversation(app, "personal", [user], "message")

    def _faults_changed(self) -> None:
        owned = self.faults.is_on("sunshine", Mode.BOT_OWNS)
        if owned != self._bot_owned:
            self._bot_owned = owned
            self.sunshine.contacts.apply_bot()
        self._changed()

    def _changed(self) -> None:
        self.revision += 1
        for listener in list(self._listeners):
            listener()


def _seed_switchboard(center: sunshine.Center, app: App, desk_integration: str) -> None:
    bot_integration = center.new_integration(app, "custom", "Bot")
    # A custom integration always has a webhook. The bot of the sandbox needs no telling: its trigger never fires.
    center.new_webhook(app, bot_integration, target="http://127.0.0.1:9/bot", triggers=("conversation:referral",))
    board = Switchboard(center.ids.object_id())
    bot = SwitchboardIntegration(center.ids.object_id(), BOT_NAME, bot_integration.id, "custom", deliver_standby=False)
    desk = SwitchboardIntegration(center.ids.object_id(), "heliograph", desk_integration, "custom", deliver_standby=True)
    bot.next_id, desk.next_id = desk.id, bot.id
    board.members = {bot.id: bot, desk.id: desk}
    board.default_id = desk.id
    app.switchboards[board.id] = board
