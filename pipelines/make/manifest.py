"""Write weights/manifest.json from the weight files and their model cards.

Each network of `weights/` has a card `weights/<name>.md` that begins with front matter:

    ---
    files: [face_mesh.onnx]
    licence: Apache-2.0
    training_data: one line
    description: one line
    metrics: one line (optional)
    code_version: of speechhead (optional)
    ---

`python -m pipelines.make.manifest` writes the manifest; with `--check` it only says whether it is in step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import command
from speechhead.core.errors import WeightsError
from speechhead.core.weights import MANIFEST, sha256

WEIGHTS = Path(__file__).parents[2] / "weights"
FIELDS = ("files", "licence", "training_data", "description")
OPTIONAL = ("metrics", "code_version")
NOT_WEIGHTS = {".md"}


def front_matter(card: Path) -> dict[str, str]:
    """Fields of a model card: the `key: value` lines between its two `---` lines.

    Raises
    ------
    WeightsError if the card has no front matter or lacks one of files, licence, training_data, description.
    """
    lines = card.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        raise WeightsError(f"{card}: no front matter. Begin the card with the lines ---, key: value ..., ---.")
    pairs = [line.partition(":") for line in lines[1 : lines.index("---", 1)]]
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    if missing := [name for name in FIELDS if not fields.get(name)]:
        raise WeightsError(f"{card}: front matter lacks {', '.join(missing)}. Add the lines.")
    return fields


def build(folder: Path = WEIGHTS) -> dict[str, list[dict[str, str]]]:
    """Manifest of a weights folder, sorted by file name.

    Raises
    ------
    WeightsError if a card names a file that is not there, or a file has no card.
    """
    entries = {}
    for card in sorted(folder.glob("*.md")):
        fields = front_matter(card)
        for name in (part.strip() for part in fields["files"].strip("[]").split(",")):
            if not (folder / name).is_file():
                raise WeightsError(f"{card}: names {name}, which is not in {folder}. Correct its `files:` line.")
            entries[name] = {
                "file": name,
                "sha256": sha256(folder / name),
                "licence": fields["licence"],
                "description": fields["description"],
                "training_data": fields["training_data"],
                "card": card.name,
            }
            entries[name] |= {key: fields[key] for key in OPTIONAL if fields.get(key)}
    files = {f.name for f in folder.iterdir() if f.is_file() and f.suffix not in NOT_WEIGHTS and f.name != MANIFEST}
    if bare := sorted(files - set(entries)):
        raise WeightsError(f"{folder}: no model card names {', '.join(bare)}. Add a card, or the file to a card.")
    return {"weights": [entries[name] for name in sorted(entries)]}


def render(folder: Path = WEIGHTS) -> str:
    """The manifest as the text of its file."""
    return json.dumps(build(folder), indent=1, ensure_ascii=False) + "\n"


def main(
    folder: Annotated[Path, typer.Option(help="Folder of weights and cards.")] = WEIGHTS,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the manifest is out of step.")
    ] = False,
) -> None:
    """Write the manifest, or check it."""
    target = folder / MANIFEST
    text = render(folder)
    if check:
        raise typer.Exit(0 if target.is_file() and target.read_text(encoding="utf-8") == text else 1)
    target.write_text(text, encoding="utf-8")
    print(target)


app = command(main)


if __name__ == "__main__":
    app()
