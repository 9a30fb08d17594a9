"""Motion: controls, blinks, gaze, head, emotions, rest face, and the stream that joins them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.talk import talk

from speechhead.core.controls import EMOTIONS, Controls, parse_emotion
from speechhead.core.errors import AudioError, ControlError, LandmarkError
from speechhead.face.landmarks import REFERENCE, Pose, apply_pose, mouth_opening
from speechhead.motion.blink import LID_PAIRS, Blinks, blink_profile, close_eyes
from speechhead.motion.compose import Motion
from speechhead.motion.emotion import PARTED, displacements
from speechhead.motion.gaze import EYEBALL, Gaze, turn_eyes
from speechhead.motion.mouth import LIPS, keep_body, lip_gaps
from speechhead.motion.pose import SEEN, turned
from speechhead.motion.rest import rest_face
from speechhead.motion.stillness import Stillness

BASE = Pose.from_angles(4.0, -3.0, 2.0, np.array([250.0, 210.0, 0.0], np.float32), 110.0)


# --- controls -------------------------------------------------------------------------------------------------------


def test_emotion_strings():
    assert parse_emotion("happy") == {"happy": 1.0}
    assert parse_emotion("Happy:0.5, surprised:0.3") == {"happy": 0.5, "surprised": 0.3}
    assert Controls(emotion="sad:0.2").emotion == {"sad": 0.2}  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["joyful", "happy:2", "happy:x", "happy:nan", "", "happy,happy:0.5", "happy:"])
def test_bad_emotions_name_the_value(text):
    with pytest.raises(ControlError) as error:
        parse_emotion(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"mouth_amplitude": 0.5},
        {"blink_rate": 121},
        {"blink_frames": 0},
        {"look_away": 21},
        {"gaze": (40, 0)},
        {"gaze": (1, 2, 3)},
        {"head": "wild"},
        {"head": []},
        {"head": [(0, 0)]},
        {"head": [(0, 0, float("nan"))]},
        {"head_amplitude": 1.6},
        {"temperament": -0.1},
        {"seed": -1},
        {"seed": 1.5},
        {"mouth_amplitude": "much"},
    ],
)
def test_controls_out_of_range(bad):
    with pytest.raises(ControlError):
        Controls(**bad)


def test_defaults_are_those_of_people_and_products():
    c = Controls()
    assert (c.blink_rate, c.blink_frames, c.look_away, c.mouth_amplitude, c.head) == (16, 10, 20, 1.4, "generated")
    assert c.head_amplitude == c.temperament == 1


# --- blinks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 6, 30, 120])
def test_blink_rate(rate):
    blinks = Blinks(3)
    closure = np.array([blinks.step(rate, 10) for _ in range(25 * 60 * 12)])
    shut = (closure == 1.0) & (np.roll(closure, 1) < 1.0)
    assert shut.sum() / 12 == pytest.approx(rate, rel=0.2, abs=0)


@pytest.mark.parametrize("length", [2, 10, 40])
def test_blink_closes_fully_whatever_its_phase_and_fast_before_slow(length):
    frames = length * 25 / 30
    for phase in np.linspace(0, 0.99, 12):
        closure = [blink_profile(phase + i, frames) for i in range(int(frames - phase) + 1)]
        assert max(closure) == 1.0
    fine = np.array([blink_profile(t, frames) for t in np.linspace(0, frames, 1000)])
    assert np.argmax(fine > 0.5) < np.argmax(fine[::-1] > 0.5)
    assert fine[0] == 0.0 and fine[-1] < 1e-3


def test_closed_lids_meet_and_nothing_but_the_eyes_moves():
    face = REFERENCE.copy()
    close_eyes(face, 1.0)
    for upper, lower in LID_PAIRS:
        assert np.abs(face[upper, :2] - face[lower, :2]).max() < 1e-5
    still = [i for i in range(68) if i not in (37, 38, 40, 41, 43, 44, 46, 47)]
    assert np.array_equal(face[still], REFERENCE[still])


# --- gaze -----------------------------------------------------------------------------------------------------------


def test_steered_gaze_arrives_and_stays():
    gaze = Gaze(1)
    track = np.array([gaze.step(20, (12.0, -6.0)) for _ in range(500)])
    assert np.abs(track[5:].mean(0) - (12, -6)).max() < 0.6
    assert np.abs(track[5:] - (12, -6)).max() < 3


def test_look_away_bounds_the_glances():
    far = []
    for limit in (0, 8, 20):
        gaze = Gaze(2)
        angles = np.hypot(*np.array([gaze.step(limit, None) for _ in range(6000)]).T)
        assert angles.max() <= max(limit, 3.0)
        far.append((angles > 4).mean())
    assert far[0] == 0.0 < far[1] < far[2] < 0.25


def test_irises_turn_on_the_eyeball_and_lids_follow():
    face = REFERENCE.copy()
    turn_eyes(face, 15.0, 0.0)
    assert face[68, 0] - REFERENCE[68, 0] == pytest.approx(EYEBALL * np.sin(np.radians(15)), rel=0.05)
    face = REFERENCE.copy()
    turn_eyes(face, 0.0, 15.0)
    assert (face[[37, 38, 43, 44], 1] > REFERENCE[[37, 38, 43, 44], 1]).all()
    assert (face[[41, 40, 47, 46], 1] > face[[37, 38, 43, 44], 1]).all()


# --- emotion and rest -----------------------------------------------------------------------------------------------


def test_emotions_move_what_their_action_units_name():
    d = dict(zip(EMOTIONS, displacements(), strict=True))
    assert not d["neutral"].any()
    assert d["happy"][[48, 54], 1].max() < -0.03 and d["happy"][54, 0] > 0.03 > -0.03 > d["happy"][48, 0]
    assert d["sad"][[48, 54], 1].min() > 0.02 and d["sad"][[21, 22], 1].max() < -0.02
    assert d["surprised"][17:27, 1].max() < -0.02 and d["surprised"][[37, 44], 1].max() < -0.01
    assert d["angry"][[21, 22], 1].min() > d["angry"][[17, 26], 1].max() + 0.05  # the inner ends of brows go lowest,
    assert d["angry"][22, 0] - d["angry"][21, 0] < -0.05  # and together
    assert d["angry"][57, 1] - d["angry"][51, 1] < -0.02  # lips are pressed thin
    assert d["afraid"][[37, 44], 1].max() < -0.02 and d["afraid"][54, 0] - d["afraid"][48, 0] > 0.08
    assert d["disgusted"][[50, 52], 1].max() < -0.02
    assert np.abs(d["happy"][:, 0][list(range(16, -1, -1))] + d["happy"][:17, 0]).max() < 5e-3  # symmetric


def test_rest_face_closes_an_open_and_smiling_mouth():
    from speechhead.motion.rest import rest_system

    mean, _, modes = rest_system()
    open_smile = mean + 0.25 * modes[0] + 0.5 * modes[1]
    rest = rest_face(open_smile.astype(np.float32))
    assert mouth_opening(rest) < 1e-6 < 0.05 < mouth_opening(open_smile)
    assert np.array_equal(rest[36:48], open_smile[36:48].astype(np.float32))
    truth = rest_face(mean)
    assert np.abs(rest - truth)[:68].mean() < 0.35 * np.abs(open_smile - truth)[:68].mean()
    assert rest[8, 1] < open_smile[8, 1] - 0.03  # the jaw went up


def test_a_smile_does_not_stay_in_the_rest_face():
    """Corners of the mouth of a smiling portrait rest where calm people have theirs; a calm mouth keeps its width."""
    from speechhead.motion.rest import rest_system

    mean, _, modes = rest_system()

    def corners(face: np.ndarray) -> tuple[float, float]:
        return float(face[54, 0] - face[48, 0]), float(face[[62, 66], 1].mean() - face[[48, 54], 1].mean())

    calm_width, calm_rise = corners(rest_face(mean))
    width, rise = corners(rest_face((mean + 0.9 * modes[1] + 0.1 * modes[0]).astype(np.float32)))
    assert abs(width - calm_width) < 0.05 and abs(rise - calm_rise) < 0.025  # one standard deviation of people
    assert abs(calm_width - corners(mean)[0]) < 0.02


# --- motion ---------------------------------------------------------------------------------------------------------

EVERYTHING = Controls(emotion={"happy": 0.6, "surprised": 0.4}, blink_rate=30, seed=7)


@pytest.mark.parametrize("sizes", [[1], [7, 1, 30], [64]])
def test_stream_equals_whole(sizes):
    speech, sound = talk()
    whole, poses = Motion(REFERENCE, BASE, EVERYTHING).step(speech, sound)
    stream, start, parts, part_poses, i = Motion(REFERENCE, BASE, EVERYTHING), 0, [], [], 0
    while start < len(speech):
        size = sizes[i % len(sizes)]
        i += 1
        faces, p = stream.step(speech[start : start + size], sound[start * 640 : (start + size) * 640])
        parts.append(faces)
        part_poses += p
        start += size
    assert np.array_equal(np.concatenate(parts), whole)
    for a, b in zip(poses, part_poses, strict=True):
        assert np.array_equal(a.rotation, b.rotation) and np.array_equal(a.translation, b.translation)


def test_seed_changes_the_motion():
    speech, sound = talk(50)
    a = Motion(REFERENCE, BASE, Controls(seed=1)).step(speech, sound)[1][-1]
    b = Motion(REFERENCE, BASE, Controls(seed=2)).step(speech, sound)[1][-1]
    assert a.angles != b.angles


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("amplitude", [1.0, 2.0])
def test_lips_that_touch_in_speech_touch_in_the_picture(emotion, amplitude):
    speech, sound = talk()
    controls = Controls(emotion={emotion: 1.0}, mouth_amplitude=amplitude)
    faces, _ = Motion(REFERENCE, BASE, controls).step(speech, sound)
    intended = np.array([lip_gaps(s).max() for s in speech])
    shown = mouth_opening(faces)
    heard = len(speech) * 2 // 3
    assert shown[:heard][intended[:heard] <= 0.0].max() < 1e-6
    assert shown[-1] == pytest.approx(PARTED[EMOTIONS.index(emotion)], abs=0.01)  # silent lips may part
    assert shown[intended > 0.05].min() > 0.03
    assert np.corrcoef(intended[:heard], shown[:heard])[0, 1] > 0.98


def test_mouth_is_still_in_silence_while_eyes_and_head_live():
    noise = np.random.default_rng(0).standard_normal((200, 70, 3)).astype(np.float32) * 0.002
    faces, poses = Motion(REFERENCE, BASE, Controls(blink_rate=30)).step(noise, np.zeros(200 * 640))
    assert np.abs(np.diff(faces[20:, 48:68], axis=0)).max() < 1e-6
    assert np.abs(np.diff(faces[:, 37], axis=0)).max() > 0.01
    angles = np.array([p.angles for p in poses])
    assert 0.2 < angles.std(0).max() < 6.0


def test_lips_go_slowly_in_a_pause_and_at_once_when_the_voice_is_back():
    """Hesitations of the network in a pause are not seen; the closure of a /p/ in running speech is."""
    wanted = np.zeros((60, 70, 3), np.float32)
    wanted[20:40:2, 65:68, 1] = 0.08  # lips that flutter between two words

    def shown(energy: list[float]) -> np.ndarray:
        still = Stillness()
        return np.array([still.step(w, e, True)[66, 1] for w, e in zip(wanted, energy, strict=True)])

    spoken, paused = shown([-25.0] * 60), shown([-25.0] * 12 + [-70.0] * 28 + [-25.0] * 20)
    assert np.array_equal(spoken, wanted[:, 66, 1])
    assert np.square(np.diff(paused[20:40])).sum() < 0.2 * np.square(np.diff(spoken[20:40])).sum()
    wanted[:] = wanted[20]
    assert shown([-25.0] * 12 + [-70.0] * 28 + [-25.0] * 20)[46] == pytest.approx(0.08, rel=0.02)
    wanted[10:13] = 0.0
    assert shown([-25.0] * 10 + [-60.0] * 3 + [-25.0] * 47)[11:13].max() < 0.01


def test_lips_keep_their_body_when_they_open():
    thin = np.zeros((70, 3), np.float32)
    thin[61:64, 1], thin[65:68, 1] = -0.04, 0.08  # inner lips alone
    faces = thin.copy()
    keep_body(faces)
    assert np.array_equal(lip_gaps(faces), lip_gaps(thin))
    assert np.allclose(faces[56:59, 1], 0.08 - LIPS.thinner * 0.12, atol=1e-5)
    assert np.allclose(faces[50:53, 1], -0.04 + LIPS.thinner * 0.12, atol=1e-5)
    assert 0.3 * faces[57, 1] < faces[8, 1] < faces[57, 1]
    whole = faces.copy()
    keep_body(whole)
    assert np.allclose(whole, faces, atol=1e-6)  # lips that are thick enough are left alone


def test_blinks_do_not_move_the_head():
    speech, sound = talk()
    with_blinks = Motion(REFERENCE, BASE, Controls(blink_rate=60)).step(speech, sound)[1]
    without = Motion(REFERENCE, BASE, Controls(blink_rate=0)).step(speech, sound)[1]
    assert all(np.array_equal(a.rotation, b.rotation) for a, b in zip(with_blinks, without, strict=True))


def test_retained_and_given_heads():
    speech, sound = talk(60)
    for pose in Motion(REFERENCE, BASE, Controls(head="retained")).step(speech, sound)[1]:
        assert np.allclose(pose.angles, BASE.angles, atol=1e-3)
        assert np.allclose(pose.translation, BASE.translation, atol=1e-2)
    wanted = [(10.0 * np.sin(i / 9), 3.0, -2.0) for i in range(60)]
    poses = Motion(REFERENCE, BASE, Controls(head=wanted, head_amplitude=1.0)).step(speech, sound)[1]
    turn, asked = (np.subtract(some, BASE.angles) for some in ([p.angles for p in poses], wanted))
    assert np.allclose(turn, asked / np.array(SEEN), atol=1e-3)


def test_generated_head_starts_at_the_portrait_and_is_smooth():
    speech, sound = talk()
    sound = np.tile(sound[: 100 * 640], 6)
    speech = np.tile(speech[:100], (6, 1, 1))
    angles = np.array([p.angles for p in Motion(REFERENCE, BASE, Controls(head_amplitude=1.0)).step(speech, sound)[1]])
    assert np.abs(angles[0] - BASE.angles).max() < 0.3
    assert 1.0 < np.ptp(angles[:, 0]) < 32
    assert np.abs(np.diff(angles, axis=0)).max() < 6.0  # degrees per frame
    assert np.abs(np.diff(angles, 2, axis=0)).max() < 4.5
    assert (np.abs(angles - BASE.angles).max(0) < (17.6, 14.6, 11.1)).all()
    for controls in (Controls(head_amplitude=0.0, idle=False), Controls(temperament=0.0, idle=False)):
        still = np.array([p.angles for p in Motion(REFERENCE, BASE, controls).step(speech, sound)[1]])
        assert np.allclose(still, BASE.angles, atol=1e-3)


def test_the_neck_stays_when_the_head_turns():
    from speechhead.motion.pose import NECK

    pose = turned(BASE, (8.0, 5.0, -4.0))
    neck = np.tile(NECK, (70, 1)).astype(np.float32)
    assert np.allclose(apply_pose(neck, pose), apply_pose(neck, BASE), atol=1e-2)


def test_controls_change_smoothly_while_running():
    speech, sound = np.zeros((200, 70, 3), np.float32), np.zeros(200 * 640, np.float32)
    calm = Controls(blink_rate=0, look_away=0, head="retained", temperament=0.0)
    motion = Motion(REFERENCE, BASE, calm)
    before, _ = motion.step(speech[:40], sound[: 40 * 640])
    motion.update(dataclasses.replace(calm, emotion={"surprised": 1.0}, head=[(16.8, 0.0, 0.0)]))
    after, poses = motion.step(speech[40:], sound[40 * 640 :])
    brows = np.concatenate([before, after])[:, 19, 1]
    assert brows[-1] < brows[0] - 0.03 and np.abs(np.diff(brows)).max() < 0.012
    yaw = np.array([p.angles[0] for p in poses])
    assert yaw[0] == pytest.approx(BASE.angles[0], abs=0.5) and yaw[-1] == pytest.approx(20.0, abs=0.2)
    assert np.abs(np.diff(yaw)).max() < 3.0


def test_interrupted_mouth_glides():
    speech, sound = talk(10)
    motion = Motion(REFERENCE, BASE, Controls(blink_rate=0))
    wide = int(mouth_opening(speech + REFERENCE).argmax()) + 1
    faces, _ = motion.step(speech[:wide], sound[: wide * 640])
    motion.reset_speech()
    after, _ = motion.step(np.zeros((12, 70, 3), np.float32), np.zeros(12 * 640))
    gaps = mouth_opening(np.concatenate([faces[-1:], after]))
    assert gaps[0] > 0.05 and gaps[-1] < 1e-6
    assert np.diff(gaps).max() < 1e-6 and np.diff(gaps).min() > -0.5 * gaps[0]


def test_wrong_input_is_refused():
    with pytest.raises(LandmarkError):
        Motion(np.zeros((68, 3)), BASE)
    with pytest.raises(LandmarkError):
        Motion(REFERENCE, BASE).step(np.zeros((3, 68, 3)), np.zeros(1920))
    with pytest.raises(AudioError):
        Motion(REFERENCE, BASE).step(np.zeros((3, 70, 3)), np.zeros(1921))


def test_controls_copy_and_replace():
    import copy

    controls = Controls(emotion={"happy": 0.5}, gaze=(3, 4), head=np.zeros((2, 3)))  # type: ignore[arg-type]
    assert copy.deepcopy(controls) == controls == dataclasses.replace(controls)
    assert dataclasses.asdict(controls)["emotion"] == {"happy": 0.5}
