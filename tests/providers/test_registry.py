"""Which providers a process has, and that it pays only for those."""

import subprocess
import sys
from pathlib import Path

import pytest

from mygpt.errors import ModelUnavailable
from mygpt.providers import PROVIDERS, Entry, Providers
from mygpt.providers.discovery import Runtime
from mygpt.settings import CompatibleServer, load
from tests.fakes.frame_server import DONE, FrameServer, delta
from tests.providers.asking import ask, heard, text_of

NOBODY: tuple[Runtime, ...] = ()


async def test_with_nothing_configured_the_guide_is_there(tmp_path: Path) -> None:
    providers = Providers(load(data_dir=tmp_path), NOBODY)

    assert list(await providers.available()) == ["guide"]
    await providers.aclose()


async def test_providers_come_in_order_of_preference(tmp_path: Path, server: FrameServer) -> None:
    site = load(
        data_dir=tmp_path,
        openai_api_key="sk-x",
        compatible=f"work={server.base_url}|k, home=http://127.0.0.1:1/v1",
        scripted=True,
    )
    providers = Providers(site, NOBODY)

    available = await providers.available()

    assert list(available) == ["openai", "work", "home", "scripted", "guide"]
    assert all(provider.name == name and provider.label for name, provider in available.items())
    await providers.aclose()


async def test_a_server_on_this_machine_is_offered_and_can_be_asked(tmp_path: Path, server: FrameServer) -> None:
    server.chats(delta(content="found me"), delta("stop"), DONE)
    providers = Providers(load(data_dir=tmp_path), [Runtime("ollama", "Ollama", server.port)])

    assert list(await providers.available()) == ["ollama", "guide"]
    provider, model = await providers.get("ollama:wire-model")

    assert text_of(await heard(provider.stream(ask(model=model)))) == "found me"
    assert (await providers.get("ollama:x"))[0] is provider
    await providers.aclose()


async def test_looking_for_servers_can_be_switched_off(tmp_path: Path, server: FrameServer) -> None:
    site = load(data_dir=tmp_path, local_model="off")
    providers = Providers(site, [Runtime("ollama", "Ollama", server.port)])

    assert list(await providers.available()) == ["guide"]
    assert server.asked == []
    await providers.aclose()


async def test_our_own_port_is_never_looked_at(tmp_path: Path, server: FrameServer) -> None:
    providers = Providers(load(data_dir=tmp_path, port=server.port), [Runtime("vllm", "vLLM", server.port)])

    assert list(await providers.available()) == ["guide"]
    assert server.asked == []
    await providers.aclose()


async def test_a_model_id_splits_at_its_first_colon(tmp_path: Path) -> None:
    providers = Providers(load(data_dir=tmp_path, compatible="work=http://127.0.0.1:1/v1"), NOBODY)

    provider, model = await providers.get("work:qwen3:4b")

    assert (provider.name, model) == ("work", "qwen3:4b")
    await providers.aclose()


@pytest.mark.parametrize("model_id", ["nobody:x", "guide", "guide:", "", ":"])
async def test_an_unknown_model_id_is_unavailable(tmp_path: Path, model_id: str) -> None:
    providers = Providers(load(data_dir=tmp_path), NOBODY)

    with pytest.raises(ModelUnavailable):
        await providers.get(model_id)
    await providers.aclose()


async def test_a_server_with_the_name_of_our_own_does_not_replace_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pretender = CompatibleServer("guide", "http://127.0.0.1:1/v1")
    providers = Providers(load(data_dir=tmp_path, compatible=(pretender,)), NOBODY)

    available = await providers.available()

    assert available["guide"].label == "Guide (no AI)"
    assert "is left out" in caplog.text
    await providers.aclose()


async def test_a_provider_that_cannot_be_made_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PROVIDERS, "broken", Entry("nowhere:nothing", lambda _: True))
    providers = Providers(load(data_dir=tmp_path), NOBODY)

    assert list(await providers.available()) == ["guide"]
    assert "provider left out" in caplog.text
    await providers.aclose()


async def test_closing_what_was_never_used_is_fine(tmp_path: Path) -> None:
    await Providers(load(data_dir=tmp_path)).aclose()


def test_every_entry_names_a_factory_that_exists() -> None:
    for entry in PROVIDERS.values():
        module, _, function = entry.factory.partition(":")
        imported = __import__(f"mygpt.providers.{module}", fromlist=[function])
        assert callable(getattr(imported, function))


def test_no_sdk_is_imported_where_none_is_needed(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from mygpt.providers import Providers
from mygpt.settings import load
assert "httpx2" not in sys.modules, "importing the package must cost nothing"
providers = Providers(load(data_dir=Path({str(tmp_path)!r}), local_model="off"))
print(list(asyncio.run(providers.available())), "openai" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "['guide'] False", done.stderr
