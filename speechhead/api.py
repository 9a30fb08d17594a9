"""What a program calls: a portrait says a text, a picture or a video speaks a recording, a portrait follows a video."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.named import named_portraits
from speechhead.avatar.outputs import check_target
from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ControlError, MediaError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import DriveOptions, Progress, RenderOptions
from speechhead.core.outputs import replaced
from speechhead.core.records import entries, record_of
from speechhead.core.results import ResultOptions
from speechhead.core.threads import background
from speechhead.media.credentials import signing
from speechhead.media.sound import write_wav
from speechhead.media.targets import check_beside, is_frames
from speechhead.media.writer import SUFFIXES
from speechhead.render.captions import Captions
from speechhead.render.speak import speak
from speechhead.render.track import file_track, speech_file, text_of, text_track

Portrait = str | Path | NDArray[Any] | Avatar | None
"""Picture, saved avatar, name of a shipped one, or an Avatar; the default one if None."""

OF_PORTRAITS = (
    "head", "head_brows", "head_amplitude", "temperament", "gaze", "look_away", "blink_rate", "blink_frames", "idle"
)  # fmt: skip
"""Controls of what a film keeps as it is."""

log = logging.getLogger("speechhead")


def say(
    text: str | Path,
    output: str | Path = "say.mp4",
    portrait: Portrait = None,
    voice: str | None = None,
    options: RenderOptions | None = None,
    controls: Controls | None = None,
    progress: Progress | None = None,
    results: ResultOptions | None = None,
) -> Path:
    """Make a portrait speak a text, or a recording, and write the video.

    Parameters
    ----------
    text : text to speak, plain, SSML or HTML, or the path of a text, sound or video file
    output : .mp4, .m4v, .mov, .mkv, .webm, .gif, .apng, or frames/%05d.png
    portrait : picture, saved avatar, name of a shipped one, or an Avatar; the default one if None
    voice : a name from `speechhead voices`; the one that suits the portrait if None; not used for a recording
    options : how pictures are made: size, fps, generator and so on
    controls : how the face moves: emotion, seed and so on
    progress : called after every frame
    results : what is behind the person, and what is written besides: subtitles, motion

    Returns
    -------
    The path of the video.

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    options, controls = record_of(RenderOptions, "options", options), record_of(Controls, "controls", controls)
    results = record_of(ResultOptions, "results", results)
    file = speech_file(text)
    target = check_target(output, file, portrait, voice, options.generator, results=results)
    written = text_of(file) if file else str(text)
    if written is not None and options.speaker is not None:
        raise ControlError(f"speaker {options.speaker}: a text has one speaker. Leave speaker out.")
    captions = Captions()
    if written is not None:
        track = text_track(written, _voices(portrait, voice, written), captions.hear)
    else:
        assert file is not None
        _check_words(results, file)
        track = file_track(file, options.speaker)
        if voice is not None:
            log.warning("%s: a recording is spoken as it is, so voice %r is not used. Leave voice out.", file, voice)
    controls = _directed(controls)
    with signing(options.c2pa, target), background(track.pieces) as pieces:
        track = replace(track, pieces=pieces)
        speak(_avatar(portrait, options), track, target, options, controls, progress, results)
    if results.subtitles is not None:
        captions.write(results.subtitles)
    return target


def read_out(text: str, output: str | Path, voice: str | None = None, subtitles: str | Path | None = None) -> Path:
    """Speak a text into a sound file, for `render`.

    Parameters
    ----------
    text : plain, SSML or HTML
    output : .wav, 16 kHz, one channel
    voice : a name from `speechhead voices`; one that suits the text if None
    subtitles : .vtt or .srt to write the text with its times to

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    results = ResultOptions(subtitles=None if subtitles is None else Path(subtitles))
    target = Path(output)
    if target.suffix.lower() != ".wav":
        raise AudioError(f"{target}: '{target.suffix}' is not written here. Use .wav.")
    for path in (target, *results.files):
        check_beside(path, ())
    captions = Captions()
    track = text_track(text, _voices(None, voice, text), captions.hear)
    with replaced(target) as part:
        write_wav(part, (passage.speech for passage in track.pieces), track.rate)
    if results.subtitles is not None:
        captions.write(results.subtitles)
    return target


def is_film(source: str | Path) -> bool:
    """Whether a source is a video, or frames of one, rather than a portrait."""
    from speechhead.render.redub import is_video

    return is_frames(Path(source)) or is_video(source)


def render(
    source: str | Path | NDArray[Any] | Avatar,
    audio: str | Path,
    output: str | Path = "render.mp4",
    options: RenderOptions | None = None,
    controls: Controls | None = None,
    progress: Progress | None = None,
    film: FilmOptions | None = None,
    results: ResultOptions | None = None,
) -> Path:
    """Lip-sync a portrait, or an existing video, to the sound of a file.

    A portrait comes alive as in `say`. A video keeps its head motion, its eyes, and all else that its file has; only
    mouth and jaw are driven by the new sound. It is cut to the length of the sound, or played to and fro.

    Parameters
    ----------
    source : picture, avatar or video; audio : sound or video file
    options : crop is for portraits; face is a number, or for a video "largest" or "speaking" too
    film : how a video is written, how long it is, and which passage of it speaks
    others : as in `say`

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    options, controls = record_of(RenderOptions, "options", options), record_of(Controls, "controls", controls)
    results = record_of(ResultOptions, "results", results)
    target = check_target(output, source, audio, options.generator, results=results)
    _check_words(results, audio)
    controls = _directed(controls)
    wanted = record_of(FilmOptions, "film", film)
    if not isinstance(source, Avatar | np.ndarray):
        from speechhead.render.converted import redub_into
        from speechhead.render.redub import redub

        if is_film(source):
            _check_film(results, source)
            _note_still(source, controls)
            if options.crop:
                raise ControlError(f"{source}: crop is for pictures, and this is a video. Leave it out.")
            with signing(options.c2pa, target, source):
                if results.alpha or is_frames(Path(source)) or target.suffix.lower() not in SUFFIXES:
                    return redub_into(source, audio, target, options, controls, progress, wanted, results.alpha)
                return redub(source, audio, target, options, controls, progress, wanted)
    if wanted != FilmOptions():
        raise ControlError(f"{_named(wanted)}: is for videos, and this is a portrait. Leave it out.")
    track = file_track(audio, options.speaker)
    with signing(options.c2pa, target):
        return speak(_avatar(source, options), track, target, options, controls, progress, results)


def animate(
    source: str | Path,
    driver: str | Path,
    output: str | Path = "animate.mp4",
    options: RenderOptions | None = None,
    drive: DriveOptions | None = None,
    progress: Progress | None = None,
) -> Path:
    """Move a portrait as the person in a video moves, and write the video.

    Parameters
    ----------
    source : picture, or name of a shipped portrait; driver : video of one face
    options : generator is compact, or a family or a name with imported weights
    drive : how the driver moves the portrait
    others : as in `say`

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    options, drive = record_of(RenderOptions, "options", options), record_of(DriveOptions, "drive", drive)
    target = check_target(output, source, driver, drive.weights, options.generator)
    if options.speaker is not None:
        raise ControlError(f"speaker {options.speaker}: sound moves nothing here, the driver does. Leave speaker out.")
    from speechhead.render.animate import follow

    with signing(options.c2pa, target):
        return follow(source, driver, target, options, drive, progress)


def _directed(controls: Controls) -> Controls:
    """Controls whose head motion is read, where a file gives it."""
    if not isinstance(controls.head, Path):
        return controls
    from speechhead.render.head import directed

    return directed(controls)


def _note_still(film: str | Path, controls: Controls) -> None:
    """Say which controls a film has no use for."""
    usual = Controls()
    given = [name.replace("_", "-") for name in OF_PORTRAITS if getattr(controls, name) != getattr(usual, name)]
    if given:
        log.warning("%s: a film keeps its own head and eyes, so %s is not used. Leave it out.", film, ", ".join(given))


def _named(record: FilmOptions | ResultOptions) -> str:
    """The options that are not as they are by themselves."""
    usual = type(record)()
    return ", ".join(
        entry.option.flag or f"--{entry.name.replace('_', '-')}"
        for entry in entries(type(record))
        if getattr(record, entry.name) != getattr(usual, entry.name)
    )


def _check_words(results: ResultOptions, audio: str | Path) -> None:
    if results.subtitles is not None:
        raise MediaError(f"{audio}: the words of a recording are not known, so there are no subtitles. Give a text.")


def _check_film(results: ResultOptions, source: str | Path) -> None:
    """Refuse for a film what only portraits have."""
    further = replace(results, alpha=False)
    if further != ResultOptions():
        raise MediaError(f"{source}: {_named(further)} is for portraits, and this is a video. Leave it out.")


def _voices(portrait: Portrait, voice: str | None, text: str) -> tuple[str, ...]:
    """Voices to try in turn: the one asked for, or those that suit the text's language and the portrait."""
    if voice is not None:
        return (voice,)
    suits: tuple[str, ...] = ()
    if isinstance(portrait, Avatar):
        suits = portrait.voice
    elif not isinstance(portrait, np.ndarray):
        table = named_portraits()
        entry = table.get(str(portrait)) if portrait is not None else next(iter(table.values()))
        suits = entry.voices if entry else ()
    from speechhead.tts import default_voice, engine_of, voices
    from speechhead.tts.tongue import speaker_of

    listed = {known.name: known for known in voices()}
    # What is in no list, such as a voice file, is known when it is opened.
    if suits and not any(listed[name].available if name in listed else engine_of(name) for name in suits):
        line = "voice '%s', the portrait's, can not speak here, so %s does. --voice chooses another."
        log.warning(line, suits[0], default_voice())
        suits = ()
    return speaker_of(text, suits or (default_voice(),), [known for known in listed.values() if known.available])


def _avatar(portrait: Portrait, options: RenderOptions) -> Avatar:
    """The portrait, prepared as the options say.

    Raises
    ------
    ControlError if it is prepared already, and the options ask for another face or size.
    """
    avatar = Avatar.of(portrait, options)
    if avatar is portrait:
        return avatar
    for note in avatar.notes:
        log.warning("%s", note)
    return avatar
