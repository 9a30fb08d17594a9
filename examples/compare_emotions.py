"""One sentence in four emotions, side by side at the same moment.

python examples/compare_emotions.py
"""

import numpy as np
from PIL import Image

from speechhead import Avatar, Controls, Renderer
from speechhead.tts import synthesize

speech = synthesize("I did not expect that.").samples
avatar = Avatar.open("mara", size=256)
pictures = []
for emotion in ("neutral", "happy", "surprised", "angry"):
    renderer = Renderer(avatar, Controls(emotion={emotion: 1.0}))
    frames = [*renderer.push(speech), *renderer.flush()]
    pictures.append(frames[len(frames) // 2])
Image.fromarray(np.concatenate(pictures, axis=1)).save("emotions.png")
print("emotions.png")
