"""A video made to say something else: its own head motion and eyes, mouth and jaw from new sound."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from speechhead.audio.face_sound import FaceSound
from speechhead.avatar.named import named_portraits
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ControlError, MediaError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import Progress, RenderOptions
from speechhead.media.image import Picture, is_picture

from .dub import Dub, choose, expected_opening, look, prepared, summary, write_report
from .filming import Draw
from .job import FilmJob, told_of, told_of_options
from .patch import Patch
from .reel import Reel
from .survey import Survey

log = logging.getLogger("speechhead")

Watch = Callable[[float, Sequence[Patch]], None]
"""Called from several threads."""


def is_video(source: str | Path) -> bool:
    """Whether a source is a video, rather than a picture, an avatar or the name of one."""
    path = Path(source)
    if not path.is_file() or path.suffix == ".avatar" or str(source) in named_portraits():
        return False
    return not is_picture(path)  # VideoReader names what is wrong with a video


def redub(
    source: str | Path,
    audio: str | Path,
    output: Path,
    options: RenderOptions,
    controls: Controls,
    progress: Progress | None = None,
    film_options: FilmOptions | None = None,
    watch: Watch | None = None,
) -> Path:
    """Re-lip-sync a video to the sound of `audio`; see `speechhead.api.render`.

    Two passes: the first finds shots, people and what hinders a mouth, so that tracks are smoothed without delay and
    mouths go over before a hand comes; the second draws. The picture is changed in its own planes, under the mouth
    alone, and all else of the file goes over as it is. `watch` gets seconds of the new sound, and what is laid.

    Raises
    ------
    FaceError if no frame has a usable face; otherwise as `speechhead.api.render`.
    """
    if options.encoder == "nvenc":
        raise MediaError("encoder 'nvenc': a film is encoded in parts that can be joined, on the CPU. Leave it out.")
    wanted = film_options or FilmOptions()
    reel = Reel(source, audio, options, wanted)
    told = {"inputs": [told_of(source), told_of(audio)], "options": told_of_options(options, wanted, controls)}
    with (
        FilmJob(output, told) as job,
        closing(look(reel.pictures(), reel.fps, str(source), options.landmarks)) as survey,
    ):
        cast = choose(survey, options.face, str(source), lambda: _own_opening(source, reel.begin, survey, options))
        note = summary(survey, cast)
        if note:
            log.warning("%s: %s", source, note)
        if wanted.report is not None:
            write_report(wanted.report, str(source), survey, cast)
        dub = prepared(survey, cast, reel.speech.pieces, options, controls)
        reel.write(job, cast.drawn(survey.count), dub.edit if watch is None else _watched(dub, watch), progress)
    return output


def _watched(dub: Dub, watch: Watch) -> Draw:
    """`Dub.edit`, whose patches are shown to somebody on the way."""

    def draw(picture: Picture, index: int, seconds: float) -> Picture:
        patches = dub.patches(picture, index, seconds)
        watch(seconds, patches)
        picture = picture.copy()
        for patch in patches:
            patch.onto(picture)
        return picture

    return draw


def _own_opening(source: str | Path, begin: float, survey: Survey, options: RenderOptions) -> Array:
    """How far the video's own sound, from `begin` seconds on, asks lips to open, float32 [T] at 25 Hz."""
    try:
        speech = FaceSound.of(source)
    except AudioError as error:
        raise ControlError(f"{source}: has no sound that tells who speaks. Use --face 1 or --face largest.") from error
    return expected_opening(survey, speech.pieces(first=round(begin * SAMPLE_RATE)), options)
