"""The control API of the simulated Zendesk: what tests, the agents' page and a demonstration's page steer it by."""

import io
import json
import zipfile
from urllib.parse import urlencode

from heliograph.sandbox.wire import Json, Request, Response, answer
from heliograph.sandbox.zendesk import desk, integrations
from heliograph.sandbox.zendesk.center import SERVICE, Center, Problem

PREFIX = "/sandbox/zendesk"
_REQUIREMENTS = "requirements.json"


def handle(center: Center, request: Request) -> Response:
    """Answer a request whose path starts with /sandbox/zendesk."""
    center.base = center.base or request.origin
    try:
        return _answer(center, request, request.path.removeprefix(PREFIX).strip("/"))
    except Problem as problem:
        return problem.response
    except LookupError as missing:
        return answer(404, {"error": f"not found: {missing.args[0]}" if missing.args else "not found"})
    except ValueError as bad:
        return answer(400, {"error": str(bad)})


def _answer(center: Center, request: Request, path: str) -> Response:
    query = request.query
    match request.method, path:
        case "GET", "state":
            return Response(200, desk.news(center, query).encode(), {"content-type": "application/json; charset=utf-8"})
        case "GET", "counts":
            return answer(200, desk.counts(center))
        case "GET", "replies":
            return answer(200, {"replies": desk.replies(center, query.get("thread"))})
        case "GET", "calls":
            return answer(200, {"calls": [call for call in center.errands.log if call["service"] == SERVICE]})
        case "GET", "credentials":
            return answer(200, {"email": center.agents[0].email, "api_token": center.api_token, "subdomain": center.subdomain})
        case "GET", "account":
            return _admin_page(center, request)
        case "POST", "app":
            return answer(200, install(center, request))
        case "GET", _ if path.startswith("file/"):
            return file(center, path.removeprefix("file/"))
        case "POST", _ if path.startswith("act/"):
            return answer(200, desk.act(center, path.removeprefix("act/"), _body(request), request))
        case _:
            return answer(404, {"error": "no such control"})


def install(center: Center, request: Request) -> Json:
    """Install an app as its zip file says: the channel integration that it requires is registered. Raises ValueError."""
    if not request.files:
        raise ValueError("send the app's zip file as multipart/form-data")
    try:
        with zipfile.ZipFile(io.BytesIO(request.files[0].data)) as packed:
            requirements = json.loads(packed.read(_REQUIREMENTS))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise ValueError(f"not a zip file with a {_REQUIREMENTS}") from None
    wanted = requirements.get("channel_integrations") if isinstance(requirements, dict) else None
    if not isinstance(wanted, dict) or len(wanted) != 1:
        raise ValueError("the app must require one channel integration")
    ((name, requirement),) = wanted.items()
    manifest_url = requirement.get("manifest_url") if isinstance(requirement, dict) else None
    if not isinstance(manifest_url, str):
        raise ValueError("the channel integration has no manifest_url")
    return {"name": name, "integration": integrations.register(center, manifest_url).id}


def _admin_page(center: Center, request: Request) -> Response:
    """To where Zendesk itself shows the service's admin page; with `as=json` what it would post there."""
    if request.query.get("as") == "json":
        address, fields = begun(center, request)
        return answer(200, {"address": address, "fields": fields})
    wanted = urlencode({name: request.query[name] for name in ("integration", "account", "locale") if name in request.query})
    return Response(303, b"", {"location": f"{center.base}{integrations.ADMIN_PATH}?{wanted}"})


def begun(center: Center, request: Request) -> tuple[str, dict[str, str]]:
    """Address and form of a visit to add an account (`integration`) or to edit one (`account`). Raises LookupError, ValueError, Problem."""
    query = request.query
    locale = query.get("locale", "en-US")
    if "account" in query:
        instance = center.instances[_whole(query["account"])]
        return integrations.begin(center, instance.integration, locale=locale, instance=instance)
    return integrations.begin(center, center.integrations[_whole(query.get("integration", ""))], locale=locale)


def file(center: Center, token: str) -> Response:
    """A file of a comment, as the agents' page shows it. Raises LookupError."""
    found = center.files[token]
    if found.data is None:
        raise LookupError("file")
    headers = {"content-type": found.media_type, "x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
    return Response(200, found.data, headers)


def _body(request: Request) -> Json:
    if request.files or not request.body:
        return dict(request.form)
    if not request.headers.get("content-type", "").startswith("application/json"):
        # Another site's page can send no such request without asking first.
        raise ValueError("send application/json")
    body = request.json()
    if not isinstance(body, dict):
        raise ValueError("send an object")
    return body


def _whole(value: str) -> int:
    if not value.isdigit():
        raise ValueError("a number is missing")
    return int(value)
