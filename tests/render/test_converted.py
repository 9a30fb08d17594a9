"""Films with new words as frames, from frames, and as a patch to lay over the film."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.fakes import FakeSpeech, speech_like
from support.films import takes

from speechhead import api
from speechhead.core.errors import SpeechheadError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import RenderOptions
from speechhead.core.results import ResultOptions
from speechhead.media.sound import write_wav
from speechhead.render.converted import PatchFile
from speechhead.render.patch import Patch


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    """Frames of a film, and a recording."""
    folder = tmp_path_factory.mktemp("shot")
    (folder / "in").mkdir()
    for number, picture in enumerate(takes(8)):
        cv2.imwrite(str(folder / "in" / f"{number + 1:03}.png"), picture[..., ::-1])
    write_wav(folder / "a.wav", [speech_like(0.32)], 16_000)
    return folder


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(int)


def test_frames_become_frames_and_their_new_mouth_a_patch(shot):
    options = RenderOptions(speech2landmarks=FakeSpeech())
    source, audio = shot / "in" / "%03d.png", shot / "a.wav"
    api.render(str(source), audio, shot / "out" / "%03d.png", options)
    patch = ResultOptions(alpha=True)
    api.render(str(source), audio, shot / "patch" / "%03d.png", options, results=patch)
    names = sorted(path.name for path in (shot / "out").glob("*.png"))
    assert names == [f"{number:03}.png" for number in range(1, 9)] and (shot / "out" / "sound.wav").is_file()
    before, after, mouth = (read(shot / folder / "004.png") for folder in ("in", "out", "patch"))
    share = mouth[..., 3:] / 255
    assert 0.002 < (share > 0).mean() < 0.3, "the mouth and its surroundings"
    assert np.abs(after - before)[share[..., 0] == 0].max() <= 2, "nothing else has changed"
    assert np.abs(after - before).max() > 20
    assert np.abs(after - (mouth[..., :3] * share + before * (1 - share))).mean() < 1


def test_what_films_do_not_have_is_refused(shot):
    source, audio = str(shot / "in" / "%03d.png"), shot / "a.wav"
    for given, said in (
        ({"results": ResultOptions(background="red")}, "--background is for portraits"),
        ({"film": FilmOptions(crf=20)}, "codec and crf are for"),
        ({"options": RenderOptions(crop=True)}, "crop is for pictures"),
    ):
        with pytest.raises(SpeechheadError, match=said):
            api.render(source, audio, shot / "a.gif", **given)
    with pytest.raises(SpeechheadError, match="there are no such frames"):
        api.render(str(shot / "in" / "x%d.png"), audio, shot / "a.mp4")


def test_patches_are_found_by_their_time(tmp_path):
    with PatchFile(tmp_path / "patches", 2.0) as patches:
        patches.keep(0.04, [Patch(-1, 2, np.zeros((2, 3, 3), np.uint8), np.ones((2, 3), np.float32))])
        patches.keep(0.0, [])
        assert patches.at(2.041, 0.02, (6, 6)).sum() == 255 * 4 and patches.at(2.0, 0.02, (6, 6)).sum() == 0
        assert patches.at(2.08, 0.02, (6, 6)).sum() == 0 and patches.at(0.04, 0.02, (6, 6)).sum() == 0
