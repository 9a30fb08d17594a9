"""Train one of the networks: speech2landmarks, landmarks2latents or generator.

python -m pipelines.train JOB --config FILE [--minutes N] [--resume CHECKPOINT]

Everything but these options stands in the config.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import command
from pipelines.train.config import read_json

TRAINERS = {
    "speech2landmarks": "pipelines.train.speech.train",
    "landmarks2latents": "pipelines.train.latents",
    "generator": "pipelines.train.compact.train",
}
"""Module of each job's trainer."""

FAMILIES = "pipelines.train.families.train"
"""Module that trains the published families."""


def main(
    job: Annotated[str, typer.Argument(help="speech2landmarks, landmarks2latents or generator")],
    config: Annotated[
        Path | None, typer.Option(help="JSON file; its fields are documented in the trainer's config class")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="stop after this many minutes; speech2landmarks fits its schedule to them",
        ),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="checkpoint of the same run to go on from")] = None,
    generator: Annotated[
        str | None, typer.Option(help="landmarks2latents for these weights: a safetensors file, or an imported name")
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(help="folder of talking-face videos: with --generator, or for a family instead of its config's"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="with --generator: file to write, beside the generator's if not given; for a family: folder instead of"
            " its config's",
        ),
    ] = None,
) -> None:
    """Call the trainer of the job."""
    if job not in TRAINERS:
        raise typer.BadParameter(f"'{job}' is unknown. Use one of {', '.join(TRAINERS)}.")
    if generator is not None:
        if job != "landmarks2latents" or clips is None or config is not None:
            raise typer.BadParameter("--generator goes with landmarks2latents and --clips DIR, without --config.")
        there(clips)
        import_module("pipelines.train.families.latents").main(generator, clips, minutes, output)
        return
    if config is None:
        raise typer.BadParameter("--config FILE is missing.")
    for path in (config, resume):
        if path is not None and not path.is_file():
            raise typer.BadParameter(f"{path}: no such file.")
    module = trainer(job, config)
    if module == FAMILIES:
        there(clips)
        import_module(module).main(config, minutes, resume, clips, output)
        return
    if clips is not None or output is not None:
        raise typer.BadParameter("--clips and -o go with --generator, or a family's config. This config names folders.")
    import_module(module).main(config, minutes, resume)


def there(clips: Path | None) -> None:
    """Refuse clips that are not there."""
    if clips is not None and not clips.exists():
        raise typer.BadParameter(f"{clips}: no such folder.")


def trainer(job: str, config: Path) -> str:
    """Module of the trainer: the compact generator has its own, all published families share one."""
    if job == "generator" and read_json(config).get("family", "compact") != "compact":
        return FAMILIES
    return TRAINERS[job]


app = command(main)


if __name__ == "__main__":
    app()
