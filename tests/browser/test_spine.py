"""The main job, by hand: write, answer, see it arrive; take the key away and give it back."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from heliograph.domain.delivery import State
from heliograph.sandbox.faults import fault_from_json
from tests.browser.stage import Stage, eventually

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def answer(page: Page, text: str) -> None:
    """Write a reply and wait until the box says that it is saved."""
    await page.get_by_label("Your text").fill(text)
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_label("Your text")).to_have_value("")


async def test_from_the_phone_to_the_desk_and_back_with_ticks(scene: Stage) -> None:
    page = await scene.open("/")
    phone, desk = page.frame_locator("#phone iframe"), page.frame_locator("#desk iframe")
    strip = page.frame_locator("#strip iframe")
    await expect(desk.get_by_text("No open tickets")).to_be_visible()
    await expect(desk.get_by_role("heading", name="All quiet")).to_be_visible()
    await phone.get_by_label("Read at once").evaluate("box => box.click()")
    await phone.get_by_role("textbox", name="Message").fill("Where is my lantern?")
    await phone.get_by_role("button", name="Send", exact=True).click()
    await expect(desk.get_by_role("heading", name="Choose a ticket")).to_be_visible()
    await expect(desk.get_by_role("heading", name="All quiet")).to_be_hidden()
    await desk.get_by_role("link", name=re.compile("Ada.*Where is my lantern")).click()
    await expect(desk.locator(".bubble.contact .words")).to_have_text("Where is my lantern?")
    await desk.get_by_label("Your text").fill("On its way.")
    await desk.get_by_role("button", name="Send reply").click()
    await expect(phone.locator(".bubble:not(.mine) .words")).to_have_text("On its way.")
    await expect(desk.locator(".state")).to_have_text("Delivered")
    await phone.get_by_label("More").click()
    await phone.get_by_role("button", name="Mark as read").click()
    await expect(desk.locator(".state")).to_have_text("Read")
    await expect(desk.locator("#announcer")).to_have_text("Your reply: Read")
    for name, number in {"written": 1, "delivered": 1, "waiting": 0, "lost": 0, "doubled": 0, "overtaken": 0}.items():
        await expect(strip.locator(f"[data-count={name}] dd")).to_have_text(str(number))
    await expect(page.locator("footer a")).to_have_text("paste a Telegram bot token")


async def test_three_answers_wait_for_a_key_and_go_out_in_order(scene: Stage) -> None:
    scene.writes("Hello")
    (ticket,) = await scene.tickets()
    page, strip = await scene.open(f"/desk/tickets/{ticket}"), await scene.open("/strip")
    await strip.get_by_role("button", name="Revoke the key").click()
    await expect(strip.get_by_role("button", name="Restore the key")).to_be_visible()
    texts = ["first", "second", "third"]
    for text in texts:
        await answer(page, text)
    states = page.locator(".state .word")
    await expect(states).to_have_text(["Held", "Held", "Held"])
    await expect(page.locator(".about")).to_contain_text(
        [
            "Next to go. The provider does not accept the channel's credentials.",
            "Waits in order, 1 before it.",
            "Waits in order, 2 before it.",
        ]
    )
    banner = page.get_by_label("Channel on hold")
    await expect(banner).to_contain_text("WhatsApp via Sunshine is on hold")
    await expect(banner).to_contain_text("3 messages wait")
    await expect(banner).to_contain_text("An admin must act")
    await expect(page.locator("#list")).to_contain_text("3 held")
    await expect(page.locator("#health")).to_contain_text("WhatsApp via Sunshine on hold")
    await expect(strip.locator("[data-count=waiting] dd")).to_have_text("3")
    trouble = await scene.open("/desk?show=trouble")
    await expect(trouble.locator(".line")).to_have_count(1)
    assert scene.texts() == []
    await strip.get_by_role("button", name="Restore the key").click()
    await expect(states).to_have_text(["Delivered", "Delivered", "Delivered"])
    await expect(banner).to_have_count(0)
    await expect(page.locator("#health")).to_have_text("")
    await expect(trouble.locator(".line")).to_have_count(0)
    assert scene.texts() == texts
    for name, number in {"written": 3, "delivered": 3, "waiting": 0, "lost": 0, "doubled": 0, "overtaken": 0}.items():
        await expect(strip.locator(f"[data-count={name}] dd")).to_have_text(str(number))
    await expect(page.locator("#events")).to_contain_text("Sending is on hold; replies wait in order.")
    await expect(page.locator("#events")).to_contain_text("Sending works again; waiting replies go out in order.")
    await expect(page.locator("#events")).to_contain_text("Reply 1: Attempt 1 did not get through; the reply keeps its place and waits.")


async def test_what_cannot_be_proved_is_asked_and_decided(scene: Stage) -> None:
    scene.writes("Are you open?", service="telegram")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    lost = scene.sandbox.faults.set(fault_from_json({"service": "telegram", "mode": "answer_lost", "operation": "send"}))
    await answer(page, "Until six.")
    about = page.locator(".about.asking")
    await expect(about).to_contain_text("It may have arrived, and this provider offers no way to find out.")
    await answer(page, "Come by!")
    await expect(page.locator(".about.queued")).to_contain_text("Waits in order, 1 before it.")
    await expect(page.locator("#list")).to_contain_text("1 to decide")
    scene.sandbox.faults.clear(id=lost.id)
    await about.get_by_role("button", name="Treat as sent").click()
    await expect(page.locator(".state .word")).to_have_text(["Treated as sent", "Sent"])
    await expect(page.locator("#events")).to_contain_text("Reply 1: It was decided to treat it as sent.")
    await expect(page.locator("#events .event", has_text="treat it as sent")).to_contain_text("Sam Pharos")
    counts = scene.counts()
    assert (counts["written"], counts["lost"], counts["doubled"], counts["overtaken"]) == (2, 0, 0, 0)


async def test_a_waiting_reply_can_be_dropped_and_taken_up_again(scene: Stage) -> None:
    scene.sandbox.faults.set(fault_from_json({"service": "sunshine", "mode": "revoked"}))
    scene.writes("Hello")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    await answer(page, "too hasty")
    await answer(page, "well considered")
    await expect(page.locator(".state .word")).to_have_text(["Held", "Held"])
    await page.get_by_role("button", name="Don’t send").first.click()
    await expect(page.locator(".state .word")).to_have_text(["Not sent", "Held"])
    scene.sandbox.faults.clear()
    await expect(page.locator(".state .word")).to_have_text(["Not sent", "Delivered"])
    assert scene.texts() == ["well considered"]


async def test_a_long_text_goes_in_parts_and_says_so(scene: Stage) -> None:
    scene.writes("Tell me everything", service="telegram")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    text = "\n".join(f"Line {number}: " + "word " * 40 for number in range(60)).strip()
    assert len(text) > 2 * 4096
    await answer(page, text)
    await expect(page.locator(".parts")).to_have_text(re.compile(r"^[34] parts: [34] sent\.$"))
    taken = [taken.text for taken in scene.sandbox.tally.taken("telegram")]
    assert "".join("".join(taken).split()) == "".join(text.split())
    await expect(page.locator("#events")).to_contain_text("Reply 1, part 2 of")


async def test_solving_and_reopening(scene: Stage) -> None:
    scene.writes("Hello")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    await page.get_by_role("button", name="Solve", exact=True).click()
    await expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    await expect(page.locator("#list .line")).to_have_count(0)
    await page.get_by_role("link", name="Solved").click()
    await expect(page.locator("#list .line")).to_have_count(1)
    scene.writes("One more thing")
    await page.get_by_role("link", name="Open", exact=True).click()
    await expect(page.locator("#list .line")).to_contain_text("One more thing")


async def test_one_press_too_many_saves_once(scene: Stage) -> None:
    scene.writes("Hello")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    await page.get_by_label("Your text").fill("once")
    body = await page.evaluate("""async () => {
        const form = document.getElementById("reply");
        const send = () => fetch(form.getAttribute("hx-post"), {method: "POST", body: new FormData(form)}).then((answer) => answer.status);
        return [...await Promise.all([send(), send(), send()]), await send()];
    }""")
    assert body == [204, 204, 204, 204]
    await expect(page.locator(".bubble.agent")).to_have_count(1)
    other = await page.evaluate("""async () => {
        const form = document.getElementById("reply");
        form.elements.text.value = "another";
        const answer = await fetch(form.getAttribute("hx-post"), {method: "POST", body: new FormData(form)});
        return [answer.status, await answer.text()];
    }""")
    assert other[0] == 409 and "saved already" in other[1]
    scene.complaints.clear()


async def test_a_page_that_goes_leaves_nothing_behind(scene: Stage) -> None:
    pages = [await scene.open("/desk") for _ in range(3)]

    async def listeners() -> int:
        return len(scene.application.live._queues.get(scene.demo.account, ()))

    await eventually(listeners, lambda number: number == 3)
    for page in pages:
        await page.close()
    await eventually(listeners, lambda number: number == 0)


async def test_a_desk_that_lost_its_connection_catches_up(scene: Stage) -> None:
    page = await scene.open("/desk")
    await expect(page.get_by_text("No open tickets")).to_be_visible()
    await page.context.set_offline(True)
    scene.writes("While you were away")
    await scene.tickets()
    await page.context.set_offline(False)
    scene.writes("And again")
    await expect(page.locator(".line")).to_contain_text("And again")
    scene.complaints.clear()


async def test_every_reply_is_where_the_desk_says(scene: Stage) -> None:
    scene.writes("Hello")
    (ticket,) = await scene.tickets()
    page = await scene.open(f"/desk/tickets/{ticket}")
    await asyncio.gather(*(_fetch(page, ticket, number) for number in range(12)))
    await expect(page.locator(".state .word")).to_have_text(["Delivered"] * 12)
    rows = await scene.application.context.store.deliveries_of(scene.demo.account, ticket)
    assert {row.state for row in rows} == {State.DELIVERED}
    counts = scene.counts()
    assert (counts["delivered"], counts["doubled"], counts["overtaken"]) == (12, 0, 0)


async def _fetch(page: Page, ticket: str, number: int) -> None:
    await page.evaluate(
        """async ([ticket, number]) => {
            const body = new FormData();
            body.append("key", "burst-key-" + number); body.append("text", "number " + number); body.append("public", "yes");
            await fetch(`/desk/tickets/${ticket}/reply`, {method: "POST", body});
        }""",
        [ticket, number],
    )
