"""Our providers and the simulated Messenger and Instagram understand each other, in health and under faults."""

import json
from typing import Any

import pytest

from heliograph.domain.content import Location, Media, MediaKind, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import (
    Accepted,
    Author,
    Deferred,
    Ignored,
    InboundMessage,
    Invalid,
    Receipt,
    ReceiptLevel,
    Refused,
    SendResult,
    Unknown,
    Valid,
)
from heliograph.sandbox.wire import Reply, Request, Upload
from tests.providers.meta_messaging import judge
from tests.sandbox.meta_desk import Desk

BOTH = pytest.mark.parametrize("name", ["messenger", "instagram"])
IMAGE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f")
PHOTO = Upload("file", "parcel.png", "image/png", b"\x89PNG-of-contact")


def levels(desk: Desk) -> list[tuple[str, str, str]]:
    return [(each.level.value, each.provider_id, each.key) for each in desk.facts() if isinstance(each, Receipt)]


@BOTH
async def test_credentials_are_checked(name: str) -> None:
    desk = Desk(name)
    kind = "page" if name == "messenger" else "instagram"
    assert await desk.provider.check() == Valid(f"{kind}:{desk.account.id}")
    desk.service.revoke(desk.account.key, revoked=True)
    got = await desk.provider.check()
    assert isinstance(got, Invalid) and got.reason is Reason.BAD_CREDENTIALS


async def test_instagram_login_asks_for_the_account() -> None:
    desk = Desk("instagram", page_id="")
    assert await desk.provider.check() == Valid(f"instagram:{desk.account.id}")
    assert isinstance(await desk.send(Text("hi")), Accepted)


@BOTH
async def test_a_reply_arrives_and_its_echo_is_no_message(name: str) -> None:
    desk = Desk(name)
    got = await desk.send(Text("On its way. 🚚"))
    assert isinstance(got, Accepted)
    told = levels(desk)
    assert ("accepted", got.provider_id, "dlv_1" if name == "messenger" else "") in told
    assert (("delivered", got.provider_id, "") in told) == (name == "messenger")
    assert [post.text for post in desk.place.posts if not post.mine] == ["On its way. 🚚"]
    desk.act("read")
    (read,) = [each for each in desk.facts() if isinstance(each, Receipt)]
    assert read.level is ReceiptLevel.READ
    if name == "messenger":
        assert read.conversation == desk.place.id and read.up_to is not None and read.up_to >= desk.place.posts[-1].at
    else:
        assert read.provider_id == got.provider_id


@BOTH
def test_an_address_is_asked_and_given_up_where_it_does_not_know_the_token(name: str) -> None:
    desk = Desk(name)
    assert desk.asked() == [True] and desk.sandbox.errands.next_due() is None
    desk.pass_time(3600)
    desk.act("text", text="Hello?")
    assert len(desk.facts()) == 1
    stranger = Desk(name, verify_token="another")
    answers = []
    while stranger.sandbox.errands.next_due() is not None:
        answers += stranger.asked()
        stranger.pass_time(600)
    assert answers == [False] * 6
    stranger.act("text", text="Hello?")
    assert stranger.facts() == []


@BOTH
async def test_files_and_places_arrive(name: str) -> None:
    desk = Desk(name)
    for content in (IMAGE, Location(50.45, 30.52, "Shop")):
        assert isinstance(await desk.send(content), Accepted)
    image, place = [post for post in desk.place.posts if not post.mine]
    assert image.kind == "image" and "50.450000,30.520000" in place.text
    if name == "messenger":
        assert desk.account.files[image.file].data == b"\x89PNG-bytes"
    else:
        assert image.url == "https://desk.example/files/f.png"
    messages = desk.service.phone(desk.place.id)["messages"]
    assert messages[-2]["media"]["kind"] == "image"


@BOTH
async def test_what_the_contact_does_comes_in(name: str) -> None:
    desk = Desk(name)
    await desk.provider.check()
    desk.act("file", file=PHOTO, caption="It is broken")
    desk.act("postback", title="Talk to a person", payload="HUMAN")
    desk.act("reaction", emoji="👍")
    desk.act("edit", text="Where is parcel 7001?")
    facts = [each for each in desk.facts() if isinstance(each, InboundMessage)]
    assert [fact.author for fact in facts] == [Author.CONTACT] * 4 and {fact.conversation for fact in facts} == {desk.place.id}
    words, media = facts[0].contents
    assert words == Text("It is broken") and isinstance(media, Media) and media.kind is MediaKind.IMAGE
    assert await desk.fetched(media) == PHOTO.data
    assert facts[1].contents == (Text("Talk to a person"),)
    assert isinstance(facts[2].contents[0], Rich) and facts[2].contents[0].summary == "👍"
    assert facts[3].not_carried == ("edit",) and facts[3].contents == (Text("Where is parcel 7001?"),)


def test_a_place_comes_in_where_there_are_places() -> None:
    desk = Desk("messenger")
    desk.act("location", latitude=50.45, longitude=30.52)
    (fact,) = desk.facts()
    assert isinstance(fact, InboundMessage) and fact.contents == (Location(50.45, 30.52, "Pinned Location"),)
    desk = Desk("instagram")
    desk.act("location", latitude=50.45, longitude=30.52)
    (fact,) = desk.facts()
    assert isinstance(fact, InboundMessage) and fact.not_carried == ("unsupported",)


def test_stories_and_messages_that_are_taken_back() -> None:
    desk = Desk("instagram")
    desk.act("story_reply", text="Is it still there?")
    desk.act("story_mention")
    desk.act("unsend")
    reply, mention, deleted = desk.facts()
    assert isinstance(reply, InboundMessage) and isinstance(reply.contents[1], Rich) and reply.contents[1].kind == "story_reply"
    assert isinstance(mention, InboundMessage) and isinstance(mention.contents[0], Rich) and mention.contents[0].kind == "story_mention"
    assert isinstance(deleted, Ignored) and deleted.why == "deleted"


@BOTH
async def test_an_answer_in_metas_inbox_is_the_business(name: str) -> None:
    desk = Desk(name)
    desk.act("inbox", text="I take over.")
    (fact,) = desk.facts()
    assert isinstance(fact, InboundMessage) and (fact.author, fact.contents) == (Author.BUSINESS, (Text("I take over."),))


# --- refusals ---------------------------------------------------------------------------------------------


@BOTH
async def test_the_window_closes(name: str) -> None:
    desk, tagged = Desk(name), Desk(name, human_agent="yes")
    got = await Desk(name, silent=True).send(Text("x"))
    assert isinstance(got, Refused) and (got.reason, got.code) == (
        Reason.WINDOW_CLOSED,
        "10/2018278" if name == "messenger" else "10/2534022",
    )
    for each, hours, allowed in ((desk, 23, True), (desk, 25, False), (tagged, 6 * 24, True), (tagged, 8 * 24, False)):
        start, each.time = each.time, each.place.heard + hours * 3_600_000_000
        got = await each.send(Text("x"))
        assert isinstance(got, Accepted) if allowed else isinstance(got, Refused) and got.reason is Reason.WINDOW_CLOSED, (hours, got)
        each.time = start


@BOTH
async def test_a_contact_who_falls_silent_is_not_written_to(name: str) -> None:
    desk, tagged = Desk(name), Desk(name, human_agent="yes")
    for each in (desk, tagged):
        assert each.service.phone(each.place.id)["window"] is True
        each.act("fall_silent")
    got = await desk.send(Text("x"))
    assert isinstance(got, Refused) and got.reason is Reason.WINDOW_CLOSED
    assert isinstance(await tagged.send(Text("x")), Accepted), "a person's answer has a week"
    desk.act("text", text="Hello again")
    assert isinstance(await desk.send(Text("x")), Accepted)


@BOTH
async def test_a_contact_who_has_blocked_us(name: str) -> None:
    desk = Desk(name)
    desk.act("block", blocked=True)
    got = await desk.send(Text("x"))
    assert isinstance(got, Refused) and (got.reason, got.code) == (Reason.BLOCKED, "551/1545041")
    desk.act("block", blocked=False)
    assert isinstance(await desk.send(Text("x")), Accepted)


@BOTH
async def test_nobody_and_a_text_that_is_too_long(name: str) -> None:
    desk = Desk(name)
    person, desk.place.id = desk.place.id, "404"
    got = await desk.send(Text("x"))
    desk.place.id = person
    assert isinstance(got, Refused) and got.reason is Reason.BAD_RECIPIENT
    limit = desk.provider.spec.text_limit
    fits, *_ = desk.provider.render([Text("x" * limit)])
    assert isinstance(await desk.send_part(fits), Accepted)
    long = type(fits)("text", {"text": "x" * (limit + 1)})
    got = await desk.send_part(long)
    assert isinstance(got, Refused) and got.reason is Reason.BAD_REQUEST


# --- faults -----------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("mode", "more", "expected", "taken"),
    [
        ("revoked", {}, Refused(Reason.BAD_CREDENTIALS, "190/460"), 0),
        ("not_permitted", {}, Refused(Reason.NOT_PERMITTED, "10"), 0),
        ("rate_limited", {"retry_after": 9}, Deferred(Reason.RATE_LIMITED, 9.0, "613"), 0),
        ("rate_limited", {}, Deferred(Reason.RATE_LIMITED, None, "613"), 0),
        ("error_not_taken", {}, Unknown(Reason.PROVIDER_DOWN, "2"), 0),
        ("error_not_taken", {"error_code": "1200"}, Deferred(Reason.PROVIDER_DOWN, None, "1200"), 0),
        ("error_taken", {}, Unknown(Reason.PROVIDER_DOWN, "2"), 1),
        ("error_taken", {"error_code": "1/1357046"}, Unknown(Reason.NO_ANSWER, "1/1357046"), 1),
        ("answer_lost", {}, Unknown(Reason.NO_ANSWER, "closed"), 1),
        ("request_lost", {}, Unknown(Reason.NO_ANSWER, "closed"), 0),
        ("garbage", {}, Unknown(Reason.NO_ANSWER, "200"), 1),
        ("truncated", {}, Unknown(Reason.NO_ANSWER, "truncated"), 1),
        ("slow", {"delay": 60.0}, Unknown(Reason.NO_ANSWER, "read_timeout"), 1),
        ("down", {}, Deferred(Reason.PROVIDER_DOWN, None, "refused"), 0),
    ],
)
async def test_every_fault_is_read_for_what_it_is(name: str, mode: str, more: dict[str, Any], expected: SendResult, taken: int) -> None:
    desk = Desk(name)
    desk.fault(mode, **more)
    got = await desk.send(Text("x"))
    assert type(got) is type(expected) and not isinstance(got, Accepted) and not isinstance(expected, Accepted)
    if mode != "down":
        assert (got.reason, got.code) == (expected.reason, expected.code)
    if isinstance(got, Deferred) and isinstance(expected, Deferred):
        assert got.after == expected.after
    assert len([post for post in desk.place.posts if not post.mine]) == taken
    if taken:
        keys = [each.key for each in desk.facts() if isinstance(each, Receipt) and each.level is ReceiptLevel.ACCEPTED]
        assert keys == (["dlv_1"] if name == "messenger" else [""]), "only an echo with metadata settles the doubt"


async def test_an_upload_that_fails_has_sent_nothing() -> None:
    desk = Desk("messenger")
    desk.fault("answer_lost", operation="upload")
    got = await desk.send(IMAGE)
    assert isinstance(got, Deferred) and [post for post in desk.place.posts if not post.mine] == []


@BOTH
async def test_webhooks_that_come_twice_have_the_same_ids(name: str) -> None:
    desk = Desk(name)
    desk.fault("webhook_duplicated")
    desk.act("text", text="Hello?")
    first, second = desk.facts()
    assert first == second and isinstance(first, InboundMessage)


@BOTH
async def test_what_the_sandbox_tells_is_as_meta_describes_it(name: str) -> None:
    """The judge of our fixtures, over everything that the sandbox says."""
    desk = Desk(name)
    await desk.provider.check()
    said: list[tuple[str, dict[str, Any]]] = [
        *(("text", {"text": "ж"}), ("postback", {"title": "B"}), ("reaction", {}), ("edit", {"text": "e"})),
        *((("story_reply", {"text": "s"}), ("story_mention", {}), ("unsend", {})) if name == "instagram" else ()),
    ]
    for action, body in said:
        desk.act(action, **body)
    desk.act("file", file=PHOTO)
    desk.act("location", latitude=1.5, longitude=2.5)
    desk.act("inbox", text="y")
    await desk.send(Text("x"))
    await desk.send(IMAGE)
    desk.act("read")
    desk.pass_time(2)
    calls = desk.sandbox.outbox.due()
    assert sum(len(call.entries) for call in calls) >= 10
    for call in calls:
        judge(json.loads(call.body), "page" if name == "messenger" else "instagram")


# --- what the API refuses by itself -------------------------------------------------------------------------


def asked(desk: Desk, path: str, body: Any, *, token: str = "", method: str = "POST", files: tuple[Upload, ...] = ()) -> tuple[int, Any]:
    """A raw call: HTTP code and (code, subcode) of the error, or the answer."""
    headers = {"authorization": f"Bearer {token or desk.given['token']}", "content-type": "application/json", "host": "sandbox.invalid"}
    form = {name: json.dumps(value) for name, value in body.items()} if files else {}
    raw = b"" if files or body is None else json.dumps(body).encode()
    outcome = desk.sandbox.handle(Request(method, f"/{desk.name}/v23.0/{path}", {}, headers, raw, form, files))
    assert isinstance(outcome, Reply)
    answer = json.loads(outcome.response.body)
    error = answer.get("error")
    return outcome.response.code, (error["code"], error.get("error_subcode")) if error else answer


@BOTH
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"recipient": None}, (100, None)),
        ({"recipient": {"id": "404"}}, "nobody"),
        ({"message": None}, (100, None)),
        ({"message": {}}, (100, None)),
        ({"message": {"text": " "}}, (100, None)),
        ({"message": {"text": 5}}, (100, None)),
        ({"message": {"text": "x" * 2001}}, (100, None)),
        ({"message": {"text": "x", "attachment": {}}}, (100, None)),
        ({"message": {"text": "x", "metadata": "x" * 1001}}, (100, None)),
        ({"message": {"attachment": {"type": "hologram", "payload": {"url": "https://a.example/x"}}}}, (100, None)),
        ({"message": {"attachment": {"type": "image", "payload": {"url": "ftp://a.example/x"}}}}, (100, 2018008)),
        ({"message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}}, (100, None)),
        ({"message": {"attachment": {"type": "template", "payload": {"template_type": "unheard"}}}}, (100, None)),
        ({"messaging_type": "SHOUT"}, (100, None)),
        ({"messaging_type": "MESSAGE_TAG", "tag": "POST_PURCHASE_UPDATE"}, (100, None)),
    ],
)
def test_calls_that_make_no_sense_are_refused_and_nothing_arrives(name: str, change: dict[str, Any], error: Any) -> None:
    desk = Desk(name)
    body = {"recipient": {"id": desk.place.id}, "messaging_type": "RESPONSE", "message": {"text": "x"}, **change}
    wanted = (100, 2018001 if name == "messenger" else 2534014) if error == "nobody" else error
    assert asked(desk, "me/messages", body) == (400, wanted)
    assert [post for post in desk.place.posts if not post.mine] == []


@BOTH
@pytest.mark.parametrize(
    ("file", "error"),
    [
        (Upload("filedata", "a.txt", "text/plain", b"x"), (100, 2018047)),
        (Upload("filedata", "a.png", "image/png", b""), (100, 2018047)),
        (Upload("attachment", "a.png", "image/png", b"x"), (100, 2018047)),
        (Upload("filedata", "a.png", "image/png", b"x" * (25 * 1_048_576 + 1)), (100, 2018109)),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(name: str, file: Upload, error: tuple[int, int]) -> None:
    body = {"message": {"attachment": {"type": "image", "payload": {"is_reusable": True}}}}
    assert asked(Desk(name), "me/message_attachments", body, files=(file,)) == (400, error)


@BOTH
def test_a_file_may_go_with_its_message(name: str) -> None:
    desk = Desk(name)
    body = {"recipient": {"id": desk.place.id}, "message": {"attachment": {"type": "image", "payload": {}}}}
    code, answer = asked(desk, f"{desk.account.id}/messages", body, files=(Upload("filedata", "a.png", "image/png", b"PNG"),))
    assert code == 200 and answer["message_id"] == desk.place.posts[-1].id
    assert desk.account.files[desk.place.posts[-1].file].data == b"PNG"


@BOTH
def test_whom_and_what_it_does_not_know(name: str) -> None:
    desk = Desk(name)
    assert asked(desk, "me", None, method="GET", token="EAAguess")[1] == (190, None)
    assert asked(desk, "999/messages", {})[1] == (100, 33)
    assert asked(desk, "me/nothing", {})[1] == (2500, None)
    assert asked(desk, "404", None, method="GET")[1] == (100, 33)
