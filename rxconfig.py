"""Names the app for Reflex; reads settings, decides nothing."""

import reflex as rx

from mygpt import settings as configuration
from mygpt.web import lean, theme

settings = configuration.load()

config = rx.Config(
    app_name="mygpt",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    cors_allowed_origins=list(settings.origins),
    backend_host=settings.host,
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    frontend_lazy_bundled_libraries=True,
    plugins=[theme.tailwind(), lean.LeanMarkdown()],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
