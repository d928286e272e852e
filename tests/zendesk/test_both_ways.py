"""What a contact writes is a comment in Zendesk, what an agent writes there reaches the contact, each once."""

from tests.zendesk.town import Town


async def test_a_message_is_a_ticket_there_and_a_reply_reaches_the_contact(here: Town) -> None:
    first = await here.contact_writes("hello")
    again = await here.contact_writes("anybody there?")
    assert first.ticket == again.ticket and len(here.tickets) == 1
    assert first.external_id.startswith("cmt_")
    reply = here.reply("good morning")
    await here.until(lambda: "good morning" in here.received())
    assert reply.channelback is not None and reply.channelback.state == "taken"
    assert reply.external_id.startswith("cmt_") and not reply.errors
    assert here.received() == ["good morning"]
