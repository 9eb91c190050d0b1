"""A stand-in for the llama.cpp binding, with the few names the child process uses: it serves, it speaks, it can crash.

What it does is in the "GGUF" file: `refuse` does not load, `crash` dies in mid-reply, anything else says hello and how
it was set up.
"""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class CommonParams:
    """Takes any setting."""

    def __init__(self) -> None:
        self.model = SimpleNamespace(path="")
        self.cpuparams = SimpleNamespace(n_threads=0)
        self.cpuparams_batch = SimpleNamespace(n_threads=0)
        self.chat_template = ""
        self.api_keys: list[str] = []


class Server:
    """Listens on a free port, like the real one."""

    def __init__(self, params: CommonParams) -> None:
        self.content = Path(params.model.path).read_bytes()
        if b"refuse" in self.content:
            raise RuntimeError("cannot load")
        print("noise that must not reach the parent")
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                is_allowed = self.headers["authorization"] == f"Bearer {params.api_keys[0]}"
                self.send_response(200 if is_allowed else 401)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                self.say(f"pid={os.getpid()} ")
                if b"crash" in engine.content:
                    os._exit(9)
                self.say(f"template={bool(params.chat_template)} stop={bool(body.get('stop'))} ")
                self.say(f"threads={params.cpuparams.n_threads} most={body.get('max_tokens')}", "stop")

            def say(self, words: str, finish: str | None = None) -> None:
                chunk: dict[str, Any] = {"choices": [{"delta": {"content": words}, "finish_reason": finish}]}
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listening_address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
