"""A video made to say something else: its own head motion and eyes, mouth and jaw from new sound."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from speechhead.audio.face_sound import FaceSound
from speechhead.avatar.named import named_portraits
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ControlError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import Progress, RenderOptions
from speechhead.media.image import is_picture

from .dub import choose, expected_opening, look, prepared, summary, write_report
from .job import FilmJob, told_of, told_of_options
from .reel import Reel
from .survey import Survey

log = logging.getLogger("speechhead")


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
) -> Path:
    """Re-lip-sync a video to the sound of `audio`; see `speechhead.api.render`.

    Two passes: the first finds shots, people and what hinders a mouth, so that tracks are smoothed without delay and
    mouths go over before a hand comes; the second draws. The picture is changed in its own planes, under the mouth
    alone, and all else of the file goes over as it is.

    Raises
    ------
    FaceError if no frame has a usable face; otherwise as `speechhead.api.render`.
    """
    wanted = film_options or FilmOptions()
    reel = Reel(source, audio, options, wanted)
    told = {"inputs": [told_of(source), told_of(audio)], "options": told_of_options(options, wanted, controls)}
    with FilmJob(output, told) as job, closing(look(reel.pictures(), reel.fps, str(source))) as survey:
        cast = choose(survey, options.face, str(source), lambda: _own_opening(source, reel.begin, survey, options))
        note = summary(survey, cast)
        if note:
            log.warning("%s: %s", source, note)
        if wanted.report is not None:
            write_report(wanted.report, str(source), survey, cast)
        dub = prepared(survey, cast, reel.speech.pieces, options, controls)
        reel.write(job, cast.drawn(survey.count), dub.edit, progress)
    return output


def _own_opening(source: str | Path, begin: float, survey: Survey, options: RenderOptions) -> Array:
    """How far the video's own sound, from `begin` seconds on, asks lips to open, float32 [T] at 25 Hz."""
    try:
        speech = FaceSound.of(source)
    except AudioError as error:
        raise ControlError(f"{source}: has no sound that tells who speaks. Use --face 1 or --face largest.") from error
    return expected_opening(survey, speech.pieces(first=round(begin * SAMPLE_RATE)), options)
