"""The people of a video are listed, with a picture of each."""

from support.films import face, scene
from typer.testing import CliRunner

from speechhead.cli.main import app
from speechhead.media.writer import VideoWriter


def test_people_are_listed(tmp_path):
    film = tmp_path / "film.mp4"
    with VideoWriter(film, 512, 320, 10, None) as writer:
        for number in range(6):
            writer.write(scene([(face(64), 2 * number, 20), (face(48), 320, 60)]))
    result = CliRunner().invoke(app, ["faces", str(film), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    first, second = (next(line for line in lines if line[:1] == [number]) for number in "12")
    assert first[1:5] == ["0.6", "s", "0.6", "s"] and float(first[5]) > float(second[5])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["face_1.jpg", "face_2.jpg"]
