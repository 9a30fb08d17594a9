"""Sound goes in piece by piece, as from a microphone; pictures come out as soon as they are known.

python examples/stream_frames.py
"""

import numpy as np
from PIL import Image

from speechhead import Avatar, Renderer
from speechhead.tts import synthesize

speech = synthesize("Pictures come while the sound is still going in.").samples  # float32 at 16 kHz
renderer = Renderer(Avatar.open("tomas", size=256))

count = 0
for start in range(0, len(speech), 1600):  # a tenth of a second at a time
    for frame in renderer.push(speech[start : start + 1600]):  # uint8 [H, W, 3], 25 a second
        count += 1
for frame in renderer.flush():
    count += 1
Image.fromarray(np.asarray(frame)).save("last_frame.png")
print(f"{count} pictures for {len(speech) / 16000:.1f} s of sound")
