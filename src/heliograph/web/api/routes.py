"""All routes of the JSON API, with what every one of them does before and after."""

from litestar import Router

from heliograph.web.api import channels, comments, deliveries, events, files, people, tickets
from heliograph.web.api.bodies import readable

#: Largest JSON body, bytes.
JSON_LIMIT = 1_048_576

API_ROUTES = Router(
    path="/",
    route_handlers=[
        *people.ROUTES, *tickets.ROUTES, *comments.ROUTES, *events.ROUTES, *deliveries.ROUTES, *channels.ROUTES, *files.ROUTES,
    ],
    before_request=readable,
    request_max_body_size=JSON_LIMIT,
    response_headers={"cache-control": "no-store"},
    security=[{"token": []}],
)  # fmt: skip
