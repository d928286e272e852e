"""The web application: the JSON API, webhooks and vitals of one running Heliograph, and what else it is given."""

from collections.abc import Sequence

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from heliograph.bootstrap.application import Application
from heliograph.services.desk_notices import Noticing
from heliograph.web import files, hooks, vitals as vital
from heliograph.web.api.documentation import Description, Reading
from heliograph.web.api.routes import API_ROUTES, JSON_LIMIT
from heliograph.web.auth import OpenAccess, authorize
from heliograph.web.hooks import Proofs
from heliograph.web.policy import API
from heliograph.web.problems import HANDLERS
from heliograph.web.vitals import Vitals
from heliograph.web.zendesk import app as zendesk_app, service as zendesk_service, visits as zendesk_visits

ZENDESK = [*zendesk_service.ROUTES, *zendesk_visits.ROUTES, *zendesk_app.ROUTES]
TOKEN = SecurityScheme(type="http", scheme="bearer", description="An API token: hgt_ and 40 characters")


def create_app(
    application: Application,
    *,
    vitals: Vitals,
    extra: Sequence[ControllerRouterHandler] = (),
    open_access: OpenAccess | None = None,
) -> Litestar:
    """An ASGI application over a running Heliograph, which it neither starts nor closes.

    Each handler in `extra` names what it asks for: `opt={"need": Need.READ}`; one that does not is refused. `open_access` lets
    everybody in as one agent: demonstrations only.
    """
    return Litestar(
        route_handlers=[API_ROUTES, *files.ROUTES, *hooks.ROUTES, *vital.ROUTES, *ZENDESK, *extra],
        guards=[authorize],
        exception_handlers=HANDLERS,
        state=State(
            {
                "application": application,
                "vitals": vitals,
                "open_access": open_access,
                "proofs": Proofs(),
                "desk_noticing": Noticing(),
            }
        ),
        openapi_config=OpenAPIConfig(
            title="Heliograph",
            version="1",
            description="Tickets, comments and their deliveries. Errors are application/problem+json; `detail` says what to do.",
            path=API,
            render_plugins=[Reading(), Description()],
            components=Components(security_schemes={"token": TOKEN}),
        ),
        request_max_body_size=JSON_LIMIT,
        response_headers={"x-content-type-options": "nosniff", "referrer-policy": "same-origin"},
        logging_config=None,
        debug=False,
    )
