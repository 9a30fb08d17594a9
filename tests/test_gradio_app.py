"""The Gradio app of examples/, asked by Gradio's own client; skipped where Gradio is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from support.fakes import speech_like
from support.paths import ROOT

from speechhead.media.sound import write_wav


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_app_makes_a_video_and_says_what_is_wrong(tmp_path):
    pytest.importorskip("gradio")
    client = pytest.importorskip("gradio_client")
    spec = importlib.util.spec_from_file_location("gradio_app", ROOT / "examples" / "gradio_app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    write_wav(tmp_path / "a.wav", [speech_like(0.2)], 16_000)
    page = module.app()
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        visitor = client.Client(address, verbose=False, download_files=str(tmp_path / "got"))
        sound = client.handle_file(str(tmp_path / "a.wav"))
        video = visitor.predict(None, "", sound, None, "neutral", 128, "gif", api_name="/make")
        assert Path(video).read_bytes()[:3] == b"GIF"
        with pytest.raises(Exception, match="nothing to say"):
            visitor.predict(None, "", None, None, "neutral", 128, "mp4", api_name="/make")
    finally:
        page.close()
        module.RESULTS.cleanup()
