"""Errors in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error response."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content: dict[str, Any] = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def not_found(what: str, identity: str) -> ApiError:
    """A 404 for an object that does not exist."""
    return ApiError(404, f"No such {what}: {identity}", code="not_found", param="id")


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A 400 for an invalid request."""
    return ApiError(400, message, param=param, code=code)
