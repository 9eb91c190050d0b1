"""The floor: a bare page on a bare server, no framework, no Markdown, no SDK, nothing stored.

`python -m tests.bench.floor --port N --model http://127.0.0.1:M`. Its page bears the same test ids as MyGPT's, so the
same journey measures both.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

PAGE = b"""<!doctype html><html lang="en" data-bare><meta charset="utf-8"><title>floor</title>
<main id="list"></main><textarea data-testid="composer" aria-label="Message"></textarea>
<script>
const list = document.getElementById("list"), composer = document.querySelector("textarea");
const row = (role) => {
  const message = document.createElement("div"), content = document.createElement("div");
  message.dataset.testid = "message"; message.dataset.role = role; message.dataset.status = "streaming";
  content.dataset.testid = "message-content"; content.style.whiteSpace = "pre-wrap";
  message.append(content); list.append(message);
  return [message, content.appendChild(new Text())];
};
composer.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const source = new EventSource("/ask?q=" + encodeURIComponent(composer.value));
  row("user")[1].data = composer.value;
  composer.value = "";
  const [message, text] = row("assistant");
  source.onmessage = (event) => text.appendData(JSON.parse(event.data));
  source.addEventListener("end", () => { source.close(); message.dataset.status = "complete"; });
});
</script></html>"""


async def deltas(model: str, question: str) -> AsyncIterator[str]:
    """Ask the model server over a plain socket and yield each delta as JSON text."""
    parts = urlsplit(model)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = json.dumps({"model": "bench", "stream": True, "messages": [{"role": "user", "content": question}]}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    try:
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                content = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if content:
                    yield json.dumps(content, ensure_ascii=False)
            elif line.startswith(b"data: [DONE]"):
                return
    finally:
        writer.close()


def app(model: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the ASGI application that asks `model`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asks = scope["path"] == "/ask"
        kind = b"text/event-stream" if asks else b"text/html; charset=utf-8"
        headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if asks:
            question = parse_qs(scope["query_string"].decode())["q"][0]
            async for delta in deltas(model, question):
                await send({"type": "http.response.body", "body": f"data:{delta}\n\n".encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"event:end\ndata:\n\n" if asks else PAGE})

    return answer


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="the bare page")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    uvicorn.run(
        app(options.model), host="127.0.0.1", port=options.port, log_level="warning", access_log=False, lifespan="off"
    )


if __name__ == "__main__":
    main()
