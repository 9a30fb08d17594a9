"""Raw footage to samples in shards: tracked, cropped, judged, in step with their sound.

Takes a folder of videos of any size, frame rate and length. What is kept, and why the rest is not, is in report.csv.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from pipelines.command import command
from speechhead.core.clocks import FPS
from speechhead.core.errors import SpeechheadError

from .catalogue import FootageEntry, list_footage
from .report import row, table, write_report
from .settings import FootageSettings
from .shards import Packer, open_samples
from .video import process


def run(entries: list[FootageEntry], output: Path, settings: FootageSettings, workers: int = 1) -> list[dict[str, Any]]:
    """Process the videos that are not done yet, pack their samples, write the report.

    Shards do not depend on the number of workers, nor on how often the run was stopped.

    Returns
    -------
    the report's rows, of all given videos

    Raises
    ------
    ValueError if the output folder was made with other settings.
    """
    (output / "videos").mkdir(parents=True, exist_ok=True)
    packer = Packer(output, settings)
    rows: list[dict[str, Any]] = []
    fresh = [entry for entry in entries if not _record(output, entry).is_file()]
    for part in track(_parts(fresh, output, settings, workers), "Footage", len(fresh), console=Console(stderr=True)):
        packer.add(part)
    packer.close()
    for entry in entries:
        record = json.loads(_record(output, entry).read_text(encoding="utf-8"))
        rows += record["rows"]
        if record["bytes"] != entry.path.stat().st_size:
            note = "is another file than the one processed; give it a new name to take it up"
            rows.append(row(entry.name, "changed", note=note))
    write_report(output, rows)
    return rows


def _record(output: Path, entry: FootageEntry) -> Path:
    return output / "videos" / f"{entry.key}.json"


def _parts(entries: list[FootageEntry], output: Path, settings: FootageSettings, workers: int) -> Iterator[Path]:
    """The finished part of every video, in the order of the videos."""
    if workers <= 1:
        yield from (process(entry, output, settings) for entry in entries)
        return
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(process, entry, output, settings) for entry in entries]
        try:
            yield from (job.result() for job in jobs)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def main(
    videos: Annotated[Path, typer.Option(help="Folder of videos; folders in it are looked into.", file_okay=False)],
    output: Annotated[Path, typer.Option(help="Folder for shards, index and report.")],
    catalog: Annotated[
        Path | None,
        typer.Option(help="CSV: file, and any of identity, split, language, licence, source."),
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, or all; by a hash of the identity if no catalogue says.")] = (
        "all"
    ),
    licences: Annotated[
        str, typer.Option(help="all, free (results may be published), or phrases, one of which a licence must have.")
    ] = "all",
    cropped: Annotated[bool, typer.Option("--cropped", help="The videos are face-centred squares already.")] = False,
    size: Annotated[int, typer.Option(help="Side of the samples in pixels.", min=64, max=1024)] = 256,
    min_eyes: Annotated[
        float, typer.Option(help="Outer eye distance a face needs, px; samples have 70 at 256.", min=16)
    ] = FootageSettings.min_eyes,
    longest: Annotated[float, typer.Option(help="Seconds of a sample at most.", min=1, max=80)] = (
        FootageSettings.longest / FPS
    ),
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
) -> None:
    """Make training samples of a folder of videos. A stopped run goes on where it was."""
    for path in (videos, catalog):
        if path is not None and not path.exists():
            raise SpeechheadError(f"{path}: does not exist. Check the path.")
    entries = list_footage(videos, catalog, split, licences)
    if not entries:
        raise SpeechheadError(f"{videos}: no video of split '{split}' with licences '{licences}'. Check both.")
    counts = Counter(entry.key for entry in entries)
    twice = [entry.name for entry in entries if counts[entry.key] > 1]
    if twice:
        names = ", ".join(twice[:4])
        raise SpeechheadError(f"{videos}: samples of {names} would have the same names. Rename some of these videos.")
    try:
        rows = run(entries, output, FootageSettings(size, min_eyes, round(longest * FPS), cropped), workers)
    except ValueError as error:
        raise SpeechheadError(str(error)) from error
    samples = open_samples(output)
    print(table(rows))
    print(f"{output}: {len(samples)} samples of {len({s.about['identity'] for s in samples})} people")


app = command(main)


if __name__ == "__main__":
    app()
