"""GGUF files: which of them MyGPT may load, found without importing any engine."""

import importlib.util
from pathlib import Path

from mygpt.settings import Settings


def files(settings: Settings) -> list[Path]:
    """Return the models of `MYGPT_LOCAL_MODEL`: the one that is named, or with `auto` those in the data folder."""
    match settings.local_model.strip():
        case "off" | "":
            return []
        case "auto":
            return sorted((settings.data_dir / "models").glob("*.gguf")) if has_engine() else []
        case path:
            return [Path(path).expanduser()]


def has_engine() -> bool:
    """Return whether the optional engine is installed; it is only ever imported in the child process."""
    return importlib.util.find_spec("xllamacpp") is not None
