"""Sound goes in piece by piece, as from a microphone; pictures come out as soon as they are known.

python examples/stream_frames.py
"""

from PIL import Image

from speechhead import Avatar, Renderer
from speechhead.tts import synthesize

speech = synthesize("Pictures come while the sound is still going in.").samples  # float32 at 16 kHz
renderer = Renderer(Avatar.open("tomas", size=256))

pictures = []  # uint8 [H, W, 3], 25 a second
for start in range(0, len(speech), 1600):  # a tenth of a second at a time
    pictures += renderer.push(speech[start : start + 1600])
pictures += renderer.flush()
Image.fromarray(pictures[-1]).save("last_frame.png")
print(f"{len(pictures)} pictures for {len(speech) / 16000:.1f} s of sound")
