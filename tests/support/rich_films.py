"""Films as editors have them: further tracks, subtitles, chapters, tags, pixels that are not square, any clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from speechhead.audio import save_wav
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import RenderOptions
from speechhead.media.subtitles import HEADER, subtitle_packet
from speechhead.media.view import as_picture_of, plain_frame
from speechhead.render.job import FilmJob, told_of
from speechhead.render.reel import Reel

WIDTH, HEIGHT = 96, 64
BOX = slice(24, 40), slice(40, 64)
"""Rows and columns that `mouth` paints."""


@dataclass(frozen=True)
class Kind:
    """How a film is made. tags: range, matrix, primaries, transfer; times: of its frames, ticks of `base`, if given."""

    layout: str = "yuv420p"
    codec: str = "libx264"
    tags: tuple[int, int, int, int] = (1, 1, 1, 1)
    sar: Fraction = Fraction(1)
    rate: int = 25
    count: int = 50
    times: tuple[int, ...] = ()
    base: Fraction = Fraction(1, 1000)
    late: float = 0.0
    sound_late: float = 0.0
    size: tuple[int, int] = (WIDTH, HEIGHT)
    turns: int = 0
    options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "crf": "10", "g": "10", "bf": "2"})


def picture(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """Picture of a film: a ramp that moves, with a bar whose place is its number."""
    x, y = np.arange(size[0])[None], np.arange(size[1])[:, None]
    out = np.stack([(2 * x + y + number) % 180 + 30, x + y + 40 + 0 * x, 120 + 0 * x + y], -1).astype(np.uint8)
    out[-8:, : 4 + number % 80] = 220
    return out


def rich_film(path: Path, kind: Kind = Kind(), rich: bool = True) -> Path:
    """Write a film; a rich one has two sound tracks, subtitles, chapters and a title."""
    form = {".mkv": "matroska", ".ts": "mpegts"}.get(path.suffix, path.suffix[1:])
    width, height = kind.size
    with av.open(str(path), "w", format=form) as out:
        video = out.add_stream(kind.codec, rate=kind.rate, options=dict(kind.options))
        video.width, video.height, video.pix_fmt = width, height, kind.layout
        context = video.codec_context
        context.sample_aspect_ratio = kind.sar
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = kind.tags
        base = kind.base if kind.times else Fraction(1, kind.rate)
        context.time_base = base
        seconds = (kind.times[-1] * base + Fraction(1, 25)) if kind.times else Fraction(kind.count, kind.rate)
        if kind.turns:
            video.set_display_rotation(90 * kind.turns)
        tracks, words = [], None
        if rich:
            out.metadata["title"] = "A rich film"
            video.metadata["language"] = "eng"
            for language, layout, rate in (("eng", "stereo", 44100), ("fra", "mono", 48000)):
                track = out.add_stream("aac", rate=rate, layout=layout)
                track.metadata["language"] = language
                track.disposition = Disposition.default if language == "eng" else Disposition.comment
                tracks.append((track, layout, rate))
            codec = "subrip" if form == "matroska" else "mov_text"
            words = out.add_stream(codec)
            words.codec_context.subtitle_header, words.time_base = HEADER, Fraction(1, 1000)
            words.metadata["language"] = "deu"
            named = (("One", 0, 600), ("Two", 600, 2000))
            out.set_chapters(
                [{"id": n, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": name}}
                 for n, (name, a, b) in enumerate(named)]
            )  # fmt: skip
        late = round(kind.late / base)
        for number, at in enumerate(kind.times or range(kind.count)):
            shown = picture(number, kind.size)
            matrix = kind.tags[1] if kind.tags[1] != 2 else 1 if width > 1024 else 5
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(
                format=kind.layout, dst_colorspace=matrix, dst_color_range=kind.tags[0] or 1
            )
            frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = kind.tags
            frame.pts, frame.time_base, frame.pict_type = at + late, base, 0
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for track, layout, rate in tracks:
            tone = np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 300 / rate).astype(np.float32) * 0.2
            for start in range(0, len(tone), 1024):
                block = np.repeat(tone[None, start : start + 1024], 2 if layout == "stereo" else 1, 0)
                sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
                sound.sample_rate, sound.time_base = rate, Fraction(1, rate)
                sound.pts = start + round(kind.sound_late * rate)
                out.mux(track.encode(sound))
            out.mux(track.encode(None))
        if words is not None:
            packet = av.Packet(subtitle_packet("Guten Tag", words.codec_context.name))
            packet.stream, packet.time_base, packet.is_keyframe = words, Fraction(1, 1000), True
            packet.pts = packet.dts = 200
            packet.duration = 500
            out.mux(packet)
    return path


def mouth(shown: np.ndarray, number: int, seconds: float) -> np.ndarray:
    """What a mouth is in these tests: a patch whose red is the second at which it speaks, in hundredths."""
    out = shown.copy()
    out[BOX] = (min(255, max(0, round(100 * seconds))), 60, 60)
    return out


def filmed(
    source: Path, output: Path, seconds: float, wanted: FilmOptions | None = None, edited=None, **options
) -> Path:
    """A film written with `mouth` in all its pictures, or in those that `edited` names."""
    sound = output.parent / f"said_{seconds}.wav"
    if not sound.exists():  # a film that goes on is made of the same files
        save_wav(sound, 0.1 * np.ones(round(16_000 * seconds), np.float32))
    wanted = wanted or FilmOptions()
    reel = Reel(source, sound, RenderOptions(**options), wanted)
    with FilmJob(output, {"inputs": [told_of(source), told_of(sound)], "options": [options, wanted]}) as job:
        count = sum(1 for _ in reel.pictures())
        drawn = np.ones(count, bool) if edited is None else np.isin(np.arange(count), edited)
        reel.write(job, drawn, mouth, None)
    return output


def frames(path: Path) -> list[tuple[float, list[np.ndarray]]]:
    """Times and planes of a film's frames."""
    found = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            planes = [np.frombuffer(memoryview(p), np.uint8).reshape(-1, p.line_size).copy() for p in frame.planes]
            found.append((float(frame.time), planes))
    return found


def packets(path: Path) -> list[tuple[float, bytes]]:
    """Times and bytes of the packets of a film's picture, as they are shown."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return sorted((float(p.pts * p.time_base), bytes(p)) for p in film.demux(stream) if p.size)


def pictures(path: Path) -> list[np.ndarray]:
    """The pictures of a film, as its tags say."""
    from speechhead.media.film import Film

    film = Film(path)
    return [as_picture_of(*plain_frame(shown.frame, film.look)) for _, _, shown in film.frames()]
