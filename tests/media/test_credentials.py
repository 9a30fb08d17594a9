"""Videos that are signed: what a reader of C2PA finds in them, and what can not sign."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from speechhead.core.errors import MediaError
from speechhead.core.options import RenderOptions
from speechhead.media.credentials import FileSigner, check_signed, signing
from speechhead.media.formats import open_writer

c2pa = pytest.importorskip("c2pa")
certificates = pytest.importorskip("support.certificates")

SIDE, FRAMES = 64, 6


def film(path):
    with open_writer(Path(path), (SIDE, SIDE), 25, None) as writer:
        for number in range(FRAMES):
            writer.write(np.full((SIDE, SIDE, 3), 30 * number, np.uint8))
    return path


def read(path):
    """The claim of a file, and what is wrong with it besides an authority that nobody knows."""
    with c2pa.Reader(str(path)) as reader:
        told = json.loads(reader.json())
    claim = told["manifests"][told["active_manifest"]]
    wrong = [fault["code"] for fault in told.get("validation_status", [])]
    actions = next(each["data"]["actions"] for each in claim["assertions"] if each["label"].startswith("c2pa.actions"))
    return claim, actions, [code for code in wrong if code != "signingCredential.untrusted"]


def pictures(path):
    with av.open(str(path)) as opened:
        return sum(1 for _ in opened.decode(video=0))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".gif"])
def test_a_signed_video_plays_and_says_what_made_it(tmp_path, ending, kind):
    path = tmp_path / f"film{ending}"
    with signing(certificates.signer(tmp_path, kind), path):
        film(path)
    _, (action,), wrong = read(path)
    assert action["action"] == "c2pa.created" and action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert wrong == [] and pictures(path) == FRAMES
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_video_that_is_changed_says_so(tmp_path):
    path = film(tmp_path / "film.mp4")
    FileSigner(*certificates.signer(tmp_path)).sign(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"mdat") + 40
    data[place] ^= 1
    path.write_bytes(data)
    assert "assertion.bmffHash.mismatch" in read(path)[2]


def test_a_film_with_new_words_names_the_film_it_was(tmp_path):
    pair = certificates.signer(tmp_path)
    before, after = film(tmp_path / "before.mp4"), tmp_path / "after.mp4"
    FileSigner(*pair).sign(before)
    with signing(pair, after, before):
        film(after)
    claim, actions, wrong = read(after)
    assert [each["action"] for each in actions] == ["c2pa.opened", "c2pa.edited"] and wrong == []
    assert claim["ingredients"][0]["relationship"] == "parentOf" and claim["ingredients"][0]["active_manifest"]
    with signing(pair, after, tmp_path / "source.upload"):  # of a kind that nobody knows: nothing is claimed of it
        film(after)
    assert read(after)[1][0]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


def test_what_can_not_sign_is_said_before_anything_is_made(tmp_path):
    chain, key = certificates.signer(tmp_path)
    other = certificates.signer(tmp_path, "rsa")[1]
    old = tmp_path / "old"
    old.mkdir()
    (tmp_path / "text.pem").write_text("nothing")
    for pair, words in (
        ((chain, str(tmp_path / "none.key")), "no such file"),
        ((str(tmp_path / "text.pem"), key), "no PEM"),
        ((chain, chain), "no private key"),
        ((chain, other), "can not sign"),
        (certificates.signer(old, days=-1), "can not sign"),
    ):
        with pytest.raises(MediaError, match=words) as refused, signing(pair, tmp_path / "film.mp4"):
            raise AssertionError("began to make it")
        assert "\n" not in str(refused.value)
    with pytest.raises(MediaError, match="holds no C2PA signature"), signing((chain, key), Path("film.webm")):
        raise AssertionError("began to make it")


def test_a_video_that_fails_is_not_signed(tmp_path):
    path = film(tmp_path / "film.mp4")
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), signing(certificates.signer(tmp_path), path):
        raise ZeroDivisionError
    assert path.read_bytes() == before


def test_options_take_two_files():
    assert RenderOptions(c2pa="a.pem, b.key").c2pa == RenderOptions(c2pa=[Path("a.pem"), "b.key"]).c2pa
    for wrong in ("a.pem", ("a.pem",), 5, ("a", 5)):
        with pytest.raises(MediaError, match="Give two files"):
            RenderOptions(c2pa=wrong)
    check_signed(Path("film.M4V"))
