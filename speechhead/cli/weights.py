"""The command `speechhead weights`: shipped and imported networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from speechhead.generators.families.registry import names

from .terminal import table

weights_app = typer.Typer(
    help="Networks, shipped and imported: what they are, whether they are intact.", no_args_is_help=True
)

Half = Annotated[bool, typer.Option("--half", help="Store float16: half the size on disk.")]


@weights_app.command("list")
def weights_list() -> None:
    """List the shipped networks with their licences, and the imported ones."""
    from speechhead.core import weights
    from speechhead.generators.checkpoints import imported

    rows = []
    for name, weight in weights.manifest().items():
        path = weights.folder() / name
        rows.append((name, _size(path), weight.licence, weight.description))
    table(("file", "size", "licence", "what"), rows)
    print(weights.folder())
    own = imported.imported()
    if own:
        print()
        lines = []
        for item in own.values():
            does = "animate, say, render" if item.speaks else "animate"
            lines.append((item.name, _size(item.path), item.family, does, item.metadata.get("source", "")))
        table(("generator", "size", "family", "does", "from"), lines)
        print(weights.user_folder())


@weights_app.command("verify")
def weights_verify() -> None:
    """Check every shipped network against its SHA-256."""
    from speechhead.core import weights

    states = weights.verify()
    table(("file", "state"), list(states.items()))
    if set(states.values()) - {"ok"}:
        raise typer.Exit(1)


@weights_app.command("import")
def weights_import(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Published checkpoint, its files, or their folder.")
    ],
    family: Annotated[str, typer.Option(help=f"{', '.join(names())}.", metavar="NAME")],
    config: Annotated[
        Path | None,
        typer.Option(help="The model's yaml or JSON; needed where it is not of the published size.", metavar="FILE"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What --generator calls it; the family's name if not given.", metavar="NAME")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of the weights folder.", metavar="FILE")
    ] = None,
    half: Half = False,
) -> None:
    """Turn a published checkpoint into weights for --generator; no code in it is ever run."""
    from speechhead.core.weights import read_metadata
    from speechhead.generators.checkpoints.published import import_checkpoint
    from speechhead.generators.families.registry import canonical

    target = output or _target(name or canonical(family))
    path, _ = import_checkpoint(files, family, target, config, half)
    if lacking := read_metadata(path).get("without"):
        print(f"not in these files: {lacking}. What needs it will say so.", file=sys.stderr)
    print(path)


@weights_app.command("pull")
def weights_pull(
    family: Annotated[str, typer.Argument(metavar="NAME", help="Family whose authors publish on the hub.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of the weights folder.", metavar="FILE")
    ] = None,
    half: Half = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to the licence without being asked.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Take the newest revision, not the one pulled before.")
    ] = False,
) -> None:
    """Fetch a family's published weights from their public hub and import them."""
    from speechhead.generators.checkpoints.hub import pull

    def accept(terms: str) -> bool:
        print(terms, file=sys.stderr)
        if yes:
            return True
        if not sys.stdin.isatty():  # nobody there to ask
            return False
        return typer.confirm("Agree?", err=True)

    print(pull(family, accept, output, half, update, note=lambda text: print(text, file=sys.stderr)))


def _target(name: str) -> Path:
    """The file in the user's folder that a generator's name stands for."""
    from speechhead.core.errors import WeightsError
    from speechhead.core.weights import user_folder

    if not name or Path(name).name != name or name.startswith(".") or name == "compact":
        raise WeightsError(f"name '{name}' is not usable. Use letters, digits and dashes.")
    return user_folder() / f"{name}.safetensors"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "missing"
