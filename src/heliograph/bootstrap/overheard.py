"""An HTTP client whose answers somebody else hears too: their headers only."""

from collections.abc import Callable, Mapping

from heliograph.ports.http import Http, HttpFile, HttpResponse

Heard = Callable[[Mapping[str, str]], None]


class Overheard:
    """Does what `inner` does, and tells `heard` of every complete answer."""

    def __init__(self, inner: Http, heard: Heard) -> None:
        self._inner = inner
        self._heard = heard

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """See ports.http."""
        answer = await self._inner.request(
            method, url, headers=headers, body=body, form=form, files=files, timeout=timeout, max_bytes=max_bytes
        )
        self._heard(answer.headers)
        return answer
