"""Licences, splits and names of videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.data.footage.catalogue import allowed, is_free, list_footage, split_of


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("GRID corpus: CC BY 4.0 (Zenodo 3625687); repo MIT/Apache-2.0", True),
        ("public domain (US government)", True),
        ("CC0", True),
        ("own renders, MIT", True),
        ("VoxCeleb2 clips (VoxCeleb: CC BY 4.0 metadata, footage copyright YouTube owners); repo CC BY 4.0", False),
        ("repo CC BY-NC 4.0", False),
        ("repo MIT; VoxCeleb-like footage", False),
        ("", False),
    ],
)
def test_a_repository_s_licence_is_not_its_footage_s(licence, free):
    assert is_free(licence) is free
    assert allowed(licence, "all")


def test_phrases_choose_licences():
    assert allowed("LRS3/TED: CC BY-NC-ND 4.0", "mead, lrs3") and not allowed("repo MIT", "mead, lrs3")


def test_people_stay_on_one_side():
    people = [f"person {number}" for number in range(400)]
    held = [name for name in people if split_of(name) == "val"]
    assert 20 < len(held) < 60
    assert [name for name in people if split_of(name) == "val"] == held


def test_folders_are_people_and_a_catalogue_says_more(tmp_path: Path):
    for name in ("a.mp4", "anna/one.mov", "anna/two.MP4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "catalog.csv").write_text("file,identity,split,licence\na.mp4,Ada,val,CC0\n")
    entries = {entry.name: entry for entry in list_footage(tmp_path)}
    assert list(entries) == ["a.mp4", "anna/one.mov", "anna/two.MP4"]
    assert entries["anna/one.mov"].identity == entries["anna/two.MP4"].identity == "anna"
    assert (entries["a.mp4"].identity, entries["a.mp4"].split) == ("Ada", "val")
    assert [entry.name for entry in list_footage(tmp_path, licences="free")] == ["a.mp4"]
    assert entries["anna/one.mov"].key == "anna__one"
