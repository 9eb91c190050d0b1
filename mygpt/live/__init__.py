"""Replies in flight: they belong to the server, not to a tab."""
