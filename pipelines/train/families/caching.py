"""Clips that a run learns from, and those of held-out people; what can not be used is left out, and counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from speechhead.core.errors import MediaError

from .config import FamilyTraining
from .keeping import keep_all
from .parallel import Workers
from .sources import HELD_OUT, TRAIN, ClipSource, FamilyClip, Kept, list_sources

TELL = 10.0
"""Seconds between two lines about clips that are read."""

SHORTEST = 8
"""Usable frames below which a clip is left out."""

SHOWN = 3
"""Reasons in the last line; every one has had a line of its own."""


def load_family_clips(
    place: Path,
    size: int,
    cache: Path,
    tracked: bool = False,
    splits: Sequence[str] = (TRAIN,),
    processes: int = 1,
    workers: Workers | None = None,
) -> list[FamilyClip]:
    """Clips of a folder (see `list_sources`), or one video, of which enough frames can be used.

    Processes that train together share the work, and wait for each other however long it takes.

    Parameters
    ----------
    size : side of the frames
    cache : folder of decoded frames and of tracks
    tracked : with the faces' tracks
    splits : which of train, val and test of the catalogue
    processes : that read clips, in each process that trains

    Raises
    ------
    MediaError if there is none, or none can be used.
    """
    kept = Kept(size, cache, tracked)
    sources = [source for source in list_sources(place) if source.split in splits]
    if not sources:
        raise MediaError(
            f"{place}: no clip of split {' or '.join(splits)}. Name others in the split of its catalog.csv."
        )
    cache.mkdir(parents=True, exist_ok=True)
    bad = _share(sources, kept, processes, workers)
    clips = []
    for source in sources:
        if source.name in bad:
            continue
        clip = source.open(kept)
        if len(clip.usable) >= SHORTEST:
            clips.append(clip)
        else:
            what = "frames with a face" if tracked else "frames"
            bad[source.name] = f"{source.name}: {len(clip.usable)} {what}, {SHORTEST} are needed"
    if bad:
        reasons = [why.rstrip(".") for why in list(bad.values())[:SHOWN]] + ["..."] * (len(bad) > SHOWN)
        line = f"{place}: {len(bad)} of {len(sources)} clips can not be used ({'; '.join(reasons)})"
        if not clips:
            raise MediaError(f"{line}. Use other clips.")
        if workers is None or workers.first:
            print(line, flush=True)
    return clips


def _share(sources: Sequence[ClipSource], kept: Kept, processes: int, workers: Workers | None) -> dict[str, str]:
    """Keep all clips, each process of `workers` its part; why some can not be used, the same in every process."""
    own = sources[workers.place :: workers.places] if workers else sources
    bad: dict[str, str] = {}
    told = time.monotonic()
    for number, (name, why) in enumerate(keep_all(own, kept, processes), 1):
        if why is not None:
            bad[name] = why
            print(f"left out: {why}", flush=True)
        if time.monotonic() - told > TELL and (workers is None or workers.first):
            told = time.monotonic()
            print(f"clips: {number} of {len(own)} read", flush=True)
    for others in workers.gather(bad) if workers else ():
        bad |= others
    return {source.name: bad[source.name] for source in sources if source.name in bad}


def learnt_and_held_out(
    options: FamilyTraining, tracked: bool, workers: Workers
) -> tuple[list[FamilyClip], list[FamilyClip]]:
    """Clips to learn from, and those of other people to judge by, of which there may be none.

    Those of `validation` if the config names one, else of split val. Nobody is in both: whoever is held out in one clip
    is not learnt from in another.

    Raises
    ------
    MediaError if there is nothing to learn from.
    """
    cache, processes = Path(options.cache), max(options.workers, 1)

    def load(place: str, *splits: str) -> list[FamilyClip]:
        return load_family_clips(Path(place), options.size, cache, tracked, splits, processes, workers)

    if options.validation is None:
        clips = load(options.clips, TRAIN, HELD_OUT)
        held = [clip for clip in clips if clip.split == HELD_OUT]
    else:
        clips = load(options.clips, TRAIN)
        held = load(options.validation, TRAIN, HELD_OUT)
    people = {clip.identity for clip in held}
    learnt = [clip for clip in clips if clip.identity not in people]
    if not learnt:
        raise MediaError(f"{options.clips}: everybody there is held out. Name clips of other people.")
    if workers.first:
        print(f"to learn from: {_counted(learnt)}; held out: {_counted(held)}", flush=True)
    return learnt, held


def _counted(clips: Sequence[FamilyClip]) -> str:
    return f"{len(clips)} clips, {len({clip.identity for clip in clips})} people"
