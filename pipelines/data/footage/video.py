"""One video from its pictures to its samples, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.audio.features import LogMel
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import from_mesh
from speechhead.media.reader import VideoReader

from .catalogue import FootageEntry, is_free
from .files import new_folder, write_text
from .landmarks import landmark_arrays
from .report import KEPT, row
from .segments import FootageSegment, Segmenter
from .settings import FootageSettings
from .shards import MELS, PartWriter
from .sound import FootageAudio
from .sync import LAGS, Predictor, Relation, belongs, energy, from_speech, gap, neutral_face, offset_of, relate
from .watch import Watcher


@dataclass
class _Heard:
    """The sound round a sample: int16 [640 (T + 2 LAGS)], and how the lips relate to it."""

    samples: NDArray[np.int16]
    relation: Relation
    plain: Relation


def process(entry: FootageEntry, output: Path, settings: FootageSettings, predictor: Predictor = from_speech) -> Path:
    """Make the samples of a video: the folder `parts/KEY` of the output, which appears when it is complete.

    A video that can not be read gives no samples but a line in the report.
    """
    cv2.setNumThreads(1)
    part = output / "parts" / entry.key
    if (part / "part.json").is_file():
        return part
    with new_folder(part) as folder:
        writer = PartWriter(folder, settings.size)
        try:
            rows, samples = _Video(entry, settings, writer, predictor).samples()
        except (SpeechheadError, av.FFmpegError, cv2.error) as error:
            message = " ".join(str(error).replace(f"{entry.path}: ", "").replace(str(entry.path), entry.name).split())
            rows, samples = [row(entry.name, "unreadable", note=message)], []
        finally:
            writer.close()
        about = {"bytes": entry.path.stat().st_size, "rows": rows, "samples": samples}
        write_text(folder / "part.json", json.dumps(about))
    return part


class _Video:
    """The pictures are read twice, the second time a segment behind: what is cropped is known only at its end."""

    def __init__(
        self, entry: FootageEntry, settings: FootageSettings, writer: PartWriter, predictor: Predictor
    ) -> None:
        self.entry, self.settings, self.writer = entry, settings, writer
        self.reader = VideoReader(entry.path, fps=FPS)
        self.track = FootageAudio(entry.path)
        self.predictor = predictor
        self.behind, self.passed = self.reader.frames(), 0
        self.rows: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.heard: list[_Heard] = []

    def samples(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of the report, and what the index says about every sample."""
        watcher = Watcher(self.settings)
        segmenter = Segmenter(self.settings, self.reader.width, self.reader.height)
        for index, picture in enumerate(self.reader.frames()):
            for segment in segmenter.push(watcher.look(index, picture)):
                self._take(segment)
        for segment in segmenter.flush():
            self._take(segment)
        self._write_sound()
        self.track.close()
        if not self.track.exists:
            self.rows.append(row(self.entry.name, "no sound", note="no sound track: pictures only"))
        return self.rows, self.kept

    def _take(self, segment: FootageSegment) -> None:
        start, stop = segment.start, segment.stop
        if segment.reason or segment.mesh is None or segment.crop is None or segment.quality is None:
            self.rows.append(row(self.entry.name, segment.reason, start, stop, segment.value))
            return
        size, crop = self.settings.size, segment.crop
        for picture in self._pictures(start, stop):
            self.writer.append(frames=crop.cut(picture, size)[None])
        # Points count from the centre of the first pixel, before and after resizing.
        corner = np.array([crop.x - crop.side / 2, crop.y - crop.side / 2, 0], np.float32)
        mesh = (segment.mesh - corner) * np.float32(size / crop.side) - np.array([0.5, 0.5, 0], np.float32)
        values = landmark_arrays(mesh)
        self.writer.append(**values)
        name = f"{self.entry.key}_{start:06d}"
        about = {
            "id": name,
            "video": self.entry.name,
            "from": start / FPS,
            "frames": stop - start,
            "seconds": (stop - start) / FPS,
            "identity": self.entry.identity,
            "split": self.entry.split,
            "language": self.entry.language,
            "licence": self.entry.licence,
            "free": is_free(self.entry.licence),
            "source": self.entry.source,
            "sound": False,
            "lag": 0,
            "r": 0.0,
            "crop": [round(crop.x, 2), round(crop.y, 2), crop.side],
            "quality": {key: round(value, 4) for key, value in segment.quality.items()},
        }
        self.kept.append(about)
        self.rows.append(row(self.entry.name, KEPT, start, stop) | {"sample": name, "sound": "none"})
        if self.track.exists:
            self._listen(start, stop, values["normalised"])

    def _pictures(self, start: int, stop: int) -> Iterator[NDArray[np.uint8]]:
        """Pictures [start, stop); segments come in their order."""
        while self.passed < stop:
            picture = next(self.behind)
            self.passed += 1
            if self.passed > start:
                yield picture

    def _listen(self, start: int, stop: int, normalised: Array) -> None:
        sound, there = self.track.between((start - LAGS) * SAMPLES_PER_FRAME, (stop + LAGS) * SAMPLES_PER_FRAME)
        neutral, opening = neutral_face(normalised), gap(from_mesh(normalised))
        relations = [relate(opening, sound, there, neutral, one) for one in (self.predictor, energy)]
        self.heard.append(_Heard(np.round(sound * 32767).astype(np.int16), *relations))

    def _write_sound(self) -> None:
        """Sound and features of every sample, the offset undone; silence where lips and sound have no relation."""
        mel, lines = LogMel(MELS), [line for line in self.rows if line["verdict"] == KEPT]
        offset = offset_of([heard.relation for heard in self.heard]) if self.heard else None
        lag = offset or 0
        for about, line, heard in zip(self.kept, lines, self.heard):
            related = offset is not None and belongs(heard.relation, lag)
            shown = lag if related else heard.relation.lag
            about |= {"sound": related, "lag": lag if related else 0, "r": round(heard.relation.at(shown), 3)}
            line |= {"sound": "in step" if related else "unrelated", "lag": shown}
            line |= {"r": round(heard.relation.at(shown), 3), "r_energy": round(heard.plain.at(shown), 3)}
            first = (LAGS - lag) * SAMPLES_PER_FRAME
            samples = heard.samples[first : first + about["frames"] * SAMPLES_PER_FRAME]
            self._append_sound(samples if related else np.zeros_like(samples), mel)
        for about in self.kept[len(self.heard) :]:
            self._append_sound(np.zeros(about["frames"] * SAMPLES_PER_FRAME, np.int16), mel)

    def _append_sound(self, samples: NDArray[np.int16], mel: LogMel) -> None:
        features = mel.whole(samples.astype(np.float32) / np.float32(32767))
        self.writer.append(sound=samples.reshape(-1, SAMPLES_PER_FRAME), features=features.reshape(-1, 4, MELS))
