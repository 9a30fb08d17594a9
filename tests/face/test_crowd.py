"""All faces of a film are followed, each under its own number."""

import numpy as np

from speechhead.face.crowd import Crowd
from speechhead.face.landmarks import MESH_REFERENCE
from speechhead.face.tracker import Face

FPS = 10.0


def face(x, y, unit=60.0):
    mesh = (MESH_REFERENCE * unit + [x, y, 0]).astype(np.float32)
    low, high = mesh[:468, :2].min(0), mesh[:468, :2].max(0)
    return Face(mesh, 1.0, np.concatenate([low, high]))


class Tracker:
    """Knows where everybody is in every picture: `places` by picture number, which its first pixel tells."""

    def __init__(self, places):
        self.places, self.looks = places, 0

    def faces(self, image, zoom=True):
        self.looks += 1
        return [face(*place) for place in self.places[image[0, 0, 0]]]

    def follow(self, image, roi):
        near = [place for place in self.places[image[0, 0, 0]] if abs(place[0] - roi.x) < 40]
        return face(*near[0]) if near else None


def pictures(count, cut=None):
    for number in range(count):
        picture = np.full((90, 160, 3), 30 if cut is None or number < cut else 200, np.uint8)
        picture[0, 0, 0] = number
        yield picture


def numbers(places, cut=None):
    crowd = Crowd(Tracker(places), FPS)
    return [sorted(glance.faces) for _, glance in crowd.watch(pictures(len(places), cut))]


def test_two_people_of_whom_one_comes_later_and_one_leaves():
    left, right = (100 + 0.0, 100), (400, 100)
    seen = numbers([[left]] * 6 + [[left, right]] * 8 + [[right]] * 4)
    assert seen[:6] == [[0]] * 6
    assert seen[10:14] == [[0, 1]] * 4  # found at the next look
    assert seen[14:] == [[1]] * 4


def test_after_a_cut_everybody_is_new():
    seen = numbers([[(100, 100)]] * 10, cut=5)
    assert seen == [[0]] * 5 + [[1]] * 5


def test_one_face_is_followed_once():
    assert numbers([[(100, 100), (112, 100)]] * 3) == [[0]] * 3
    assert numbers([[(100, 100, 10.0)]] * 2) == [[]] * 2  # too small to be of use
