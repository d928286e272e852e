"""The HTTP client, with and without a process of its own, makes one request a call and tells certainly-not-sent from maybe-sent."""

import asyncio
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from heliograph.ports.http import Http, HttpFile, MaybeSent, NotSent
from heliograph.providers.addresses import guarded_socket_factory, is_public
from heliograph.providers.courier import CourierHttp
from heliograph.providers.http import AiohttpHttp
from tests.providers import misbehaving
from tests.providers.misbehaving import MisbehavingServer, answer

SECRET = "canary-token-9f3"


Client = type[AiohttpHttp] | type[CourierHttp]


@pytest.fixture(params=[AiohttpHttp, CourierHttp])
def client(request: pytest.FixtureRequest) -> Client:
    """Both ways to make a call behave alike."""
    return request.param


@pytest.fixture
async def http(client: Client) -> AsyncIterator[Http]:
    async with client(guarded=False) as http:
        if isinstance(http, CourierHttp):
            await http.start()
        yield http


async def call(http: Http, base: str, method: str = "POST", timeout: float = 5, max_bytes: int = 1000):
    return await http.request(method, f"{base}/{SECRET}/send", headers={"X-K": "v"}, body=b"{}", timeout=timeout, max_bytes=max_bytes)


async def test_answers_with_lower_case_header_names(http: Http, server: MisbehavingServer) -> None:
    server.behave(answer(201, b'{"a":1}', {"Retry-After": "3"}))
    got = await call(http, server.base_url)
    assert (got.status, got.body, got.headers["retry-after"]) == (201, b'{"a":1}', "3")
    assert server.seen[0].headers["x-k"] == "v" and server.seen[0].body == b"{}"


def test_aiohttp_still_has_the_switch_for_its_silent_resend() -> None:
    async def look() -> None:
        async with aiohttp.ClientSession() as session:
            assert session._retry_connection is True

    asyncio.run(look())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET", "POST"])
async def test_a_dropped_reused_connection_is_not_tried_again(http: Http, server: MisbehavingServer, method: str) -> None:
    server.behave(answer(200), misbehaving.close, answer(200))
    await call(http, server.base_url, method)
    with pytest.raises(MaybeSent, match="closed"):
        await call(http, server.base_url, method)
    assert [each.connection for each in server.seen] == [1, 1], "the second call must reuse the connection, and be the last"


async def test_the_test_above_can_fail(server: MisbehavingServer) -> None:
    """aiohttp as it comes does repeat a PUT; if this stops, the switch has become needless."""
    server.behave(answer(200), misbehaving.close, answer(200))
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.put(server.base_url, data=b"x"):
                pass
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [
        (misbehaving.close, "closed"),
        (misbehaving.reset, "reset"),
        (misbehaving.truncated, "truncated"),
        (misbehaving.not_http, "malformed"),
        (answer(200, b"x" * 1001), "too_large"),
    ],
)
async def test_no_complete_answer_is_maybe_sent(http: Http, server: MisbehavingServer, behaviour, what: str) -> None:
    server.behave(behaviour)
    with pytest.raises(MaybeSent, match=f"^{what}$"):
        await call(http, server.base_url)
    assert len(server.seen) == 1


async def test_no_answer_in_time_is_maybe_sent(http: Http, server: MisbehavingServer) -> None:
    server.behave(misbehaving.hang)
    with pytest.raises(MaybeSent, match="read_timeout"):
        await call(http, server.base_url, timeout=0.2)


async def test_a_slow_drip_ends_at_the_deadline(http: Http, server: MisbehavingServer) -> None:
    async def drip(_, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)
        return False

    server.behave(drip)
    started = asyncio.get_running_loop().time()
    with pytest.raises(MaybeSent, match="read_timeout"):
        await call(http, server.base_url, timeout=0.3)
    assert asyncio.get_running_loop().time() - started < 2


async def test_the_deadline_is_not_rounded_up() -> None:
    """aiohttp rounds deadlines beyond five seconds up to whole seconds unless told not to."""
    http = AiohttpHttp(guarded=False)
    timeout = http._timeout(7.25)
    assert timeout.ceil_threshold > 1e9 and timeout.total == 7.25
    assert timeout.connect is not None and timeout.connect < 7.25
    assert http._timeout(7.25) is timeout


async def test_an_oversized_error_answer_keeps_its_meaning(http: Http, server: MisbehavingServer) -> None:
    server.behave(answer(401, b"x" * 5000))
    got = await call(http, server.base_url)
    assert got.status == 401 and len(got.body) == 1000


async def test_redirects_are_not_followed(http: Http, server: MisbehavingServer) -> None:
    server.behave(answer(302, b"", {"Location": "/elsewhere"}))
    assert (await call(http, server.base_url, "GET")).status == 302
    assert len(server.seen) == 1


async def test_refused_is_not_sent(http: Http) -> None:
    with pytest.raises(NotSent, match="refused"):
        await call(http, misbehaving.refused_url())


async def test_unknown_name_is_not_sent(http: Http) -> None:
    with pytest.raises(NotSent, match="resolve"):
        await call(http, "http://no-such-host.invalid")


async def test_plain_http_on_a_tls_address_is_not_sent(http: Http, server: MisbehavingServer) -> None:
    server.behave(misbehaving.close)
    with pytest.raises(NotSent):
        await call(http, server.base_url.replace("http:", "https:"))


async def test_a_certificate_that_nobody_vouches_for_is_not_sent(http: Http, tmp_path: Path) -> None:
    arrived = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(1))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as tls:
        with pytest.raises(NotSent, match="tls"):
            await call(http, f"https://127.0.0.1:{tls.sockets[0].getsockname()[1]}")
    assert not any(arrived)


def self_signed(folder: Path) -> Path:
    """A key and a certificate for it that no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2020, 1, 1), datetime(2120, 1, 1))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_connection_that_never_stands_is_not_sent(http: Http) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        # Fill the backlog so that the next connect hangs.
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
            fillers.append(filler)
        with pytest.raises(NotSent, match="connect_timeout"):
            await call(http, f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=0.3)
        for filler in fillers:
            filler.close()


async def test_waiting_for_a_free_connection_is_not_sent(client: Client, server: MisbehavingServer) -> None:
    server.behave(misbehaving.hang)
    async with client(guarded=False, limit=1) as http:
        first = asyncio.create_task(call(http, server.base_url, timeout=60))
        while not server.seen:
            await asyncio.sleep(0)
        # Of a stall longer than what is left of the whole timeout nothing is certain: a busy machine must not take that long.
        with pytest.raises(NotSent, match="connect_timeout"):
            await call(http, server.base_url, timeout=3)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("url", ["", "ftp://x/", "http://", "http://[::1", "http://a:99999/", "//x", "http:///path"])
async def test_unusable_addresses_are_not_sent(http: Http, url: str) -> None:
    with pytest.raises(NotSent, match="url"):
        await http.request("GET", url, headers={}, timeout=1)


async def test_multipart_carries_form_and_files(http: Http, server: MisbehavingServer) -> None:
    server.behave(answer(200))
    file = HttpFile("source", 'ünï"\r\nX: y.png', "image/png", b"\x00\x01\xffPNG")
    await http.request("POST", server.base_url, headers={}, form={"a": "é"}, files=(file,), timeout=5)
    seen = server.seen[0]
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b"\x00\x01\xffPNG" in seen.body and "é".encode() in seen.body
    assert b"\r\nX: y.png" not in seen.body and "ünï___X: y.png".encode() in seen.body


@pytest.mark.parametrize("behaviour", [misbehaving.close, misbehaving.truncated, misbehaving.not_http, misbehaving.hang])
async def test_exceptions_do_not_carry_the_address(http: Http, server: MisbehavingServer, behaviour) -> None:
    server.behave(behaviour)
    for base in (server.base_url, misbehaving.refused_url(), "http://no-such-host.invalid"):
        with pytest.raises((NotSent, MaybeSent)) as caught:
            await call(http, base, timeout=0.3)
        error: BaseException | None = caught.value
        assert error is not None and error.__context__ is None and error.__cause__ is None
        assert SECRET not in "".join(traceback.format_exception(error)) + repr(error)


# --- the guard ----------------------------------------------------------------------------------


async def test_the_guard_refuses_loopback_unless_allowed(client: Client, server: MisbehavingServer) -> None:
    server.behave(answer(200))
    for base in (server.base_url, server.base_url.replace("127.0.0.1", "localhost")):
        async with client(guarded=True) as http:
            with pytest.raises(NotSent, match="address"):
                await call(http, base)
    assert server.connections == 0
    async with client(guarded=True, allow=("127.0.0.0/8",)) as http:
        assert (await call(http, server.base_url)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
        *("::127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1", "5f00::1", "192.0.0.8"),
        "not-an-address",
    ],
)
def test_addresses_off_the_public_internet(host: str) -> None:
    assert not is_public(host)
    with pytest.raises(OSError):
        guarded_socket_factory()((socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 80)))


@pytest.mark.parametrize("host", ["8.8.8.8", "149.154.167.220", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_on_the_public_internet(host: str) -> None:
    assert is_public(host)
