"""An HTTP client for the openai package that masks secrets in responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distilltest.process.abandonable import begun, look_up
from distilltest.untrusted.secrets import mask, mask_bytes

if TYPE_CHECKING:
    from openai import DefaultHttpxClient

_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that describe the transfer of the body."""


def masking_http_client() -> DefaultHttpxClient:
    """An HTTP client for the openai package that masks secrets in responses."""
    from urllib.request import getproxies

    from openai import APIConnectionError, DefaultHttpxClient

    class MaskingClient(DefaultHttpxClient):
        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            if not getproxies():  # a proxy resolves the name itself
                try:
                    look_up(request.url.host)
                except OSError as error:
                    raise APIConnectionError(message=f"{error.strerror}", request=request) from None
            response = begun(super().send, request, stream=stream, **options).result()
            if stream:
                return response
            headers = [(name, mask(value)) for name, value in response.headers.multi_items()]
            return type(response)(
                response.status_code,
                headers=[(name, value) for name, value in headers if name.lower() not in _OF_THE_WIRE],
                content=mask_bytes(response.read()),
                request=response.request,
                extensions=response.extensions,
                history=response.history,
            )

    return MaskingClient()
