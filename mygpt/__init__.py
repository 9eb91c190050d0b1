"""MyGPT: a self-hosted, multi-user AI chat application."""

__version__ = "0.1.0"
