"""A reply's words as Markdown: streamed and settled by the same component."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.text import texts

NAMES = (
    "close",
    "copied",
    "copyCode",
    "copyLink",
    "copyTable",
    "copyTableAsCsv",
    "copyTableAsMarkdown",
    "copyTableAsTsv",
    "downloadDiagram",
    "downloadDiagramAsMmd",
    "downloadDiagramAsPng",
    "downloadDiagramAsSvg",
    "downloadFile",
    "downloadImage",
    "downloadTable",
    "downloadTableAsCsv",
    "downloadTableAsMarkdown",
    "errorMermaid",
    "exitFullscreen",
    "imageNotAvailable",
    "mermaidAriaLabel",
    "mermaidFormatMmd",
    "mermaidFormatPng",
    "mermaidFormatSvg",
    "resetView",
    "tableFormatCsv",
    "tableFormatMarkdown",
    "tableFormatTsv",
    "viewFullscreen",
    "zoomIn",
    "zoomOut",
)


class MessageBody(rx.Component):
    """The text of one reply; while `status` is streaming, its words come from the live store under `run`."""

    library = script("markdown.jsx")
    tag = "MessageBody"
    lib_dependencies: list[str] = [
        "streamdown@2.7.1",
        "rehype-harden@1.1.8",
        "@streamdown/code@2.0.0",
        "@streamdown/math@1.0.3",
        "katex@0.16.27",
        "@streamdown/cjk@1.0.3",
        "mermaid@11.12.2",
    ]
    run: rx.Var[str]
    text: rx.Var[str]
    status: rx.Var[str]
    texts: rx.Var[dict[str, str]]


def message_body(*, run: rx.Var[str], text: rx.Var[str], status: rx.Var[str]) -> rx.Component:
    """Return the words of one reply."""
    return MessageBody.create(run=run, text=text, status=status, texts=texts("markdown", *NAMES))
