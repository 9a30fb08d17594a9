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


def main(
    job: Annotated[str, typer.Argument(help="speech2landmarks, landmarks2latents or generator")],
    config: Annotated[
        Path | None, typer.Option(help="JSON file; its fields are documented in the trainer's config class")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="stop after this many minutes, the schedule fitted to them")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="checkpoint of the same run to go on from")] = None,
    generator: Annotated[
        str | None, typer.Option(help="landmarks2latents for these weights: a safetensors file, or an imported name")
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="with --generator: folder of talking-face videos")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="with --generator: file to write; beside the generator's")
    ] = None,
) -> None:
    """Call the trainer of the job."""
    if job not in TRAINERS:
        raise typer.BadParameter(f"'{job}' is unknown. Use one of {', '.join(TRAINERS)}.")
    if generator is not None:
        if job != "landmarks2latents" or clips is None or config is not None:
            raise typer.BadParameter("--generator goes with landmarks2latents and --clips DIR, without --config.")
        if not clips.exists():
            raise typer.BadParameter(f"{clips}: no such folder.")
        import_module("pipelines.train.families.latents").main(generator, clips, minutes, output)
        return
    if config is None:
        raise typer.BadParameter("--config FILE is missing.")
    for path in (config, resume):
        if path is not None and not path.is_file():
            raise typer.BadParameter(f"{path}: no such file.")
    import_module(trainer(job, config)).main(config, minutes, resume)


def trainer(job: str, config: Path) -> str:
    """Module of the trainer: the compact generator has its own, all published families share one."""
    if job == "generator" and read_json(config).get("family", "compact") != "compact":
        return "pipelines.train.families.train"
    return TRAINERS[job]


app = command(main)


if __name__ == "__main__":
    app()
