"""What our app in Zendesk asks for: the incidents that concern replies of a link, for it to show each agent their own."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from heliograph.bootstrap.application import Application
from heliograph.services import desk_links
from heliograph.services.context import Missing
from heliograph.services.desk_notices import Noticing
from heliograph.web.problems import Refused

CHALLENGE = {"www-authenticate": 'Bearer realm="heliograph app"'}
WRONG = "Send the app's token: Authorization: Bearer hgz_… An admin makes one on the page “Zendesk” of the desk."


@get("/zendesk/app/notices", include_in_schema=False)
async def notices(request: Request[Any, Any, Any]) -> Response[bytes]:
    """By the app's own token, which Zendesk keeps from agents."""
    application: Application = request.app.state.application
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    try:
        linked = await desk_links.prove_app(application.context, text.strip() if scheme.lower() == "bearer" else "")
    except Missing:
        raise Refused(401, WRONG, headers=CHALLENGE) from None
    noticing: Noticing = request.app.state.desk_noticing
    made = await noticing.answer(application.context, linked)
    return Response(msgspec.json.encode(made), media_type="application/json", headers={"cache-control": "no-store"})


ROUTES = [notices]
