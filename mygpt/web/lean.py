"""Keeps the raw-HTML parser out of the bundle: replies show HTML as text, so nothing may call it, nor download it."""

from pathlib import PurePosixPath
from typing import Any

from reflex.plugins import Plugin

STANDS_IN = PurePosixPath("public/external/mygpt/web/components/script/no_raw_html.js")
BEFORE = "    alias: [\n"


class LeanMarkdown(Plugin):
    """Tells Vite that `rehype-raw` is the file that stands in for it."""

    def pre_compile(self, **context: Any) -> None:  # Any: Reflex passes a typed dict that it does not export
        """Ask for the change of Vite's configuration."""
        context["add_modify_task"]("vite.config.js", with_alias)


def with_alias(configuration: str) -> str:
    """Return Vite's configuration with the alias; raises ValueError when Reflex writes it in another way."""
    if "rehype-raw" in configuration:
        return configuration
    if configuration.count(BEFORE) != 1:
        raise ValueError("vite.config.js has no single list of aliases: see mygpt/web/lean.py")
    entry = f'      {{ find: "rehype-raw", replacement: fileURLToPath(new URL("./{STANDS_IN}", import.meta.url)) }},\n'
    return configuration.replace(BEFORE, BEFORE + entry)
