"""Forms of video besides H.264: transparency for editors, pictures that move on web pages, and single frames."""

from __future__ import annotations

import contextlib
import os
import shutil
import wave
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.disk import reason
from speechhead.core.errors import MediaError
from speechhead.core.options import check_fps
from speechhead.core.outputs import begin, create, end, part_of

from .decoding import address, silence
from .h264 import H264
from .palette import Palette
from .targets import APNG, FRAMES, GIF, MOV, WEB, check_place, is_frames
from .writer import AUDIO_RATE, COMMENT, VideoWriter, Watermark

PALETTE_FRAMES = 25
"""Frames of a GIF from which its colours are chosen: a mouth opens within a second."""


@dataclass(frozen=True)
class VideoForm:
    """How a form is encoded: libav's names of container, codecs and pixels (opaque, transparent), and options."""

    container: str
    codec: str
    opaque: str
    clear: str
    sound: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    clear_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


FORMS = {
    MOV: VideoForm(
        "mov", "prores_ks", "yuv444p10le", "yuva444p10le", "pcm_s16le", {"profile": "4", "vendor": "apl0"},
        {"alpha_bits": "16"},
    ),
    WEB: VideoForm(
        "webm", "libvpx-vp9", "yuv420p", "yuva420p", "libopus",
        {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "5", "row-mt": "1"}, {"auto-alt-ref": "0"},
    ),
    GIF: VideoForm("gif", "gif", "pal8", "pal8"),
    APNG: VideoForm("apng", "apng", "rgb24", "rgba", None, {"pred": "up"}, {}, {"plays": "0"}),
}  # fmt: skip
"""By ending; mov is here for its transparency alone, ProRes 4444."""


def is_form(path: Path, alpha: bool = False) -> bool:
    """Whether a name asks for one of `FORMS` or for frames; what is none is H.264."""
    suffix = path.suffix.lower()
    return is_frames(path) or (suffix in FORMS and (alpha or suffix != MOV))


def open_writer(
    path: Path,
    size: tuple[int, int],
    fps: float,
    rate: int | None,
    watermark: str | None = None,
    alpha: bool = False,
    layout: str = "mono",
    coding: H264 | None = None,
) -> VideoWriter | FormatWriter:
    """A writer for whatever form the name asks for.

    Parameters
    ----------
    size : width and height, pixels
    rate : of the sound, None for none
    alpha : frames are RGBA, [H, W, 4]
    layout : of the sound, as libav names it
    coding : of H.264
    """
    if is_form(path, alpha):
        return FormatWriter(path, size, fps, rate, watermark, alpha, layout)
    return VideoWriter(path, *size, fps, rate, watermark, coding, layout)


class FormatWriter:
    """Writes a form of `FORMS`, or frames as PNG beside `sound.wav`; a context manager, used as `VideoWriter` is.

    Frames are uint8 [H, W, 3], or with alpha [H, W, 4], not premultiplied. A GIF has neither sound nor soft edges.

    Raises
    ------
    MediaError as `check_place`, and when writing fails.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float = FPS,
        sample_rate: int | None = SAMPLE_RATE,
        watermark: str | None = None,
        alpha: bool = False,
        layout: str = "mono",
    ) -> None:
        self.path = check_place(path, alpha)
        self.width, self.height = size
        check_fps(fps)
        self.rate = Fraction(fps).limit_denominator(1001)
        self.frames, self._alpha, self._sample_rate = 0, alpha, sample_rate
        self._mark = Watermark(watermark, *size) if watermark else None
        silence()
        place = self.path.parent if is_frames(self.path) else self.path
        # A mounted folder can not be replaced: frames are made within it, and moved up.
        self._part = part_of(place / place.name if os.path.ismount(place) else place)
        self._made: _Frames | _Film | None = None
        begin(self.abort)
        try:
            if is_frames(self.path):
                self._part.mkdir()
                self._made = _Frames(self._part, self.path.name, sample_rate, layout)
            else:
                create(self._part)
                self._made = _Film(self._part, FORMS[self.path.suffix.lower()], self, alpha, layout)
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise MediaError(f"{path}: {reason(error)}. Choose another output.") from error
            raise

    @property
    def _out(self) -> _Frames | _Film:
        assert self._made is not None
        return self._made

    @property
    def sample_rate(self) -> int | None:
        """Of the sound that is given, None for none."""
        return self._sample_rate

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append one frame."""
        wanted = (self.height, self.width, 4 if self._alpha else 3)
        if frame.shape != wanted:
            raise MediaError(f"{self.path}: frame of shape {list(frame.shape)}, not {list(wanted)}.")
        with self._told():
            self._out.video(marked(frame, self._mark) if self._mark else frame)
        self.frames += 1

    def write_audio(self, samples: NDArray[np.float32]) -> None:
        """Append sound, float32 [n] or [C, n] in [-1, 1]; silence follows it to the end of the frames."""
        if self._sample_rate is not None and samples.size:
            with self._told():
                self._out.audio(samples)

    def close(self) -> Path:
        """Finish, and move the result into its place."""
        try:
            if not self.frames:
                raise MediaError(f"{self.path}: no frames were given, nothing written.")
            with self._told():
                self._out.finish(self.frames / float(self.rate))
                if is_frames(self.path) and self._part.parent == self.path.parent:
                    for file in sorted(self._part.iterdir()):
                        os.replace(file, self.path.parent / file.name)
                elif is_frames(self.path):
                    if self.path.parent.is_dir():
                        self.path.parent.rmdir()
                    os.replace(self._part, self.path.parent)
                else:
                    os.replace(self._part, self.path)
        finally:
            self.abort()
        return self.path

    def abort(self) -> None:
        """Stop, and leave nothing behind; does nothing after `close`."""
        if self._made is not None:
            self._made.stop()
        if self._part.is_dir():
            shutil.rmtree(self._part, ignore_errors=True)
        else:
            self._part.unlink(missing_ok=True)
        end(self.abort)

    def __enter__(self) -> FormatWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    @contextlib.contextmanager
    def _told(self) -> Any:
        """What the system or libav says against writing, in one line."""
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            raise MediaError(f"{self.path}: {reason(error)}. Choose another output.") from error


class _Frames:
    """A folder of pictures, and the sound beside them."""

    def __init__(self, folder: Path, pattern: str, rate: int | None, layout: str) -> None:
        self._folder, self._pattern, self._count, self._rate = folder, pattern, 0, rate
        self._wave: Any = None
        self._channels = av.AudioLayout(layout).nb_channels
        if rate is not None:
            self._wave = wave.open(str(folder / "sound.wav"), "wb")  # noqa: SIM115  # closed by `stop`
            self._wave.setparams((self._channels, 2, rate, 0, "NONE", ""))
        self._heard = 0

    def video(self, frame: NDArray[np.uint8]) -> None:
        self._count += 1
        code = cv2.COLOR_RGBA2BGRA if frame.shape[2] == 4 else cv2.COLOR_RGB2BGR
        path = self._folder / (self._pattern % self._count)
        _, data = cv2.imencode(FRAMES, cv2.cvtColor(frame, code), [cv2.IMWRITE_PNG_COMPRESSION, 3])
        path.write_bytes(data.tobytes())

    def audio(self, samples: NDArray[np.float32]) -> None:
        planes = np.atleast_2d(samples)
        self._wave.writeframes((np.clip(planes.T, -1, 1) * 32767).astype("<i2").tobytes())
        self._heard += planes.shape[1]

    def finish(self, seconds: float) -> None:
        if self._wave is not None and self._rate is not None:
            missing = round(seconds * self._rate) - self._heard
            if missing > 0:
                self.audio(np.zeros((self._channels, missing), np.float32))

    def stop(self) -> None:
        if self._wave is not None:
            self._wave.close()


class _Film:
    """The streams of an open container."""

    def __init__(self, part: Path, form: VideoForm, writer: FormatWriter, alpha: bool, layout: str) -> None:
        self._form, self._rate, self._alpha = form, writer.rate, alpha
        self._container: Any = av.open(address(part), "w", format=form.container, options=form.container_options)
        self._container.metadata["comment"] = COMMENT
        try:
            stream: Any = self._container.add_stream(form.codec, rate=writer.rate)
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"this build of PyAV has no {form.codec}. Choose another form of video.") from error
        self._stream = stream
        stream.width, stream.height = writer.width, writer.height
        stream.pix_fmt = form.clear if alpha else form.opaque
        stream.options = {**form.options, **(form.clear_options if alpha else {})}
        context = stream.codec_context
        context.time_base = 1 / writer.rate
        if form.opaque.startswith("yuv"):
            context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
            context.color_primaries = context.color_trc = 1  # BT.709
        self._sound: Any = None
        if form.sound is not None and writer.sample_rate is not None:
            shown = layout if av.AudioLayout(layout).nb_channels <= 2 else "stereo"
            self._sound = self._container.add_stream(form.sound, rate=AUDIO_RATE, layout=shown)
        self._sound_rate, self._layout = writer.sample_rate, layout
        self._count = self._heard = 0
        self._palette: Palette | None = None
        self._early: list[NDArray[np.uint8]] = []
        self._open = True

    def video(self, frame: NDArray[np.uint8]) -> None:
        if self._form.opaque != "pal8":
            picture = av.VideoFrame.from_ndarray(frame, format="rgba" if self._alpha else "rgb24")
            if self._form.opaque.startswith("yuv"):
                picture = picture.reformat(
                    format=self._stream.pix_fmt, src_colorspace=Colorspace.DEFAULT, dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                )  # fmt: skip
            self._encode(picture)
        elif self._palette is None:
            self._early.append(frame)
            if len(self._early) == PALETTE_FRAMES:
                self._begin()
        else:
            self._encode(self._palette.picture(frame))

    def _begin(self) -> None:
        """Choose the colours, and encode the frames that waited for them."""
        if self._early:
            self._palette = Palette.of(self._early)
            for early in self._early:
                self._encode(self._palette.picture(early))
            self._early.clear()

    def _encode(self, picture: Any) -> None:
        picture.pts, picture.time_base = self._count, 1 / self._rate
        self._count += 1
        self._container.mux(self._stream.encode(picture))

    def audio(self, samples: NDArray[np.float32]) -> None:
        if self._sound is None:
            return
        planes = np.ascontiguousarray(np.atleast_2d(np.clip(samples, -1, 1)), np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self._layout)
        rate = self._sound_rate or AUDIO_RATE
        frame.sample_rate, frame.pts, frame.time_base = rate, self._heard, Fraction(1, rate)
        self._heard += planes.shape[1]
        self._container.mux(self._sound.encode(frame))

    def finish(self, seconds: float) -> None:
        self._begin()
        if self._sound is not None and self._sound_rate is not None:
            missing = round(seconds * self._sound_rate) - self._heard
            if missing > 0:
                self.audio(np.zeros((av.AudioLayout(self._layout).nb_channels, missing), np.float32))
            self._container.mux(self._sound.encode(None))
        self._container.mux(self._stream.encode(None))
        self.stop()

    def stop(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(av.FFmpegError, OSError):
                self._container.close()


def marked(frame: NDArray[np.uint8], mark: Watermark) -> NDArray[np.uint8]:
    """A frame with the watermark; where it is transparent the letters' plate is seen."""
    if frame.shape[2] == 3:
        return mark.draw(frame)
    height, width = mark.gain.shape[:2]
    out = frame.copy()
    corner = out[-height:, -width:].astype(np.float32)
    below = corner[..., 3:] / 255
    seen = 1 - (1 - below) * mark.gain
    out[-height:, -width:, :3] = ((corner[..., :3] * below * mark.gain + mark.bias) / seen).clip(0, 255).round()
    out[-height:, -width:, 3:] = (seen * 255).round()
    return out
