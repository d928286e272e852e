"""What API routes have in common: the running application, who asks, and how long a page may be."""

from typing import Annotated, Any

from litestar import Request
from litestar.params import PathParameter, QueryParameter

from heliograph.bootstrap.application import Application
from heliograph.services.context import Context

Asked = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Items of one page")]
Cursor = Annotated[str | None, QueryParameter(max_length=400, description="`next` of the page before")]
PathId = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def running(request: Asked) -> Application:
    """The application behind this request."""
    application: Application = request.app.state.application
    return application


def context(request: Asked) -> Context:
    """Its ports."""
    return running(request).context
