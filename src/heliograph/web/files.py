"""Files for providers and desks that fetch them by address: whoever has the address may read it, and nobody can guess one."""

import re
from typing import Any

from litestar import Request, Response, route
from litestar.params import FromPath

from heliograph.bootstrap.application import Application
from heliograph.web.problems import answer

#: What a contact's provider calls the type of a file may be anything; a header may not.
MEDIA_TYPE = re.compile(r"^[\w!#$&^.+-]{1,60}/[\w!#$&^.+-]{1,60}(?: ?; ?[\w.+-]{1,30}=[\w.+,-]{1,60})?\Z", re.ASCII)
HEADERS = {
    "cache-control": "private, max-age=86400",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


@route("/files/{token:str}/{name:str}", http_method=["GET", "HEAD", "POST"], include_in_schema=False, status_code=200, opt={"no_ids": True})
async def file(request: Request[Any, Any, Any], token: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """The file; 404 for an address that is none, or none any more. A desk may ask by POST. `name` is for people only."""
    application: Application = request.app.state.application
    context = application.context
    opened = context.channels.addresses.opened(token, now=context.clock.now())
    if opened is None:
        return answer(404, "There is no such file, or its address has expired.")
    try:
        data = await context.files.get(opened.key)
    except KeyError:
        return answer(404, "There is no such file any more.")
    media_type = opened.media_type if MEDIA_TYPE.match(opened.media_type) else "application/octet-stream"
    return Response(data, media_type=media_type, headers=HEADERS)


ROUTES = [file]
