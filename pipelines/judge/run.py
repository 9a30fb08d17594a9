"""One clip through all methods and metrics, and the mean over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from pipelines.data import curves
from speechhead.core.arrays import Array
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import apply_pose, eye_opening, mouth_opening
from speechhead.face.open import open_tracker

from . import baselines, closeness, failures, motion, ours, picture, pucker, sheets, shifts, speaking, sync, turn_bins
from .clips import ClipEntry, FaceTrack, JudgedClip, load, track
from .mouth_inside import mouth_inside
from .opening import fidelity
from .performers import Performer, performers
from .picture import Frames

Row = dict[str, Any]

NO_GENERATOR = "none"
"""Name of the generator with which the baselines alone are evaluated."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation runs with.

    generator: name, or 'none'; size: side of its face crop in pixels, the clip's own resolution if None;
    seconds: of each clip, all if None; sheets: folder for contact sheets, none if None; threads: of each network call;
    before: folder of other weights, which are evaluated too, as `earlier`; revision: the same, folder of an unpacked
    revision, run by its own code; life_only: nothing but how close the faces that the sound moves are to real ones;
    landmarks: what finds them, in truth and in ours, 'mesh' or 'face-alignment'.
    """

    generator: str = "compact"
    size: int | None = None
    seconds: float | None = None
    sheets: Path | None = None
    threads: int = 1
    before: Path | None = None
    revision: Path | None = None
    life_only: bool = False
    landmarks: str = "mesh"


def picture_metrics(frames: Frames, clip: JudgedClip) -> Row:
    """Every metric that needs pixels alone; the mouth boxes are the truth's."""
    boxes = [picture.mouth_box(face[motion.MOUTH], *clip.frames.shape[1:3]) for face in clip.truth.landmarks]
    return {
        "l1": picture.l1(frames, clip.frames),
        "psnr": picture.psnr(frames, clip.frames),
        "ssim": picture.ssim(frames, clip.frames),
        "mouth_sharpness_ratio": picture.sharpness_ratio(frames, clip.frames, boxes),
        "flicker_ratio": picture.flicker_ratio(frames, clip.frames),
    }


def keypoint_metrics(seen: FaceTrack | None, clip: JudgedClip) -> Row:
    """AKD of the landmarks that the tracker finds in the rendered frames, px at 256, and the opening's fidelity."""
    if seen is None:
        return {"akd": None, "mouth_akd": None, "found": 0.0}
    return {
        "akd": motion.keypoint_distance(seen.landmarks, clip.truth.landmarks) * clip.unit,
        "mouth_akd": motion.keypoint_distance(seen.landmarks, clip.truth.landmarks, motion.MOUTH) * clip.unit,
        "found": seen.found,
    } | fidelity(mouth_opening(clip.truth.normalised), mouth_opening(seen.normalised))


def speech_metrics(normalised: Array, clip: JudgedClip) -> Row:
    """Every lip-sync metric of normalised landmarks [T, 70, 3] against the clip's own."""
    assert clip.audio is not None
    truth = clip.truth.normalised
    opening, true_opening = mouth_opening(normalised), mouth_opening(truth)
    lag, peak = curves.best_lag(opening, true_opening)
    return {
        "correlation": curves.correlation(opening, true_opening),
        "best_lag": lag,
        "peak_correlation": peak,
        "amplitude_ratio": sync.amplitude_ratio(opening, true_opening),
        "closure_recall": sync.closure_recall(opening, true_opening),
        "opening_recall": sync.opening_recall(opening, true_opening),
        "lmd": motion.landmark_distance(normalised, truth),
        "velocity_error": motion.velocity_error(normalised, truth),
        "silence_motion": motion.silence_motion(normalised, sync.silent_frames(clip.audio, len(clip.frames))),
    }


def life_metrics(normalised: Array, angles: Array) -> Row:
    """Blinks and head motion of landmarks [T, 70, 3] and yaw, pitch, roll [T, 3]."""
    return {
        "blinks_per_minute": motion.blinks_per_minute(eye_opening(normalised).mean(-1)),
        "head_range": motion.head_range(angles),
        "head_jerk": motion.head_jerk(angles),
    }


def lip_metrics(frames: Frames, seen: FaceTrack | None, clip: JudgedClip) -> Row:
    """What of rounded and rolled-in lips is in rendered frames: `pucker.Volume`, names beginning with `lips_`."""
    if seen is None:
        return {}
    found = asdict(pucker.volume(seen, clip.truth)) | pucker.light(frames, clip.frames, clip.truth)
    return {f"lips_{name}": value for name, value in found.items()}


class Evaluator:
    """Loads the networks once and evaluates clips."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self.tracker = open_tracker(settings.landmarks, threads=settings.threads)
        self.performers: dict[str, Performer] = {}
        if settings.generator != NO_GENERATOR:
            self.performers = performers(settings.generator, settings.before, settings.revision, settings.threads)

    def _rendered(self, clip: JudgedClip) -> dict[str, ours.Rendered]:
        size = self.settings.size or ours.native_size(clip)
        return {name: ours.Rendered(clip, one.generator(size), size) for name, one in self.performers.items()}

    def _rendered_by_us(self, clip: JudgedClip) -> ours.Rendered:
        size = self.settings.size or ours.native_size(clip)
        return ours.Rendered(clip, self.performers["ours"].generator(size), size)

    def _life(self, clip: JudgedClip, rendered: ours.Rendered) -> Row | None:
        """Measures of `closeness` of the clip's face, `real`, and of ours in its pictures, with default controls.

        Every clip is a take of its own, so that the mean is of many. None for a clip without sound, or if no face is
        found in our pictures.
        """
        if clip.audio is None:
            return None
        take = Controls(seed=crc32(clip.entry.path.name.encode()) % 1000)
        faces, poses = ours.spoken(clip, self.performers["ours"].speech, take, rendered.surroundings)
        frames = rendered.frames(faces, poses)
        seen = track(frames, self.tracker)
        if seen is None:
            return None
        speech = speaking.speech_frames(clip.audio, len(frames))
        flicker = closeness.background_flicker(frames, clip.frames, ours.background(clip))
        return {
            "real": closeness.measures(clip.truth, clip.audio, speech) | {"background_flicker": 1.0},
            "ours": closeness.measures(seen, clip.audio, speech) | {"background_flicker": flicker},
        }

    def clip(self, entry: ClipEntry) -> Row:
        """Every metric of one clip; a clip that can not be used or drawn is a row with the reason in `skipped`."""
        row: Row = {"file": entry.path.name, "identity": entry.identity}
        row |= {"language": entry.language, "notes": entry.notes}
        try:
            return row | self._judged(load(entry, self.settings.seconds, self.tracker))
        except SpeechheadError as error:
            return row | {"skipped": str(error)}

    def _judged(self, clip: JudgedClip) -> Row:
        entry = clip.entry
        row: Row = {"frames": len(clip.frames), "size": list(clip.frames.shape[1:3]), "found": clip.truth.found}
        row |= {"head_range": motion.head_range(clip.truth.angles), "turns": turn_bins.counted(clip)}
        if self.settings.life_only:
            return row | {"life": self._life(clip, self._rendered_by_us(clip))}
        rendered = self._rendered(clip)
        videos = {"copy": baselines.copy_source(clip), "warp": baselines.mesh_warp(clip)}
        videos["warp_68"] = baselines.triangulated_warp(clip)
        videos |= {name: ours.reenacted(clip, own) for name, own in rendered.items()}
        row["self_reenactment"] = {name: self._picture_row(name, frames, clip) for name, frames in videos.items()}
        row["turn_floor"] = turn_bins.floor_rows(videos["ours"], clip) if "ours" in videos else {}
        if clip.audio is not None:
            row["speech"], talking = self._speech_rows(clip, rendered)
            if "ours" in self.performers:
                row["shifts"] = shifts.validate(clip, self.performers["ours"].speech)
            videos |= talking
        if "ours" in rendered:
            row["life"] = self._life(clip, rendered["ours"])
        if self.settings.sheets is not None:
            sheets.save(self.settings.sheets / f"{entry.path.stem}.png", clip, videos)
            if "ours" in videos:
                row["worst_frame"] = failures.save(self.settings.sheets / f"{entry.path.stem}.worst.png", clip, videos)
        return row

    def _picture_row(self, name: str, frames: Frames, clip: JudgedClip) -> Row:
        if name == "copy":  # one picture: no need to look at it T times
            mesh = np.broadcast_to(clip.truth.mesh[0], clip.truth.mesh.shape)
            seen: FaceTrack | None = FaceTrack(mesh, 1.0)
        else:
            seen = track(frames, self.tracker)
        close = mouth_inside(frames, seen, clip.frames, clip.truth) | lip_metrics(frames, seen, clip)
        turned = turn_bins.by_turn(frames, None if name == "copy" else seen, clip)
        return picture_metrics(frames, clip) | keypoint_metrics(seen, clip) | close | turned

    def _speech_rows(
        self, clip: JudgedClip, rendered: dict[str, ours.Rendered]
    ) -> tuple[dict[str, Row], dict[str, Frames]]:
        """Rows of all speech-driven methods, and the frames of ours.

        `ours` is measured by the tracker on rendered frames; `ours_landmarks` and the baselines on the driving
        landmarks, so that no generator stands between them and the truth; `ours_warp_68` on the source warped by our
        landmarks with no generator. Blinks and head motion of `ours` are those of the default controls.
        """
        truth = clip.truth.normalised
        rows = {
            "still": speech_metrics(baselines.still_face(clip), clip),
            "mean_face": speech_metrics(baselines.mean_face(clip), clip),
            "energy_jaw": speech_metrics(baselines.energy_jaw(clip), clip),
            "truth": speech_metrics(truth, clip) | life_metrics(truth, clip.truth.angles),
        }
        talking = {}
        for name, own in rendered.items():
            carried, poses = ours.spoken(clip, self.performers[name].speech, ours.LIPS_ONLY, own.surroundings)
            faces, frames = carried[:, :70], own.frames(carried, poses)
            rows[f"{name}_landmarks"] = speech_metrics(faces, clip)
            alive, turned = ours.spoken(clip, self.performers[name].speech, Controls())
            life = life_metrics(alive, np.array([pose.angles for pose in turned], np.float32))
            rows[name] = self._seen_row(frames, faces, clip) | life
            if name == "ours":
                talking["ours from speech"] = frames
                warped = baselines.triangulated_warp(clip, apply_pose(faces, poses))
                rows["ours_warp_68"] = self._seen_row(warped, faces, clip)
        return rows, talking

    def _seen_row(self, frames: Frames, asked: Array, clip: JudgedClip) -> Row:
        """Lip-sync of rendered frames as the tracker sees them, and how much of the opening asked for is in them."""
        seen = track(frames, self.tracker)
        if seen is None:
            return {}
        return speech_metrics(seen.normalised, clip) | fidelity(mouth_opening(asked), mouth_opening(seen.normalised))


def mean(rows: Sequence[Row], by_person: bool = False) -> Row:
    """Mean of every number over clips, or over people (the mean of each person's clips first).

    Numbers that a clip does not have (None) are left out. `best_lag` becomes the mean of its size, and
    `lag_within_1` is the share of clips with a best lag of at most one frame.
    """
    used = [row for row in rows if "skipped" not in row]
    if by_person:
        people: dict[str, list[Row]] = {}
        for row in used:
            people.setdefault(row["identity"], []).append(row)
        used = [{task: mean(own)[task] for task in ("self_reenactment", "speech")} for own in people.values()]
    result: Row = {}
    for task in ("self_reenactment", "speech"):
        methods = sorted({name for row in used for name in row.get(task, {})})
        own = [row.get(task, {}) for row in used]
        result[task] = {name: _mean_row([row[name] for row in own if name in row]) for name in methods}
    return result


def _mean_row(rows: Sequence[Row]) -> Row:
    if any("best_lag" in row and "lag_within_1" not in row for row in rows):
        sizes = [None if row["best_lag"] is None else abs(row["best_lag"]) for row in rows]
        near = [float(size is not None and size <= 1) for size in sizes]
        rows = [row | {"best_lag": size, "lag_within_1": share} for row, size, share in zip(rows, sizes, near)]
    result: Row = {}
    for key in dict.fromkeys(key for row in rows for key in row if key != "clips"):
        values = [row[key] for row in rows if row.get(key) is not None]
        result[key] = float(np.mean(values)) if values else None
    return result | {"clips": len(rows)}
