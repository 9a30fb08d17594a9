"""Speech2Landmarks at run time, with a tiny random network made here: streaming, shapes, errors."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from speechhead.core.clocks import frames_in
from speechhead.core.errors import AudioError, ControlError, LandmarkError, WeightsError
from speechhead.speech.encoders import MfccEncoder, WindowConfig, WindowStream
from speechhead.speech.model import Speech2Landmarks, emotion_vector
from speechhead.speech.open import open_encoder

WINDOW = WindowConfig()
FRAMES = WINDOW.block + WINDOW.ahead
WIDTH = 4


def written(channels: int) -> dict:
    """The JSON beside a network."""
    window, smooth = asdict(WINDOW), [0.2, 0.5, 0.3]
    return {"encoder": "mfcc", "window": window, "channels": channels, "width": WIDTH, "smooth": smooth}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Speech2Landmarks:
    """A leaky integrator of MFCCs with the interface of the real network."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    channels, frames = 52, FRAMES
    arrays = {
        "flat": np.array([1, -1], np.int64),
        "inward": (rng.standard_normal((frames * channels, WIDTH)) * 0.01).astype(np.float32),
        "outward": rng.standard_normal((WIDTH, WINDOW.block * 210)).astype(np.float32),
        "half": np.array(0.5, np.float32),
        "state_shape": np.array([1, 1, WIDTH], np.int64),
        "motion_shape": np.array([WINDOW.block, 70, 3], np.int64),
        "emotion_weights": rng.standard_normal((7, WIDTH)).astype(np.float32),
        "axes": np.array([0, 1, 2], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Reshape", ["features", "flat"], ["row"]),
        node("MatMul", ["row", "inward"], ["drive"]),
        node("MatMul", ["emotion", "emotion_weights"], ["mood"]),
        node("Mul", ["state", "half"], ["old"]),
        node("Add", ["old", "drive"], ["sum"]),
        node("Add", ["sum", "mood"], ["moved"]),
        node("ReduceMean", ["neutral"], ["level"], keepdims=0),
        node("Mul", ["level", "half"], ["small"]),
        node("Add", ["moved", "small"], ["next"]),
        node("Reshape", ["next", "state_shape"], ["next_state"]),
        node("Reshape", ["next", "flat"], ["latent"]),
        node("MatMul", ["latent", "outward"], ["points"]),
        node("Reshape", ["points", "motion_shape"], ["motion"]),
    ]
    shapes = {"features": [1, frames, channels], "emotion": [1, 7], "neutral": [1, 70, 3], "state": [1, 1, WIDTH]}
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value(name, shape) for name, shape in shapes.items()],
        [value("motion", [WINDOW.block, 70, 3]), value("next_state", [1, 1, WIDTH])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    path = folder / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    path.with_suffix(".json").write_text(json.dumps(written(channels)))
    return Speech2Landmarks.load(path)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal(37_123)).astype(np.float32)


@pytest.mark.parametrize("chunk", [320, 1000, 16_000, 32_000])
def test_streaming_equals_whole(model: Speech2Landmarks, sound: np.ndarray, chunk: int) -> None:
    neutral = np.full((70, 3), 0.3, np.float32)
    emotion = {"happy": 0.7}
    whole = model.whole(sound, emotion, neutral)
    stream = model.stream(neutral, emotion)
    for _ in range(2):  # after flush the stream starts anew
        parts = [stream.push(sound[i : i + chunk]) for i in range(0, len(sound), chunk)]
        assert np.array_equal(np.concatenate([*parts, stream.flush()]), whole)


@pytest.mark.parametrize("chunk", [320, 1000, 32_000])
def test_an_emotion_changes_at_its_sample_for_any_chunks(
    model: Speech2Landmarks, sound: np.ndarray, chunk: int
) -> None:
    happy, sad = {"happy": 0.7}, {"sad": 0.5}
    stream, at = model.stream(emotion=happy), 16_000
    stream.feel(sad, at)
    parts = [stream.push(sound[i : i + chunk]) for i in range(0, len(sound), chunk)]
    moved = np.concatenate([*parts, stream.flush()])
    before, after = model.whole(sound, happy), model.whole(sound, sad)
    assert np.array_equal(moved[: at // 640 - 2], before[: at // 640 - 2])
    np.testing.assert_allclose(moved[-10:], after[-10:], atol=1e-2)
    assert np.array_equal(np.concatenate([stream.push(sound), stream.flush()]), after)  # it stays


def test_lookahead_is_bounded(model: Speech2Landmarks, sound: np.ndarray) -> None:
    assert model.config.lookahead <= 0.2
    stream, frames = model.stream(), 0
    for pushed in range(640, 32_000, 640):
        frames += len(stream.push(sound[pushed - 640 : pushed]))
        assert frames >= pushed / 640 - 0.2 * 25


@pytest.mark.parametrize("samples", [1, 639, 641, 1920, 12_800])
def test_one_motion_frame_per_video_frame(model: Speech2Landmarks, samples: int) -> None:
    motion = model.whole(np.zeros(samples, np.float32))
    assert motion.shape == (frames_in(samples), 70, 3) and np.isfinite(motion).all()


def test_errors_name_value_and_remedy(model: Speech2Landmarks, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="0 samples"):
        model.whole(np.zeros(0, np.float32))
    with pytest.raises(ControlError, match="'glad' is unknown"):
        model.stream(emotion={"glad": 1.0})
    with pytest.raises(ControlError, match="1.5"):
        model.stream(emotion={"sad": 1.5})
    with pytest.raises(LandmarkError, match="68, 3"):
        model.stream(np.zeros((68, 3), np.float32))
    with pytest.raises(WeightsError, match="missing.onnx|missing.json"):
        Speech2Landmarks.load(tmp_path / "missing.onnx")
    with pytest.raises(WeightsError, match="channels"):
        Speech2Landmarks(model_path(model, tmp_path), MfccEncoder(WINDOW, n=20))
    with pytest.raises(WeightsError, match="'bert' is unknown"):
        open_encoder("bert")


def model_path(model: Speech2Landmarks, folder: Path) -> Path:
    """A config without a network: the encoder is checked first."""
    config = {
        **written(model.config.channels),
    }
    (folder / "other.json").write_text(json.dumps(config))
    return folder / "other.onnx"


def test_neutral_is_the_absence_of_emotion() -> None:
    assert np.array_equal(emotion_vector({"neutral": 1.0}), emotion_vector(None))
    assert emotion_vector({"happy": 0.5, "sad": 0.25}).sum() == 0.75


def test_mfcc_windows_cover_every_frame(sound: np.ndarray) -> None:
    stream = WindowStream(MfccEncoder())
    blocks = [*stream.push(sound), *stream.flush()]
    assert len(blocks) == -(-frames_in(len(sound)) // WINDOW.block)
    assert {block.shape for block in blocks} == {(FRAMES, 52)}
