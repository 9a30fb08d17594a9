"""Weights of generator families that the user imported: where they are, and which one a name means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speechhead.core.errors import WeightsError
from speechhead.core.weights import user_folder

ENDING = ".safetensors"
"""Ending of a weight file: a generator's name that has it is a path."""

LATENTS = f".latents{ENDING}"
"""Ending of a Landmarks2Latents network, which lies beside its generator's weights: NAME.latents.safetensors."""


@dataclass(frozen=True)
class Imported:
    """Weights of a generator family that the user imported. name: as `--generator` takes it; path: the file;
    family: of the network; metadata: of the file; speaks: whether its Landmarks2Latents lies beside it."""

    name: str
    path: Path
    family: str
    metadata: dict[str, str]
    speaks: bool


def imported() -> dict[str, Imported]:
    """Generators in the user's folder by name; files that are none of ours are passed over."""
    from speechhead.core.weights import read_metadata

    from .stored import FORMAT

    found = {}
    for file in sorted(user_folder().glob(f"*{ENDING}")):
        if file.name.endswith(LATENTS):
            continue
        try:
            metadata = read_metadata(file)
        except WeightsError:
            continue
        if metadata.get("format") == FORMAT:
            speaks = latents_path(file).is_file()
            found[file.stem] = Imported(file.stem, file, metadata.get("family", ""), metadata, speaks)
    return found


def latents_path(generator: Path) -> Path:
    """Where the Landmarks2Latents network of a generator's weight file lies."""
    return generator.with_name(generator.name.removesuffix(ENDING) + LATENTS)


def find_generator(name: str) -> Path:
    """Weight file of a generator: a path, or in the user's folder by the name it was imported as, or by its family.

    Raises
    ------
    WeightsError if the file is not there, the name is unknown, or the family has no weights here, or several.
    """
    from speechhead.generators.families.registry import canonical, is_form, names

    if name.endswith(ENDING):
        if not Path(name).is_file():
            raise WeightsError(
                f"{name}: no such weight file. Check the path, or import one: speechhead weights import."
            )
        return Path(name)
    known = imported()
    if name in known:
        return known[name].path
    try:
        family = canonical(name)
    except WeightsError as error:
        choices = ", ".join(dict.fromkeys(["compact", *names(), *known]))
        raise WeightsError(f"generator '{name}' is unknown. Use one of {choices}.") from error
    if family in known:
        return known[family].path
    fitting = [item for item in known.values() if is_form(item.family, family)]
    if len(fitting) > 1:
        choices = ", ".join(item.name for item in fitting)
        raise WeightsError(f"generator '{name}': several weights are here. Choose one with --generator: {choices}.")
    if not fitting:
        raise WeightsError(f"generator '{family}' has no weights here. {remedy(family)}")
    return fitting[0].path


def find_latents(name: str) -> Path:
    """The Landmarks2Latents network beside a generator's weights, with which it speaks.

    Raises
    ------
    WeightsError as `find_generator`, or if it is not there.
    """
    fitted = latents_path(find_generator(name))
    if not fitted.is_file():
        raise WeightsError(
            f"generator '{name}' can not speak yet: {fitted.name} is missing beside its weights. Fit it, in a checkout "
            f"of the repository: python -m pipelines.train landmarks2latents --generator {name} --clips DIR."
        )
    return fitted


def remedy(family: str) -> str:
    """How weights of a family come here: pulled where a hub has them, else imported from their authors' page."""
    from speechhead.generators.families.registry import spec

    known = spec(family).published
    command = f"`speechhead weights import FILE --family {family}`."
    if known is None:
        return f"They are published nowhere. Train your own, and run {command}"
    if known.repo is None:
        return f"Fetch the files from {known.page} and run {command}"
    return f"Run `speechhead weights pull {family}`, or {command}"
