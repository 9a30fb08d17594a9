"""Published checkpoints: read without running code, checked key by key against the family, written as safetensors."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.core.outputs import keep_inputs
from speechhead.engines.need import need_torch
from speechhead.generators.families.registry import canonical, config_class, is_form

from .shapes import MISFITS, compare, first_of, skeleton
from .stored import save_state

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Tensor]

SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors")
"""Endings of files that are looked at when a folder is given (`.pth.tar` ends in `.tar`)."""

_STITCHING = "stitching_retargeting_module"

PARTS: dict[str, dict[str, str]] = {
    "fomm": {"generator": "generator", "kp_detector": "kp_detector"},
    "face-vid2vid": {"generator": "generator", "kp_detector": "kp_detector", "he_estimator": "he_estimator"},
    "face-vid2vid-f2f": {name: name for name in ("afe", "ckd", "hpe_ede", "mfe", "generator")},
    "dagan": {
        "generator": "generator",
        "kp_detector": "kp_detector",
        # Its depth networks are files of their own: encoder.pth and depth.pth.
        "encoder": "depth_encoder",
        "depth": "depth_decoder",
        "depth_encoder": "depth_encoder",
        "depth_decoder": "depth_decoder",
    },
    "liveportrait": {
        **{n: n for n in ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator")},
        # One file, three entries.
        **{n: f"{_STITCHING}.{n}" for n in ("retarget_shoulder", "retarget_mouth", "retarget_eye")},
    },
}
"""By family: what a part is called in the published files (entry of a dictionary, or stem of a file of its own), and
the family's submodule that it is. Optimizers, discriminators and epoch numbers lie beside them and are left there."""


def import_checkpoint(
    paths: Sequence[str | Path] | str | Path,
    name: str,
    output: str | Path,
    config: str | Path | Mapping[str, Any] | None = None,
    half: bool = False,
    **notes: str,
) -> tuple[Path, str]:
    """Turn a published checkpoint into a weight file of ours.

    Parameters
    ----------
    paths : file or files of the checkpoint, or a folder that holds them
    name : family
    output : safetensors to write
    config : the published yaml or JSON (or its contents), where the model is not of the published size
    half : store float16
    notes : further metadata of the file written

    Returns
    -------
    The path, and the family as found: face-vid2vid has two published forms.

    Raises
    ------
    WeightsError if a file is missing, damaged, holds code, does not fit the family, or is the output too.
    """
    name = canonical(name)
    need_torch("importing a checkpoint")
    files = _files([paths] if isinstance(paths, str | Path) else paths)
    keep_inputs(Path(output), *files, config, error=WeightsError)
    label = str(files[0]) if len(files) == 1 else str(files[0].parent)
    parts = _parts(files)
    name = _family_of(parts, name, label)
    state = _gather(parts, name, label)
    if not isinstance(config, Mapping):
        config = read_config(config) if config is not None else None
    settings = configure(name, state, config)
    compare(state, skeleton(name, settings), label, name)
    return save_state(state, name, settings, output, half, source=", ".join(file.name for file in files), **notes), name


def read_config(path: str | Path) -> dict[str, Any]:
    """A published configuration file, YAML or JSON.

    Raises
    ------
    WeightsError if it is missing or is neither.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: config can not be read ({type(error).__name__}). Check the path.") from error
    try:
        data = json.loads(text)
    except ValueError:
        try:
            import yaml
        except ImportError as error:
            raise WeightsError(f"{path}: YAML needs pyyaml. pip install pyyaml, or give JSON.") from error
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())[:100]
            raise WeightsError(f"{path}: neither JSON nor YAML ({reason}). Use the model's published yaml.") from error
    if not isinstance(data, dict):
        raise WeightsError(f"{path}: no configuration in it. Use the model's published yaml.")
    return data


def configure(name: str, state: Mapping[str, Tensor], published: Mapping[str, Any] | None = None) -> Any:
    """The config of weights: as published (full size if None), with what the weights themselves tell put right.

    Raises
    ------
    WeightsError if the published configuration is not one of this family.
    """
    kind = config_class(name)
    try:
        config = kind.full_size() if published is None else kind.from_published(dict(published))
    except MISFITS as error:
        if isinstance(error, WeightsError):
            raise
        reason = f"{type(error).__name__}: {error}"
        raise WeightsError(f"config: not one of {name} ({reason}). Use the model's published yaml.") from error
    adapt = getattr(config, "fitted_to", None)
    try:
        return adapt(dict(state)) if adapt is not None else config
    except MISFITS:  # so unlike the family that nothing can be read off: the comparison will say how
        return config


def _files(paths: Sequence[str | Path]) -> list[Path]:
    """The checkpoint files among paths and in the folders among them."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in SUFFIXES)
            if not found:
                raise WeightsError(f"{path}: no checkpoint in this folder (looked for {', '.join(SUFFIXES)}).")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise WeightsError(f"{path}: no such checkpoint. Check the path.")
    if not files:
        raise WeightsError("no checkpoint given. Name a file or a folder.")
    return files


def _parts(files: Sequence[Path]) -> dict[str, tuple[State, Path]]:
    """The networks in files, by the name they have there: of a dictionary's entry, or of the file."""
    parts: dict[str, tuple[State, Path]] = {}
    for file in files:
        for part, state in _networks(_read(file), file.name.split(".")[0]):
            if part in parts:
                before = parts[part][1]
                raise WeightsError(
                    f"{file}: holds '{part}', as {before} does. Name the files, or a folder, of one model."
                )
            parts[part] = state, file
    return parts


def _networks(content: Mapping[str, Any], stem: str) -> Iterator[tuple[str, State]]:
    """State dicts in a checkpoint, DataParallel's prefix taken off; whatever is no tensor is left behind."""
    import torch

    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    flat = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if flat:
        flat = _without_prefix(flat)
        roots = {key.split(".")[0] for key in flat}
        known = {part.split(".")[0] for table in PARTS.values() for part in table.values()}
        if roots <= known | {"discriminator"}:  # one flat dictionary of several networks
            for part in _submodules(flat):
                yield part, {k[len(part) + 1 :]: v for k, v in flat.items() if k.startswith(f"{part}.")}
        else:
            yield stem, flat
    for key, value in content.items():
        if isinstance(value, Mapping):
            inner = {str(k): v for k, v in value.items() if isinstance(v, torch.Tensor)}
            if inner:
                yield str(key), _without_prefix(inner)


def _submodules(flat: State) -> list[str]:
    """First parts of keys; the stitching networks are two levels deep."""
    names = [key.split(".") for key in flat]
    return list(dict.fromkeys(".".join(n[:2]) if n[0] == _STITCHING else n[0] for n in names))


def _without_prefix(state: State) -> State:
    """Keys without the `module.` of (Distributed)DataParallel."""
    if all(key.startswith("module.") for key in state):
        return {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _family_of(parts: Mapping[str, tuple[State, Path]], wanted: str, label: str) -> str:
    """The family that these networks are of, if it is the one wanted or a form of it."""
    generator = parts["generator"][0] if "generator" in parts else {}
    if "he_estimator" in parts:
        found = "face-vid2vid"
    elif "hpe_ede" in parts:
        found = "face-vid2vid-f2f"
    elif "spade_generator" in parts or "appearance_feature_extractor" in parts:
        found = "liveportrait"
    elif any(key.startswith("src_first.") for key in generator):
        found = "dagan"
    elif "kp_detector" in parts:
        found = "fomm"
    else:
        found = wanted
    if not is_form(found, wanted):
        raise WeightsError(f"{label}: a checkpoint of {found}, not of {wanted}. Use --family {found}.")
    return found


def _gather(parts: Mapping[str, tuple[State, Path]], name: str, label: str) -> State:
    """One state dict of a family, its submodules' keys prefixed by their names."""
    table = {**PARTS[name], **{submodule: submodule for submodule in PARTS[name].values()}}
    state: State = {}
    present: dict[str, str] = {}
    for part, (tensors, _) in parts.items():
        if part in table:
            submodule = table[part]
            if submodule in present:
                raise WeightsError(f"{label}: both '{present[submodule]}' and '{part}' are {submodule}. Leave one out.")
            present[submodule] = part
            state |= {f"{submodule}.{key}": value for key, value in tensors.items()}
    absent = [submodule for submodule in dict.fromkeys(table.values()) if submodule not in present]
    if absent:
        held = f" It holds {first_of(list(parts), 4)}." if parts else ""
        raise WeightsError(
            f"{label}: {first_of(absent, 3)} of {name} missing.{held} Name all files of the model, or their folder."
        )
    return state


def _read(path: Path) -> Mapping[str, Any]:
    """A checkpoint file; whatever code a pickle carries is refused, never run."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except Exception as error:  # safetensors raises classes of its own
            raise WeightsError(f"{path}: not an intact safetensors file. Download it again.") from error
    try:
        with warnings.catch_warnings(), _numbers():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the reader raises nearly everything on damaged files
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code:
            raise WeightsError(
                f"{path}: holds code ({code[1]}), which was not run. Use a checkpoint of tensors only."
            ) from error
        if "tar format" in str(error):
            raise WeightsError(f"{path}: of a torch before 0.2, or a plain tar. Unpack it, or save it anew.") from error
        if path.stat().st_size == 0:
            raise WeightsError(f"{path}: is empty. Download it again.") from error
        raise WeightsError(f"{path}: not a torch checkpoint, or cut off. Download it again.") from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds a {type(content).__name__}, no networks. Use the model's checkpoint.")
    return content


def _numbers() -> AbstractContextManager[Any]:
    """Allow numpy's plain numbers, which old checkpoints hold for losses and epochs."""
    import numpy as np
    import torch

    allow = getattr(torch.serialization, "safe_globals", None)
    if allow is None:
        return nullcontext()
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "b1")}
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return allow([np.dtype, *kinds, *((scalar, name) for name in names)])
