"""The window networks with convolutions of bytes.

    python -m pipelines.make.window_bytes SRC DST --portraits DIR --sounds DIR

What their layers hold is measured while portraits speak (docs/decisions/0041-windows-in-bytes.md). The first layer and
the last stay as they are, and so does what the numbers of motion are multiplied with.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import onnxruntime
import typer
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import SpeechheadError
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.windows import WINDOWS, painter_file
from speechhead.render.stream import Renderer

from .pack import pack

Feeds = dict[str, NDArray[np.float32]]

WHOLE = ("first", "last")
"""Layers that keep float32: they read and write colours."""

INSIDE, CUT = ("/up0/", "/after0/"), 0.3
"""Layers of the mouth at full resolution, and the percentile at either end beyond which their values are cut: between
the lips, where nothing of them is shown, they are thirty times as large as on them."""

SIZE, SECONDS, EVERY = 384, 3.2, 8
"""Pixels of the pictures that are measured, how long each portrait speaks, and of how many frames one is taken."""


class Listener:
    """A session that keeps what it is given, of some of its calls."""

    def __init__(self, session: Any, every: int = EVERY) -> None:
        self.session, self.every, self.calls = session, every, 0
        self.heard: list[Feeds] = []

    def run(self, names: Sequence[str] | None, feeds: Feeds) -> list[Any]:
        """As the session does."""
        if self.calls % self.every == 0:
            self.heard.append({name: np.array(value) for name, value in feeds.items()})
        self.calls += 1
        found: list[Any] = self.session.run(names, feeds)
        return found


def heard(portraits: Sequence[Path], sounds: Sequence[Path]) -> dict[str, list[Feeds]]:
    """What the networks are given while portraits speak, by window; what is no portrait is left out."""
    generator = CompactGenerator.load(SIZE, threads=1)
    listeners = {name: Listener(session) for name, session in generator.painters.items()}
    generator.painters = listeners
    for number, portrait in enumerate(portraits):
        try:
            avatar = Avatar.from_image(portrait, size=SIZE)
            sound = load_audio(sounds[number % len(sounds)])[: int(16000 * SECONDS)]
        except SpeechheadError as error:
            print(f"left out: {error}")
            continue
        renderer = Renderer(avatar, generator=generator, paste=False)
        frames = sum(1 for _ in renderer.push(sound)) + sum(1 for _ in renderer.flush())
        print(f"{portrait}: {frames} frames", flush=True)
    return {name: listener.heard for name, listener in listeners.items()}


class Reader:
    """Feeds, one after the other, as onnxruntime's tool reads them."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> Feeds | None:
        """The next one, None after the last."""
        return next(self.feeds, None)


def bytes_of(src: Path, dst: Path, feeds: Sequence[Feeds], inside: bool) -> None:
    """Rewrite `pipelines.train.compact.export`'s painter as `dst`.

    feeds : what it is given, for the range of every layer; inside : whether it paints a mouth
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.onnx")
        options = onnxruntime.SessionOptions()  # folds stored weights back to float32
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(str(src), options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(plain))
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        kept = [node.name for node in convolutions if any(part in node.name for part in WHOLE)]
        narrow = [node for node in convolutions if inside and any(part in node.name for part in INSIDE)]
        ranges = dict(_ranges(model, [one for node in narrow for one in (node.input[0], node.output[0])], feeds))
        quantize_static(
            plain,
            dst,
            Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,  # of values with a sign, layers that are read twice multiply floats
            reduce_range=True,  # of seven bits: pairs of products fit into sixteen on any CPU, and in WebAssembly
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"TensorQuantOverrides": ranges},
        )
    bare(dst)
    pack(dst, dst, "float16")


def bare(path: Path) -> None:
    """Store all arrays of a file as their bytes, which is how `speechhead` reads them where it has no onnx."""
    model = onnx.load(str(path))
    arrays = [
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(one), one.name) for one in model.graph.initializer
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(arrays)
    onnx.save(model, str(path))


def _ranges(
    model: onnx.ModelProto, names: Sequence[str], feeds: Sequence[Feeds]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Where the values of some tensors lie, without `CUT` at either end, as onnxruntime's tool takes it."""
    names = list(dict.fromkeys(names))
    if not names:
        return
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for one in feeds:
        for name, values in zip(names, session.run(names, one)):
            found[name].append(values.ravel()[::3])
    for name, parts in found.items():
        low, high = np.percentile(np.concatenate(parts), [CUT, 100 - CUT]).astype(np.float32)
        bounds = {"rmin": np.minimum(low, np.float32(0)), "rmax": np.maximum(high, np.float32(0))}
        yield name, [{"quant_type": QuantType.QUInt8, **bounds}]


def main(
    src: Annotated[Path, typer.Argument(help="Folder of pipelines.train.compact.export.")],
    dst: Annotated[Path, typer.Argument(help="Folder for compact_mouth.onnx and compact_eyes.onnx.")],
    portraits: Annotated[Path, typer.Option(help="A folder of portraits, or a file that lists them.")],
    sounds: Annotated[Path, typer.Option(help="A folder of recordings or clips with speech.")],
) -> None:
    """Make the window networks cheaper."""
    listed = sorted(portraits.iterdir()) if portraits.is_dir() else [Path(one) for one in portraits.read_text().split()]
    feeds = heard(listed, sorted(path for path in sounds.iterdir() if path.is_file()))
    for name in WINDOWS:
        bytes_of(src / painter_file(name), dst / painter_file(name), feeds[name], name == "mouth")
        print(dst / painter_file(name))


app = command(main)


if __name__ == "__main__":
    app()
