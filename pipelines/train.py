"""`python -m pipelines.train JOB --config FILE`: train one of the networks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)
JOBS = ("speech2landmarks", "landmarks2latents", "generator")


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="speech2landmarks, landmarks2latents or generator")],
    config: Annotated[Path, typer.Option(help="JSON file; its fields are documented in the trainer's TrainConfig")],
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="stop after this many minutes, the schedule fitted to them")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="checkpoint (safetensors) to go on from")] = None,
) -> None:
    """Train a network; everything but these options stands in the config."""
    if job not in JOBS:
        raise typer.BadParameter(f"'{job}' is unknown. Use one of {', '.join(JOBS)}.")
    for path in (config, resume):
        if path is not None and not path.is_file():
            raise typer.BadParameter(f"{path}: no such file.")
    import_module(f"pipelines.{job}.train").main(config, minutes, resume)


if __name__ == "__main__":
    app()
