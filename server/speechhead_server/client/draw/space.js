/** Heads in space, maps of the plane and soft steps: what all numbers of a frame are worked out with. */

import { BODY, MESH } from "./tables.js";

const DEGREES = 180 / Math.PI;
const round = Math.fround;

export const held = (value, low, high) => Math.min(Math.max(value, low), high);

/** 0 below `low`, 1 above `high` (or the reverse), with level ends. */
export function smooth(x, low, high) {
  const t = held((x - low) / (high - low), 0, 1);
  return t * t * (3 - 2 * t);
}

/** The nearest whole number, of two the even one, as Python rounds. */
export function even(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

/** Rotation of yaw, pitch and roll in degrees, by rows, in single precision. */
export function rotation(yaw, pitch, roll) {
  const [cy, cp, cr] = [yaw, pitch, roll].map((angle) => Math.cos(angle / DEGREES));
  const [sy, sp, sr] = [yaw, pitch, roll].map((angle) => Math.sin(angle / DEGREES));
  return Float32Array.of(
    cr * cy, -sr * cp - cr * sy * sp, sr * sp - cr * sy * cp,
    sr * cy, cr * cp - sr * sy * sp, -cr * sp - sr * sy * cp,
    sy, cy * sp, cy * cp,
  );
}

/** Yaw, pitch and roll in degrees of a rotation by rows. */
export function angles(r) {
  return Float32Array.of(Math.asin(held(r[6], -1, 1)) * DEGREES, Math.atan2(r[7], r[8]) * DEGREES, Math.atan2(r[3], r[0]) * DEGREES);
}

/** a b' of matrices [3 x 3] by rows. */
function across(a, b) {
  const out = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[3 * i + j] = a[3 * i] * b[3 * j] + a[3 * i + 1] * b[3 * j + 1] + a[3 * i + 2] * b[3 * j + 2];
  }
  return out;
}

/** Where a head is, as `speechhead.face.landmarks.Pose`: pixels = scale * rotation * place + translation. */
export class Head {
  /**
   * @param {ArrayLike<number>} rotation [3 x 3] by rows @param {ArrayLike<number>} translation [3], pixels
   * @param {number} scale pixels to an outer eye distance
   */
  constructor(rotation, translation, scale) {
    this.rotation = Float32Array.from(rotation);
    this.translation = Float32Array.from(translation);
    this.scale = scale;
    this.turn = Float64Array.from(this.rotation, (value) => value * scale);
  }

  /** @param {ArrayLike<number>} pose yaw, pitch, roll in degrees, x, y, z and scale in pixels */
  static of(pose) {
    const [yaw, pitch, roll, x, y, z, scale] = pose;
    return new Head(rotation(yaw, pitch, roll), [x, y, z], scale);
  }

  get angles() {
    return angles(this.rotation);
  }

  /** One number of a place in pixels; axis 0, 1 or 2. */
  pixel(axis, x, y, z) {
    const [turn, row] = [this.turn, 3 * axis];
    return round(turn[row] * x + turn[row + 1] * y + turn[row + 2] * z + this.translation[axis]);
  }

  /** Places of normalised space into pixels, three numbers each; `out` is as long as `places`. */
  pixels(places, out) {
    const [t, s] = [this.turn, this.translation];
    for (let i = 0; i < places.length; i += 3) {
      const [x, y, z] = [places[i], places[i + 1], places[i + 2]];
      out[i] = t[0] * x + t[1] * y + t[2] * z + s[0];
      out[i + 1] = t[3] * x + t[4] * y + t[5] * z + s[1];
      out[i + 2] = t[6] * x + t[7] * y + t[8] * z + s[2];
    }
    return out;
  }
}

/** How a head has turned from one to another, [3 x 3] by rows. @param {Head} source @param {Head} driving */
export function turnBetween(source, driving) {
  return across(driving.rotation, source.rotation);
}

/** How places of a portrait (x, y, z in pixels, and 1) move with its head, [4 x 2], see `relief.between`. */
export function between(source, driving, out) {
  const turn = turnBetween(source, driving);
  const ratio = driving.scale / source.scale;
  const [t, from] = [driving.translation, source.translation];
  for (let i = 0; i < 2; i++) {
    const row = [0, 1, 2].map((j) => ratio * turn[3 * i + j]);
    for (let j = 0; j < 3; j++) out[2 * j + i] = row[j] - (i === j ? 1 : 0);
    out[6 + i] = t[i] - (row[0] * from[0] + row[1] * from[1] + row[2] * from[2]);
  }
  return out;
}

const turned = (r, [x, y, z], row) => r[3 * row] * x + r[3 * row + 1] * y + r[3 * row + 2] * z;

/** Where a head would be if it moved as the body does, see `relief.followed`. */
export function followed(source, driving) {
  const turns = angles(turnBetween(source, driving)).map((angle, i) => angle * BODY.turns[i]);
  const little = rotation(...turns);
  const whole = new Float32Array(9);
  for (let i = 0; i < 9; i++) {
    const [row, column] = [3 * Math.floor(i / 3), i % 3];
    for (let k = 0; k < 3; k++) whole[i] += little[row + k] * source.rotation[3 * k + column];
  }
  const bent = source.rotation.map((value, i) => value - whole[i]);
  const place = [0, 1, 2].map((i) => {
    const neck = (head) => head.translation[i] + head.scale * turned(head.rotation, BODY.neck, i);
    return source.translation[i] + source.scale * turned(bent, BODY.waist, i) + BODY.way * (neck(driving) - neck(source));
  });
  return new Head(whole, place, source.scale);
}

/** The map [2 x 3] that best takes `count` places to others, two numbers each, see `eye_frame.affine`. */
export function fitted(known, wanted, count) {
  let [mx, my, gx, gy] = [0, 0, 0, 0];
  for (let i = 0; i < 2 * count; i += 2) {
    mx += known[i] / count;
    my += known[i + 1] / count;
    gx += wanted[i] / count;
    gy += wanted[i + 1] / count;
  }
  let [xx, xy, yy, xu, yu, xv, yv] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 2 * count; i += 2) {
    const [x, y, u, v] = [known[i] - mx, known[i + 1] - my, wanted[i] - gx, wanted[i + 1] - gy];
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xu += x * u;
    yu += y * u;
    xv += x * v;
    yv += y * v;
  }
  const scale = 1 / (xx * yy - xy * xy);
  const [a, b] = [(yy * xu - xy * yu) * scale, (xx * yu - xy * xu) * scale];
  const [c, d] = [(yy * xv - xy * yv) * scale, (xx * yv - xy * xv) * scale];
  return [a, b, gx - a * mx - b * my, c, d, gy - c * mx - d * my];
}

/** The map [2 x 3] that is `second` after `first`. */
export function after(first, second) {
  const [a, b, c, d, e, f] = first;
  const [g, h, i, j, k, l] = second;
  return [g * a + h * d, g * b + h * e, g * c + h * f + i, j * a + k * d, j * b + k * e, j * c + k * f + l];
}

/** The map [2 x 3] that takes places back. */
export function inverse([a, b, c, d, e, f]) {
  const scale = 1 / (a * e - b * d);
  const [g, h, i, j] = [e * scale, -b * scale, -d * scale, a * scale];
  return [g, h, -g * c - h * f, i, j, -i * c - j * f];
}

/** The 70 landmarks of a mesh [478 x 3], into `out` [70 x 3]. */
export function landmarks(mesh, out) {
  MESH.landmarks.forEach((vertex, i) => {
    for (let axis = 0; axis < 3; axis++) out[3 * i + axis] = mesh[3 * vertex + axis];
  });
  return out;
}

/** The mean of one axis of landmarks. */
export function mean(face, points, axis) {
  let sum = 0;
  for (const point of points) sum += face[3 * point + axis];
  return sum / points.length;
}
