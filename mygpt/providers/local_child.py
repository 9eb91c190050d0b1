"""The child process that holds an embedded model: llama.cpp with its own OpenAI-compatible server.

Run by path, never imported: `python -P local_child.py`. It reads one line of JSON from its standard input (the model's
path, its name, the key, how much room), answers with one line (`{"url", "stop"}` or `{"error"}`), and ends when that
input closes, so it cannot outlive its parent. Whatever the engine prints goes nowhere.
"""

import json
import mmap
import os
import sys
from pathlib import Path
from typing import TextIO

TEMPLATE_KEY = b"tokenizer.chat_template"
METADATA_BYTES = 64 * 2**20
PLAIN_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'system' -%}{{ message.content }}\n\n"
    "{%- elif message.role == 'user' -%}Question: {{ message.content }}\n"
    "{%- else -%}Answer: {{ message.content }}\n\n"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}Answer:{%- endif -%}"
)
PLAIN_STOPS = ("\nQuestion:", "\nAnswer:")


def main() -> None:
    """Serve until the parent lets go."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    orders = json.loads(sys.stdin.readline())
    try:
        server, answer = serve(**orders)
    except BaseException as exc:  # whatever the engine does, the parent must hear of it
        tell(answers, {"error": type(exc).__name__})
        os._exit(1)
    tell(answers, answer)
    sys.stdin.read()
    del server
    os._exit(0)


def serve(
    *, path: str, name: str, key: str, threads: int, slots: int, context: int
) -> tuple[object, dict[str, object]]:
    """Load the model and listen on a free loopback port; returns the server and what the parent must know."""
    import xllamacpp

    stops: tuple[str, ...] = ()
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    params.offline = True
    params.n_ctx = slots * context
    params.n_parallel = slots
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    if not has_chat_template(Path(path)):
        params.chat_template, stops = PLAIN_TEMPLATE, PLAIN_STOPS
    server = xllamacpp.Server(params)
    return server, {"url": server.listening_address, "stop": list(stops)}


def has_chat_template(path: Path) -> bool:
    """Return whether a GGUF file says how its model wants a conversation written; its metadata stand at its head."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(TEMPLATE_KEY, 0, METADATA_BYTES) >= 0


def tell(answers: TextIO, answer: dict[str, object]) -> None:
    """Write one line to the parent."""
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
