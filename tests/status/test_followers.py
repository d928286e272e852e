"""Followers are asked first, told each update once in their language, and gone with one click."""

import asyncio
from pathlib import Path

import pytest

from heliograph.announce.mail import SmtpMail
from heliograph.ports.announce import NotTold
from heliograph.services import followers, status_page
from heliograph.services.context import Invalid, Missing
from tests.notices.outside import post
from tests.status.square import URL, Square, parts, square


async def kept(here: Square) -> list[str]:
    return [row.data for row in await here.town.store.documents("", followers.KIND)]


async def test_a_follower_is_told_each_update_once_in_their_language(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.follows("ada@example.org", "es")
        await here.follows("sam@example.org", "pt-BR")
        here.post.sent.clear()
        case = await here.trouble()
        assert await here.tell() == 2
        assert {mail.to: mail.subject for mail in here.post.sent} == {
            "ada@example.org": here.post.sent[0].subject,
            "sam@example.org": here.post.sent[1].subject,
        }
        spanish = next(mail for mail in here.post.sent if mail.to == "ada@example.org")
        assert f"{URL}/status/es/incidents/{case.incident.id}" in spanish.text and 'lang="es"' in spanish.html
        assert await here.tell() == 0
        await status_page.write_note(here.town.context, case.incident.id, "<script>x</script> & more", locale="en", actor="operator")
        assert await here.tell() == 2
        assert "<script>" not in here.post.sent[-1].html and "&lt;script&gt;x&lt;/script&gt; &amp; more" in here.post.sent[-1].html
        await here.recovery()
        assert await here.tell() == 2, "what has gathered meanwhile is one mail"
        assert len(here.post.sent) == 6


async def test_nobody_is_mailed_without_having_confirmed(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        context, vault = here.town.context, here.outlets.vault

        async def ask(address: str) -> None:
            await followers.follow(context, vault, here.post, address, locale="en", url=URL, name="Lighthouse")

        await ask("eve@example.org")
        await ask("Eve@example.org")
        assert len(here.post.sent) == 1, "a form must not be a way to flood a mailbox"
        with pytest.raises(Invalid):
            await ask("eve@example.org\nBcc: all@example.org")
        with pytest.raises(Invalid):
            await ask("no address")
        follower, token = parts(here.link(here.post.sent[0], "confirm"))
        [row] = await kept(here)
        assert token not in row, "only a digest and a sealed copy are kept"
        assert "eve" not in follower
        await here.trouble()
        assert await here.tell() == 0
        with pytest.raises(Missing):
            await followers.confirm(context, follower, "hgt_wrong")
        await followers.confirm(context, follower, token)
        assert await here.tell() == 0, "what was told before is no news"
        await here.recovery()
        assert await here.tell() == 1


async def test_a_form_that_is_filled_in_by_a_program_floods_nobody(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with square(tmp_path, database=database) as here:
        context, vault = here.town.context, here.outlets.vault

        async def ask(address: str) -> None:
            await followers.follow(context, vault, here.post, address, locale="en", url=URL, name="Lighthouse")

        for number in range(3):
            await ask(f"Eve+{number}@example.org")
        assert len(here.post.sent) == 1, "all are the same mailbox"
        monkeypatch.setattr(followers, "MOST_PENDING", 4)
        await asyncio.gather(*(ask(f"eve{number}@example.org") for number in range(20)), return_exceptions=True)
        assert len(here.post.sent) <= 4 and len(await kept(here)) == len(here.post.sent)
        with pytest.raises(Invalid):
            for number in range(20, 25):
                await ask(f"eve{number}@example.org")
        assert len(here.post.sent) == 4


async def test_the_way_out_is_in_every_mail_and_forgets_the_address(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.follows("ada@example.org")
        await here.trouble()
        await here.tell()
        mail = here.post.sent[-1]
        assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail.headers["List-Unsubscribe"].strip("<>")
        assert link.startswith("https://") and link in mail.text
        follower, token = parts(link)
        assert not await followers.unfollow(here.town.context, follower, "hgt_wrong") and await kept(here)
        assert await followers.unfollow(here.town.context, follower, token)
        assert await kept(here) == []
        assert not await followers.unfollow(here.town.context, follower, token)
        await here.recovery()
        assert await here.tell() == 0


async def test_a_crash_after_sending_repeats_the_mail_under_the_same_message_id(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.follows("ada@example.org")
        await here.trouble()
        here.post.sent.clear()

        async def crash(name: str) -> None:
            if name == "after_follower_mail":
                raise RuntimeError("killed")

        here.town.context.failpoint, usual = crash, here.town.context.failpoint
        with pytest.raises(RuntimeError):
            await here.tell()
        here.town.context.failpoint = usual
        assert await here.tell() == 0, "another process waits until the lease is over"
        here.town.clock.at += followers.LEASE + 1
        assert await here.tell() == 1
        assert await here.tell() == 0
        first, second = here.post.sent
        assert first.headers["Message-ID"] == second.headers["Message-ID"]


async def test_a_mail_that_does_not_get_out_is_tried_again_and_a_dead_address_is_forgotten(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        await here.follows("ada@example.org")
        await here.trouble()
        here.post.failing = NotTold("busy")
        assert await here.tell() == 0 and await here.tell() == 0
        here.post.failing = None
        assert await here.tell() == 0, "not at once"
        here.town.clock.at += followers.FIRST_DELAY + 1
        assert await here.tell() == 1
        await here.recovery()
        here.post.failing = NotTold("no such user", final=True)
        for _ in range(followers.REFUSALS):
            assert len(await kept(here)) == 1, "a mail server of ours that is set up wrongly must not cost us all followers"
            assert await here.tell() == 0
            here.town.clock.at += followers.REFUSED_DELAY + 1
        assert await kept(here) == []


async def test_chat_rooms_are_told_once_and_what_they_did_not_take_again(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database, targets=("json://room.example.org/secret", "json://feed.example.org")) as here:
        case = await here.trouble()
        assert await here.tell() == 2 and await here.tell() == 0
        assert {target for target, _, _ in here.room.said} == set(here.outlets.targets)
        assert all(f"{URL}/status/en/incidents/{case.incident.id}" in text for _, _, text in here.room.said)
        [page] = [row.data for row in await here.town.store.documents("", status_page.KIND)]
        assert "secret" not in page
        here.room.failing = NotTold("down")
        await status_page.write_note(here.town.context, case.incident.id, "News", locale="en", actor="operator")
        assert await here.tell() == 0
        here.room.failing = None
        assert await here.tell() == 0, "not at once"
        here.town.clock.at += 16_000_000
        assert await here.tell() == 2 and await here.tell() == 0
        assert len(here.room.said) == 4


async def test_it_is_so_over_a_real_mail_server(tmp_path: Path) -> None:
    async with square(tmp_path) as here, post() as office:
        await here.follows("ada@example.org", "es")
        await here.trouble()
        mail = SmtpMail(f"smtp://127.0.0.1:{office.port}?tls=never", "Heliograph <desk@example.org>", here.town.clock)
        board = await here.board()
        assert await followers.tell(here.town.context, here.outlets.vault, mail, board) == 1
        [(to, message)] = office.taken
        assert to == "ada@example.org" and message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message.get_all("Message-ID") == [message["Message-ID"]] and message["Message-ID"].endswith("@status.example.org>")
        assert "/unsubscribe?token=hgt_" in message["List-Unsubscribe"].replace("\n", "").replace(" ", "")


def test_a_follower_does_not_show_its_address() -> None:
    follower = followers.Follower(id="fol_1", address="ada@example.org", locale="en", digest="d", sealed="s", asked_at=1)
    assert "ada" not in repr(follower)
