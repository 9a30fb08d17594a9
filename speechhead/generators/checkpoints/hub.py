"""Published weights fetched from where their authors keep them: licence shown, checked against the hub's own hashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speechhead.core import weights
from speechhead.core.errors import SpeechheadError, WeightsError
from speechhead.core.outputs import replaced
from speechhead.generators.families.registry import canonical, spec
from speechhead.generators.families.spec import PublishedWeights

from .imported import remedy

LOCK = "pulled.json"
"""In the user's weights folder: which revision and which hashes were fetched, by name."""


def pull(
    name: str,
    accept: Callable[[str], bool],
    output: Path | None = None,
    half: bool = False,
    update: bool = False,
    hub: Any = None,
    note: Callable[[str], None] = lambda text: None,
) -> Path:
    """Fetch a family's published weights and import them.

    An interrupted download goes on where it stopped. What was fetched once is fetched again as the same revision,
    whatever the repository has become, unless `update`.

    Parameters
    ----------
    name : family
    accept : shown the licence; False ends it
    output : weight file to write; in the user's folder by the family's name if None
    half : store float16
    update : take the newest revision, and forget the one recorded
    hub : module in the place of huggingface_hub, for tests
    note : told what is being done

    Raises
    ------
    WeightsError if the family is not on a public hub, the licence is declined, huggingface_hub is not installed,
    the hub can not be reached, or a file is not what the hub says it is.
    """
    from speechhead.engines.need import need_torch

    name = canonical(name)
    known = spec(name).published
    if known is None:
        raise WeightsError(f"{name}: can not be pulled. {remedy(name)}")
    if known.repo is None:
        raise WeightsError(f"{name}: its authors publish by drive links only, which can not be checked. {remedy(name)}")
    need_torch("importing weights")
    hub = hub or _hub(name, known)
    if not accept(f"{name} from {known.page}\nlicence: {known.licence}"):
        raise WeightsError(f"{name}: licence not accepted, nothing fetched. Agree when asked, or give --yes.")
    target = output or weights.user_folder() / f"{name}.safetensors"
    recorded = {} if update else _locked().get(name, {})
    revision, hashes = _listing(hub, name, known, recorded.get("revision"))
    changed = [file for file, digest in recorded.get("files", {}).items() if hashes.get(file) != digest]
    if changed:
        raise WeightsError(f"{name}: {changed[0]} is not what was fetched before. Give --update to trust the new one.")
    files = []
    for number, file in enumerate(known.files, 1):
        note(f"{number}/{len(known.files)} {file}")
        files.append(_fetch(hub, name, known, file, revision, hashes[file]))

    from .published import import_checkpoint

    path, _ = import_checkpoint(
        files, name, target, half=half, page=known.page, revision=revision, licence=known.licence
    )
    _lock(name, {"repo": known.repo, "revision": revision, "files": hashes})
    return path


def _hub(name: str, known: PublishedWeights) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise WeightsError(
            f"{name}: pulling needs huggingface_hub, which is not installed. pip install 'speechhead[hub]', or fetch "
            f"the files from {known.page} and import them."
        ) from error
    return huggingface_hub


def _listing(hub: Any, name: str, known: PublishedWeights, revision: str | None) -> tuple[str, dict[str, str]]:
    """The commit to fetch, and the SHA-256 of every file as the hub records it."""
    try:
        info = hub.HfApi().model_info(known.repo, revision=revision, files_metadata=True)
    except Exception as error:  # the client raises the classes of its HTTP library
        raise _unreachable(name, known, error) from error
    hashes = {}
    for sibling in info.siblings or ():
        lfs = sibling.lfs
        digest = lfs.get("sha256") if isinstance(lfs, dict) else getattr(lfs, "sha256", None)
        if sibling.rfilename in known.files and digest:
            hashes[sibling.rfilename] = digest
    absent = [file for file in known.files if file not in hashes]
    if absent:
        raise WeightsError(f"{name}: the hub records no hash of {absent[0]}. See {known.page} and import by hand.")
    return info.sha, hashes


def _fetch(hub: Any, name: str, known: PublishedWeights, file: str, revision: str, digest: str) -> Path:
    try:
        path = Path(hub.hf_hub_download(known.repo, file, revision=revision))
    except Exception as error:
        raise _unreachable(name, known, error) from error
    if weights.sha256(path) != digest:
        # Remove the blob, too, or the next attempt finds the damaged one in the cache.
        for copy in {path.resolve(), path}:
            copy.unlink(missing_ok=True)
        raise WeightsError(f"{name}: {file} arrived damaged and was removed. Run the command again.")
    return path


def _unreachable(name: str, known: PublishedWeights, error: Exception) -> WeightsError:
    reason = type(error).__name__
    number = getattr(error, "errno", None) or getattr(getattr(error, "__cause__", None), "errno", None)
    if number == 28:
        return WeightsError(f"{name}: disk full while fetching. Make room and run the command again.")
    return WeightsError(
        f"{name}: {known.repo} could not be fetched from the hub ({reason}). Check the network and run the command "
        f"again, it goes on where it stopped; or fetch the files from {known.page} and import them."
    )


def _locked() -> dict[str, Any]:
    """What was fetched before."""
    path = weights.user_folder() / LOCK
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not readable. Remove it to forget what was pulled.") from error


def _lock(name: str, entry: dict[str, Any]) -> None:
    path = weights.user_folder() / LOCK
    choose = f"Choose another {weights.USER_FOLDER}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpeechheadError(f"{path}: can not be written ({error.strerror}). {choose}.") from error
    with replaced(path, SpeechheadError, choose) as part:
        part.write_text(json.dumps({**_locked(), name: entry}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
