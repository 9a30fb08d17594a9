/** What gaze and lids do to the 70 landmarks of a face, as `speechhead.motion.gaze` and `.blink` do it. */

const EYEBALL = 0.14; // outer eye distances from an eyeball's centre to its iris
const GAZE_LIMIT = [30, 25]; // degrees
const UPPER_DOWN = 0.85; // parts of the iris' way that lids follow it
const UPPER_UP = 0.55;
const LOWER = 0.3;
const MARGIN = 0.22; // parts of an eye's width that the iris keeps from its corners
const PAIRS = [[37, 41], [38, 40], [43, 47], [44, 46]]; // upper lid, lower lid
const MEETING = 0.12; // where lids meet, parts of their opening above the lower one
const BULGE = 0.012;
const IRIS_FOLLOWS = 0.15;

const held = (value, low, high) => Math.min(Math.max(value, low), high);
const radians = (degrees) => (degrees * Math.PI) / 180;

/** Turn both eyes of a face in place. @param {Float32Array} face [70 x 3] @param {number} yaw degrees @param {number} pitch degrees */
export function turnEyes(face, yaw, pitch) {
  const [across, up] = [radians(held(yaw, -GAZE_LIMIT[0], GAZE_LIMIT[0])), radians(held(pitch, -GAZE_LIMIT[1], GAZE_LIMIT[1]))];
  const right = EYEBALL * Math.sin(across) * Math.cos(up);
  const down = EYEBALL * Math.sin(up);
  const back = EYEBALL * (1 - Math.cos(across) * Math.cos(up));
  for (const [iris, one, other] of [[68, 36, 39], [69, 42, 45]]) {
    const margin = MARGIN * (face[3 * other] - face[3 * one]);
    const x = face[3 * iris];
    const [low, high] = [Math.min(x, face[3 * one] + margin), Math.max(x, face[3 * other] - margin)];
    face[3 * iris] = held(x + right, low, high);
    face[3 * iris + 1] += down;
    face[3 * iris + 2] += back;
  }
  for (const [upper, lower] of PAIRS) {
    const opening = face[3 * lower + 1] - face[3 * upper + 1];
    face[3 * upper + 1] += Math.min(down * (down > 0 ? UPPER_DOWN : UPPER_UP), 0.7 * opening);
    face[3 * lower + 1] += LOWER * down;
  }
}

/** Close the lids of a face in place. @param {Float32Array} face [70 x 3] @param {number} closure 0..1 of their opening */
export function closeEyes(face, closure) {
  if (closure <= 0) return;
  const bulge = BULGE * Math.sin(Math.PI * closure);
  for (const [upper, lower] of PAIRS) {
    const iris = upper < 42 ? 68 : 69;
    for (let axis = 0; axis < 3; axis++) {
      const opening = face[3 * lower + axis] - face[3 * upper + axis];
      face[3 * upper + axis] += closure * (1 - MEETING) * opening;
      face[3 * lower + axis] -= closure * MEETING * opening;
      if (axis < 2) face[3 * iris + axis] += 0.5 * IRIS_FOLLOWS * closure * opening;
    }
    face[3 * upper + 2] -= bulge;
  }
}
