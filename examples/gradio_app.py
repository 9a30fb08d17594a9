"""A small Gradio app: a portrait or a video, and a text or a recording, become a video.

    pip install 'speechhead[gradio]'
    python examples/gradio_app.py            # http://127.0.0.1:7860

Every video is a job of `speechhead.batch` in a process of its own: the page stays quick, and what hangs is killed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr

from speechhead.batch.job import job_of
from speechhead.batch.worker import OutOfTime, Worker, WorkerDied
from speechhead.core.controls import EMOTIONS
from speechhead.core.errors import SpeechheadError
from speechhead.tts import voices

SECONDS = 1800.0
"""After which a video is given up."""

RESULTS = tempfile.TemporaryDirectory(prefix="speechhead-gradio-")
"""Videos lie here until the app ends."""


def make(
    source: str | None,
    text: str,
    audio: str | None,
    voice: str | None,
    emotion: str,
    size: float,
    form: str = "mp4",
    progress: gr.Progress = gr.Progress(),  # noqa: B008  # how Gradio asks for it
) -> str:
    """The path of the video; an error in one line where it can not be made."""
    line = {"source": source, "audio": audio, "text": None if audio else text, "voice": None if audio else voice}
    line |= {"emotion": emotion, "size": int(size), "output": f"video.{form}"}
    folder = Path(tempfile.mkdtemp(dir=RESULTS.name))
    worker = None
    try:
        job = job_of(line, 1, folder)
        worker = Worker()
        done = worker.perform(job, folder, SECONDS, lambda event: progress((event["done"], event["total"])))
    except (SpeechheadError, WorkerDied, OutOfTime) as error:
        raise gr.Error(str(error)) from None
    finally:
        if worker is not None:
            worker.kill()
    if done.error is not None:
        raise gr.Error(done.error)
    for note in done.notes:
        gr.Info(note)
    return str(folder / job.output)


def app() -> gr.Blocks:
    """The page."""
    able = [voice.name for voice in voices() if voice.available]
    with gr.Blocks(title="speechhead") as page:
        gr.Markdown("## A portrait that speaks, a video that says something else")
        with gr.Row():
            with gr.Column():
                source = gr.File(label="Picture or video (the default portrait if none)", type="filepath")
                text = gr.Textbox(label="Text", lines=3)
                audio = gr.Audio(label="or a recording", type="filepath", sources=["upload", "microphone"])
                voice = gr.Dropdown(able, value=None, label="Voice (one that suits if none)")
                emotion = gr.Dropdown(list(EMOTIONS), value="neutral", label="Emotion")
                size = gr.Slider(128, 1024, 512, step=64, label="Largest side of the face")
                form = gr.Radio(["mp4", "webm", "gif"], value="mp4", label="File")
                button = gr.Button("Make the video", variant="primary")
            video = gr.File(label="The video")
        button.click(make, [source, text, audio, voice, emotion, size, form], video, api_name="make")
    return page


if __name__ == "__main__":
    app().launch()
