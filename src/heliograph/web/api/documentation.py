"""The API's description as it really answers: problems instead of the framework's errors, and a page that needs no network."""

import html
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from heliograph.web.policy import API, POLICY, Need
from heliograph.web.problems import MEDIA_TYPE, Problem

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
TEXTS = {
    400: "It cannot be read; `errors` names the fields",
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token's scope does not cover it",
    404: "There is no such thing in this account",
    409: "It does not fit the present state",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "It was understood and cannot be done like this",
    503: "The store cannot write now, nothing was saved; Retry-After says when to come back",
}
BINARY = {"type": "string", "format": "binary"}


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """The framework's description, corrected. `schema` itself stays."""
    made = cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(schema)))
    _, parts = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    made["components"]["schemas"].update(parts)
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                _correct(path, method, operation)
    upload = made["paths"][f"{API}/files"]["post"]
    upload["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": BINARY}, "*/*": {"schema": BINARY}}}
    content = made["paths"][f"{API}/files/{{file}}/content"]["get"]["responses"]["200"]
    content["content"] = {"*/*": {"schema": BINARY}}
    return made


def _correct(path: str, method: str, operation: dict[str, Any]) -> None:
    codes = [400, 401, 403, 503]
    if "{" in path:
        codes.append(404)
    if method != "get":
        codes += [409, 413, 415, 422]
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    kept = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
    operation["responses"] = kept | {str(code): {"description": TEXTS[code], "content": problem} for code in sorted(codes)}
    operation["x-scope"] = POLICY.get((method.upper(), path), Need.OPEN).value


class Description(JsonRenderPlugin):
    """openapi.json."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The corrected description."""
        return msgspec.json.encode(describe(openapi_schema))


class Reading(OpenAPIRenderPlugin):
    """A plain page with every route, for people."""

    def __init__(self) -> None:
        super().__init__(path="/docs")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        rows = []
        for path, methods in describe(openapi_schema)["paths"].items():
            for method, operation in methods.items():
                if method in METHODS:
                    words = (
                        f"{method.upper()} {path}",
                        operation.get("summary", ""),
                        operation.get("description", ""),
                        operation["x-scope"],
                    )
                    call, summary, more, scope = map(html.escape, words)
                    rows.append(f"<tr><td><code>{call}</code><td>{summary}. {more}<td>{scope}")
        return (PAGE + "\n".join(rows) + "</table>").encode()


PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Heliograph API</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}}
td,th{{text-align:left;vertical-align:top;padding:.4rem 1rem .4rem 0;border-top:1px solid #d8dde4}}code{{white-space:nowrap}}
@media(prefers-color-scheme:dark){{body{{color:#e4e8ee;background:#14181e}}td,th{{border-color:#333b46}}a{{color:#8ab8ff}}}}</style>
<h1>Heliograph API</h1>
<p>Send <code>Authorization: Bearer hgt_…</code>. Errors are <code>application/problem+json</code>;
their <code>detail</code> says what to do.
Lists have <code>items</code> and <code>next</code>, the cursor of the page that follows.
Writing a comment with an <code>Idempotency-Key</code> makes it safe to send again.
The full description for programs is <a href="{API}/openapi.json">openapi.json</a>.</p>
<table><tr><th>Call<th>What it does<th>Scope
"""
