"""Writing: a draft outlives a failure, files go both ways, and what a contact sends runs nowhere."""

import base64

import pytest
from playwright.async_api import Page, expect

from heliograph.sandbox.wire import Upload
from tests.browser.stage import Stage

#: One loop for all, as there is one browser.
pytestmark = pytest.mark.asyncio(loop_scope="session")

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert("svg")</script></svg>'


async def ticket_page(scene: Stage, text: str = "Hello", **options: object) -> Page:
    scene.writes(text)
    (ticket,) = await scene.tickets()
    return await scene.open(f"/desk/tickets/{ticket}", **options)


async def test_a_draft_outlives_a_failure_and_a_reload(scene: Stage) -> None:
    page = await ticket_page(scene)
    box = page.get_by_label("Your text")
    await page.route("**/reply", lambda route: route.fulfill(status=503, content_type="text/plain", body="Nothing was saved: try again."))
    await box.fill("A long and careful answer")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_role("alert")).to_have_text("Nothing was saved: try again.")
    await expect(box).to_have_value("A long and careful answer")
    key = await page.locator("[name=key]").input_value()
    await page.reload()
    await expect(box).to_have_value("A long and careful answer")
    assert await page.locator("[name=key]").input_value() == key
    await page.unroute("**/reply")
    await page.route("**/reply", lambda route: route.abort())
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your text is kept")
    await page.unroute("**/reply")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".bubble.agent .words")).to_have_text("A long and careful answer")
    await page.reload()
    await expect(box).to_have_value("")
    await expect(page.locator(".bubble.agent")).to_have_count(1)
    scene.complaints.clear()


async def test_an_answer_that_was_lost_is_not_saved_twice(scene: Stage) -> None:
    page = await ticket_page(scene)

    async def lose(route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/reply", lose)
    await page.get_by_label("Your text").fill("only once")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your text is kept")
    await page.unroute("**/reply")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_label("Your text")).to_have_value("")
    await expect(page.locator(".bubble.agent")).to_have_count(1)
    assert scene.counts()["written"] == 1
    scene.complaints.clear()


async def test_notes_stay_inside(scene: Stage) -> None:
    page = await ticket_page(scene)
    await page.get_by_role("radio", name="Note").check()
    await page.get_by_label("Your text").fill("VIP, careful")
    await page.get_by_role("button", name="Save note").click()
    await expect(page.locator(".bubble.note")).to_contain_text("VIP, careful")
    await expect(page.locator(".state")).to_have_count(0)
    assert scene.counts()["written"] == 0


async def test_nothing_is_nothing_to_send(scene: Stage) -> None:
    page = await ticket_page(scene)
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_role("alert")).to_have_text("Write something, or attach a file.")
    await page.get_by_label("Your text").fill("a")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_files_go_both_ways(scene: Stage) -> None:
    page = await ticket_page(scene)
    await page.locator("#files").set_input_files({"name": "plan.png", "mimeType": "image/png", "buffer": PNG})
    await page.locator("#files").set_input_files({"name": "offer.txt", "mimeType": "text/plain", "buffer": b"ten percent"})
    await expect(page.locator("#attached li")).to_have_count(2)
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".parts")).to_have_text("2 parts: 2 delivered.")
    picture = page.locator(".bubble.agent img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 1
    phone = await scene.open("/phone")
    await expect(phone.locator(".bubble:not(.mine) .paper")).to_contain_text("offer")
    await expect(phone.locator(".bubble:not(.mine) img")).to_be_visible()
    await phone.get_by_label("Attach a file").set_input_files({"name": "broken glass.png", "mimeType": "image/png", "buffer": PNG})
    theirs = page.locator(".bubble.contact img")
    await expect(theirs).to_be_visible()
    assert await theirs.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 1


async def test_what_a_contact_sends_runs_nowhere(scene: Stage) -> None:
    page = await ticket_page(scene, '<script>alert(1)</script><img src=x onerror="alert(2)">')
    await expect(page.locator(".bubble.contact .words")).to_have_text('<script>alert(1)</script><img src=x onerror="alert(2)">')
    await expect(page.locator(".line-preview")).to_contain_text("<script>alert(1)</script>")
    contacts, place = scene.sandbox.sunshine.contacts, scene.seeded.conversation_id
    for name, media_type, data in (("evil.html", "text/html", b"<script>alert(3)</script>"), ("evil.svg", "image/svg+xml", SVG)):
        kept = contacts.upload(place, Upload("file", name, media_type, data), scene.demo.sandbox.url)
        contacts.write(place, {"type": "file", "mediaUrl": kept.url, "mediaType": media_type, "altText": name})
    papers = page.locator(".bubble.contact .paper")
    await expect(papers).to_have_count(2)
    for number in range(2):
        address = await papers.nth(number).get_attribute("href")
        answer = await page.request.get(f"{scene.url}{address}")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/octet-stream")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
    assert scene.complaints == []


async def test_pages_allow_no_script_but_ours(scene: Stage) -> None:
    page = await ticket_page(scene)
    answer = await page.request.get(page.url)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'nonce-" in policy and "unsafe" not in policy
    assert "<script>" not in (html := await answer.text()) and " onclick" not in html and " style=" not in html
    again = await page.request.get(page.url)
    assert again.headers["content-security-policy"] != policy


async def test_a_reply_that_waits_is_written_anew_and_only_the_new_one_goes(scene: Stage) -> None:
    page = await ticket_page(scene)
    key = scene.key
    key.revoked = True
    await page.get_by_label("Your text").fill("It costs 5 euros")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".state.held")).to_have_count(1)
    await page.get_by_role("button", name="Change").click()
    await expect(page.get_by_label("Your text")).to_have_value("It costs 5 euros")
    await expect(page.get_by_text("Takes the place of a reply that waits")).to_be_visible()
    await page.get_by_label("Your text").fill("It costs 50 euros")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".state.cancelled")).to_have_count(1)
    await expect(page.get_by_text("Takes the place of a reply that waits")).to_be_hidden()
    key.revoked = False
    await expect(page.locator(".state.held")).to_have_count(0, timeout=20_000)
    assert scene.texts() == ["It costs 50 euros"]
