"""A shipped portrait says a sentence, with an emotion: the shortest program there is.

python examples/say_hello.py
"""

from speechhead import Controls, RenderOptions
from speechhead.api import say

video = say(
    "Good news! It works.",
    "hello.mp4",
    portrait="mara",
    options=RenderOptions(size=256),
    controls=Controls(emotion={"happy": 0.6}),
)
print(video)
