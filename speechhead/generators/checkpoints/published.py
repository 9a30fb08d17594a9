"""Published checkpoints: read without running code, checked key by key against the family, written as safetensors."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.core.outputs import keep_inputs
from speechhead.core.stand_ins import refuse_stand_in
from speechhead.engines.need import need_torch
from speechhead.generators.families.plausible import refuse_huge
from speechhead.generators.families.registry import canonical, config_class, is_form, spec, specs

from .shapes import MISFITS, compare, first_of, refuse_broken, skeleton, with_counters
from .stored import save_state

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Tensor]

SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".safetensors")
"""Endings of files that are looked at when a folder is given (`.pth.tar` ends in `.tar`)."""


WRAPPERS = ("module.", "_orig_mod.")
"""What torch puts before the keys of a network that it wraps."""


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
    WeightsError if a file is missing, damaged, holds code, does not fit the family, has a number that is none, or is
    the output too.
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
    wanted = skeleton(name, settings)
    state = with_counters(state, wanted)
    compare(state, wanted, label, name)
    refuse_broken(state, label)
    if lacking := left_out(name, parts):
        notes["without"] = ", ".join(lacking)
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
    maker = "full_size" if published is None else "from_published"
    if not hasattr(kind, maker):
        other = "give a --config" if published is None else "leave --config out"
        raise WeightsError(f"config: {kind.__name__} of {name} has no {maker}(). Write that classmethod, or {other}.")
    refuse_huge((published or {}).get("model_params"))
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
        known = {part for family in specs() for part in family.submodules}
        if roots <= {part.split(".")[0] for part in known} | {"discriminator"}:  # one flat dictionary of several
            for part in _submodules(flat, known):
                yield part, {k[len(part) + 1 :]: v for k, v in flat.items() if k.startswith(f"{part}.")}
        else:
            yield stem, flat
    for key, value in content.items():
        if isinstance(value, Mapping):
            inner = {str(k): v for k, v in value.items() if isinstance(v, torch.Tensor)}
            if inner:
                yield str(key), _without_prefix(inner)


def _submodules(flat: State, known: Collection[str]) -> list[str]:
    """The submodules that keys are of: known ones, which may be several levels deep, or the first part of the key."""
    deep = [part for part in known if "." in part]
    return list(dict.fromkeys(next((p for p in deep if key.startswith(f"{p}.")), key.split(".")[0]) for key in flat))


def _without_prefix(state: State) -> State:
    """Keys without the `module.` of (Distributed)DataParallel and the `_orig_mod.` of compiled networks."""
    for prefix in WRAPPERS * 2:  # in either order
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _family_of(parts: Mapping[str, tuple[State, Path]], wanted: str, label: str) -> str:
    """The family that these networks are of, if it is the one wanted or a form of it."""
    networks = {part: state for part, (state, _) in parts.items()}
    known = [family for family in specs() if family.knows(networks)]
    # A family that extends another has its parts, its marks, and more.
    most = max(known, key=lambda family: (len(family.submodules), is_form(family.name, wanted)), default=spec(wanted))
    found = most.name
    if not is_form(found, wanted):
        raise WeightsError(f"{label}: a checkpoint of {found}, not of {wanted}. Use --family {found}.")
    return found


def _gather(parts: Mapping[str, tuple[State, Path]], name: str, label: str) -> State:
    """One state dict of a family, its submodules' keys prefixed by their names."""
    known = spec(name)
    table = {**known.parts, **{submodule: submodule for submodule in known.submodules}}
    state: State = {}
    present: dict[str, str] = {}
    for part, (tensors, _) in parts.items():
        if part in table:
            submodule = table[part]
            if submodule in present:
                raise WeightsError(f"{label}: both '{present[submodule]}' and '{part}' are {submodule}. Leave one out.")
            present[submodule] = part
            state |= {f"{submodule}.{key}": value for key, value in tensors.items()}
    spared = left_out(name, parts)
    absent = [submodule for submodule in known.submodules if submodule not in present and submodule not in spared]
    if absent:
        held = f" It holds {first_of(list(parts), 4)}." if parts else ""
        raise WeightsError(
            f"{label}: {first_of(absent, 3)} of {name} missing.{held} Name all files of the model, or their folder."
        )
    return state


def left_out(name: str, parts: Mapping[str, Any]) -> tuple[str, ...]:
    """The family's optional submodules, if published parts, by name, have none of them."""
    known = spec(name)
    there = {known.parts.get(part, part) for part in parts}
    return () if there.intersection(known.optional) else known.optional


def _read(path: Path) -> Mapping[str, Any]:
    """A checkpoint file; whatever code a pickle carries is refused, never run."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except Exception as error:  # safetensors raises classes of its own
            refuse_stand_in(path, WeightsError)
            raise WeightsError(f"{path}: not an intact safetensors file. Download it again.") from error
    try:
        with warnings.catch_warnings(), _numbers():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the reader raises nearly everything on damaged files
        refuse_stand_in(path, WeightsError)
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
