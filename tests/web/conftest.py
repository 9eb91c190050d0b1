"""The running site these tests speak to."""

from tests.http.running import site

__all__ = ["site"]
