"""The errors of Toxiproxy's API: their texts and status codes are its own."""

from http import HTTPStatus
from typing import Final


class ApiError(Exception):
    """An error that a client is answered."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = int(status)


def bad_request(why: str) -> ApiError:
    """The body of the request cannot be used."""
    return ApiError(f"bad request body: {why}", HTTPStatus.BAD_REQUEST)


def missing(what: str) -> ApiError:
    """A field is missing."""
    return ApiError(f"missing required field: {what}", HTTPStatus.BAD_REQUEST)


def failed(why: str) -> ApiError:
    """The request is valid, and cannot be carried out."""
    return ApiError(why, HTTPStatus.INTERNAL_SERVER_ERROR)


INVALID_STREAM: Final = ("stream was invalid, can be either upstream or downstream", HTTPStatus.BAD_REQUEST)
INVALID_TYPE: Final = ("invalid toxic type", HTTPStatus.BAD_REQUEST)
NO_PROXY: Final = ("proxy not found", HTTPStatus.NOT_FOUND)
NO_TOXIC: Final = ("toxic not found", HTTPStatus.NOT_FOUND)
PROXY_EXISTS: Final = ("proxy already exists", HTTPStatus.CONFLICT)
TOXIC_EXISTS: Final = ("toxic already exists", HTTPStatus.CONFLICT)
