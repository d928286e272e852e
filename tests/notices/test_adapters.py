"""What carries words out speaks the real protocols, says what did not get through, and repeats no secret."""

import pytest

from heliograph.announce.calls import Alertmanager, Calls, Pulse
from heliograph.announce.mail import SmtpMail
from heliograph.announce.rooms import Rooms
from heliograph.ports.alarm import Alert
from heliograph.ports.announce import NotTold
from tests.incidents.town import START, Clock
from tests.notices.outside import outside, post, words


async def test_a_room_gets_title_and_text(capfd: pytest.CaptureFixture[str]) -> None:
    async with outside() as there:
        rooms = Rooms()
        await rooms.announce([there.target("secret-one"), there.target("two")], "A title", "A text: {braces} & <b>")
        assert sorted(path for _, path, _ in there.taken) == ["/secret-one", "/two"]
        assert {(told["title"], told["message"]) for _, _, told in there.taken} == {("A title", "A text: {braces} & <b>")}
        there.answers = [500]
        with pytest.raises(NotTold) as refused:
            await rooms.announce([there.target("secret-one")], "A title", "A text")
        assert not refused.value.final and "secret" not in str(refused.value)
        with pytest.raises(NotTold) as unknown:
            await rooms.announce(["nonsense-secret"], "A title", "A text")
        assert unknown.value.final and "secret" not in str(unknown.value)
        with pytest.raises(NotTold, match="1 of 2 targets"):
            await rooms.announce(["nonsense", there.target()], "A title", "A text")
        await rooms.close()
    assert "secret" not in "".join(capfd.readouterr())


async def test_a_room_that_does_not_answer_keeps_nobody() -> None:
    async with outside() as there:
        there.slow = 3
        rooms = Rooms(timeout=0.3)
        with pytest.raises(NotTold):
            await rooms.announce([there.target()], "A title", "A text")
        await rooms.close()


async def test_mail_arrives_whole() -> None:
    async with post() as office:
        mail = SmtpMail(f"smtp://127.0.0.1:{office.port}", "Heliograph <desk@example.org>", Clock())
        await mail.mail(
            "admin@example.com", "Respuestas en espera", "Línea una\n\nAção", "<p>Ação</p>", {"Auto-Submitted": "auto-generated"}
        )
        [(to, message)] = office.taken
        assert (
            to == "admin@example.com" and message["Auto-Submitted"] == "auto-generated" and message["Message-ID"].endswith("@example.org>")
        )
        assert "15 Jan 2027" in message["Date"] and START
        assert [words(part).strip()[-4:] for part in message.walk() if not part.is_multipart()] == ["Ação", "</p>"]
        with pytest.raises(NotTold) as evil:
            await mail.mail("admin@example.com", "Hello\r\nBcc: all@example.com", "Text", "", {})
        assert evil.value.final and len(office.taken) == 1
        with pytest.raises(NotTold) as two:
            await mail.mail("=?utf-8?q?victim=40example.com=2C_b?=@example.org", "Hello", "Text", "", {})
        assert two.value.final and len(office.taken) == 1
        office.refuse = "550 no such person"
        with pytest.raises(NotTold) as gone:
            await mail.mail("nobody@example.com", "Hello", "Text", "", {})
        assert gone.value.final and "nobody" not in str(gone.value)
        office.refuse = "451 later"
        with pytest.raises(NotTold) as later:
            await mail.mail("nobody@example.com", "Hello", "Text", "", {})
        assert not later.value.final


async def test_mail_that_must_be_encrypted_is_not_sent_in_the_clear() -> None:
    async with post() as office:
        mail = SmtpMail(f"smtp://127.0.0.1:{office.port}?tls=required", "desk@example.org", Clock())
        with pytest.raises(NotTold):
            await mail.mail("admin@example.com", "Hello", "Text", "", {})
        assert not office.taken


@pytest.mark.parametrize("url", ["http://host", "smtp://", "smtp://host?tls=perhaps"])
def test_a_mail_server_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp_url"):
        SmtpMail(url, "desk@example.org", Clock())
    with pytest.raises(ValueError, match="mail_from"):
        SmtpMail("smtp://host", "nobody", Clock())


async def test_an_alert_is_what_alertmanager_expects() -> None:
    async with outside() as there:
        calls = Calls(timeout=1)
        manager = Alertmanager(there.url + "/", calls)
        await manager.alert([Alert({"alertname": "HeliographIncident"}, {"summary": "A"}, START, START + 300_000_000)])
        assert there.taken == [
            (
                "POST", "/api/v2/alerts",
                [{
                    "labels": {"alertname": "HeliographIncident"}, "annotations": {"summary": "A"},
                    "startsAt": "2027-01-15T08:00:00.000Z", "endsAt": "2027-01-15T08:05:00.000Z",
                }],
            )
        ]  # fmt: skip
        there.answers = [503, 400]
        for final in (False, True):
            with pytest.raises(NotTold) as refused:
                await manager.alert([])
            assert refused.value.final is final
        await Pulse(there.url + "/beat", calls).beat()
        assert there.taken[-1][:2] == ("GET", "/beat")
        await calls.close()
    with pytest.raises(NotTold):
        await Pulse(there.url, Calls(timeout=1)).beat()
