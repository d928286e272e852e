"""The toll gate lets so many messages a second through, refuses the rest as the service does, and passes everything else on."""

from aiohttp import ClientSession, web

from heliograph.drill.toll import Toll, toll_gate


def test_no_second_holds_more_than_the_rate() -> None:
    toll = Toll(3)
    admitted = [at / 10 for at in range(40) if toll.admits(at / 10)]
    assert len(admitted) + len(toll.refused) == 40
    assert all(sum(start <= at < start + 1 for at in admitted) <= 3 for start in admitted)
    assert len(admitted) == 12
    assert toll.refused_between(0.25, 0.55) == 3


async def test_it_stands_in_front_of_a_service() -> None:
    seen: list[tuple[str, str, str, bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, request.headers.get("authorization", ""), await request.read()))
        return web.json_response({"ok": True}, status=201, headers={"x-kept": "yes"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service = f"http://127.0.0.1:{runner.addresses[0][1]}/sc"
        async with toll_gate(service, rate=1) as toll, ClientSession() as http:
            answers = []
            for _ in range(2):
                async with http.post(f"{toll.url}/v2/c%20d/messages?a=b", data=b"hello", headers={"authorization": "Basic x"}) as answer:
                    answers.append((answer.status, answer.headers.get("x-kept"), answer.headers.get("retry-after")))
            async with http.get(f"{toll.url}/v2/messages") as answer:
                answers.append((answer.status, answer.headers.get("x-kept"), None))
        assert answers == [(201, "yes", None), (429, None, "1"), (201, "yes", None)]
        assert seen == [("POST", "/sc/v2/c%20d/messages?a=b", "Basic x", b"hello"), ("GET", "/sc/v2/messages", "", b"")]
        assert len(toll.passed) == len(toll.refused) == 1
    finally:
        await runner.cleanup()
