// What a scene does not hold, as it can be worked out from what it holds; the same as in Python's `compact`.
import {dense} from "./dense.js";

const OVAL = 36;
const WINDOWS = ["mouth", "eyes"];

/** Makers of arrays by name, of a scene. */
export const derived = {
  background: (scene) => over(scene.array("behind"), scene.array("crop"), [0, 0]),
  person,
  lip_upper: (scene) => lip(scene, "plate_upper"),
  lip_lower: (scene) => lip(scene, "plate_lower"),
  vertices,
  places,
  ...Object.fromEntries(WINDOWS.map((name) => [`${name}_source`, (scene) => planes(scene.array(`${name}_picture`))])),
};

/** A picture whose black is the crop's part from a corner on. */
function over({shape, data}, crop, [left, top]) {
  const [height, width] = shape, out = new Float32Array(data);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const k = 3 * (y * width + x);
      if (data[k] || data[k + 1] || data[k + 2]) continue;
      const from = 3 * ((top + y) * crop.shape[1] + left + x);
      for (let c = 0; c < 3; c++) out[k + c] = crop.data[from + c];
    }
  }
  return {shape, data: out};
}

/** The person's layer, premultiplied: crop = person + (1 - alpha) background. See `matte.Layers`. */
function person(scene) {
  const crop = scene.array("crop"), alpha = scene.array("alpha").data, behind = scene.array("background").data;
  const [height, width] = crop.shape, data = new Float32Array(4 * height * width);
  for (let k = 0; k < height * width; k++) {
    for (let c = 0; c < 3; c++) data[4 * k + c] = crop.data[3 * k + c] - (1 - alpha[k]) * behind[3 * k + c];
    data[4 * k + 3] = alpha[k];
  }
  const layer = {shape: [height, width, 4], data};
  return scene.meta.density > 1 ? dense(layer) : layer;
}

/** One lip's plate. See `plate.clean_plate`. */
function lip(scene, name) {
  const {origin, density} = scene.meta.plate;
  const own = over(scene.array(name), scene.array("crop"), origin);
  if (density === 1) return own;
  const {shape, data} = dense(own);
  return {shape, data: data.map((value) => Math.min(Math.max(Math.round(value), 0), 255))};
}

function planes({shape: [height, width, channels], data}) {
  const out = new Float32Array(data.length), count = height * width;
  for (let k = 0; k < count; k++) for (let c = 0; c < channels; c++) out[c * count + k] = data[channels * k + c];
  return {shape: [channels, height, width], data: out};
}

/** Places of the mesh's vertices that move, in [-1, 1] of the crop. See `meshwarp.MeshWarp.source`. */
function vertices(scene) {
  const told = scene.meta.numbers, part = (name) => scene.array(`numbers.${name}`).data;
  const canonical = part("canonical"), front = part("front"), outwards = part("outwards"), turn = part("rotation");
  const ring = part("head_ring"), irises = part("irises"), shift = part("translation"), count = canonical.length / 3;
  const slides = [0, 1].map((k) => turn[3 * k] * turn[6] + turn[3 * k + 1] * turn[7] + turn[3 * k + 2] * turn[8]).map(Math.fround);
  const far = Math.hypot(...slides) + 1e-6;
  const solid = new Float32Array(3 * count + ring.length + irises.length);
  for (let k = 0; k < count; k++) {
    const towards = (slides[0] * outwards[2 * k] + slides[1] * outwards[2 * k + 1]) / far;
    const share = smooth(towards, -0.3, 0.3);
    for (let c = 0; c < 3; c++) solid[3 * k + c] = canonical[3 * k + c] + share * front[3 * k + c];
  }
  solid.set(ring, 3 * count);
  const first = 3 * count + ring.length, half = irises.length / 2;
  irises.forEach((value, k) => {
    solid[first + k] = solid[3 * (k < half ? 468 : 473) + (k % 3)] + value;
  });
  const data = new Float32Array(solid.length), unit = 2 / told.size;
  for (let k = 0; k < solid.length; k += 3) {
    for (let c = 0; c < 3; c++) {
      const turned = turn[3 * c] * solid[k] + turn[3 * c + 1] * solid[k + 1] + turn[3 * c + 2] * solid[k + 2];
      data[k + c] = (told.scale * turned + shift[c]) * unit - (c < 2 ? 1 : 0);
    }
  }
  return {shape: [data.length / 3, 3], data};
}

/** How places round the face move: a row of 44 each, which times what drives them is their way. See `relief.Relief`. */
function places(scene) {
  const depth = scene.array("depth"), rigid = scene.array("rigid").data, inside = scene.array("inside").data;
  const edge = scene.array("numbers.edge").data, {scale, size} = scene.meta.numbers;
  const [count] = depth.shape, cell = size / count, row = 8 + OVAL;
  const data = new Float32Array(count * count * row), near = new Float64Array(OVAL);
  for (let k = 0; k < count * count; k++) {
    const x = ((k % count) + 0.5) * cell, y = (Math.floor(k / count) + 0.5) * cell, share = rigid[k];
    [x, y, depth.data[k], 1].forEach((value, c) => {
      data[row * k + c] = share * value;
      data[row * k + 4 + c] = (1 - share) * value;
    });
    for (let n = 0; n < OVAL; n++) near[n] = Math.hypot(x - edge[4 * n], y - edge[4 * n + 1]) / scale;
    const nearest = Math.min(...near), fades = 1 - smooth(inside[k] ? 0 : nearest, 0, 0.2);
    for (let n = 0; n < OVAL; n++) near[n] = Math.exp(-(((near[n] - nearest) / 0.12) ** 2));
    const sum = near.reduce((all, one) => all + one, 0);
    for (let n = 0; n < OVAL; n++) data[row * k + 8 + n] = (fades * near[n]) / sum;
  }
  return {shape: [count * count, row], data};
}

function smooth(x, low, high) {
  const t = Math.min(Math.max((x - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}
