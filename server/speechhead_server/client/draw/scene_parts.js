// What a scene does not hold, as it can be worked out from what it holds; the same as in Python's `compact`.
import {Around} from "./around.js";
import {dense} from "./dense.js";
import {Held} from "./held.js";
import {shades} from "./room.js";
import {smooth} from "./space.js";

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
  shades: lighting,
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
  for (let k = 0; k < data.length; k++) data[k] = Math.min(Math.max(Math.round(data[k]), 0), 255);
  return {shape, data};
}

function planes({shape: [height, width, channels], data}) {
  const out = new Float32Array(data.length), count = height * width;
  for (let k = 0; k < count; k++) for (let c = 0; c < channels; c++) out[c * count + k] = data[channels * k + c];
  return {shape: [channels, height, width], data: out};
}

/** Places of the mesh's vertices that move, in [-1, 1] of the crop. See `meshwarp.MeshWarp.source`. */
function vertices(scene) {
  const held = new Held(scene), around = new Around(held);
  const data = around.vertices(held.array("canonical"), held.head, new Float32Array(around.solid.length));
  return {shape: [data.length / 3, 3], data};
}

/** How much brighter places get as the light changes; not at all in a scene without light of its own (`room_light`). */
function lighting(scene) {
  const depth = scene.array("depth"), count = depth.shape[0] ** 2;
  const share = scene.has("lit") ? scene.array("lit").data : new Float32Array(count);
  return {shape: [count, 8], data: shades(depth, share, scene.meta.size)};
}

/** How places round the face move: a row of 44 each, which times what drives them is their way (`relief.Relief`). */
function places(scene) {
  const depth = scene.array("depth"), rigid = scene.array("rigid").data, inside = scene.array("inside").data;
  const edge = scene.array("numbers.edge").data, {scale, size} = scene.meta.numbers;
  const goes = scene.has("goes") ? scene.array("goes").data : null; // a part of the way, where the crop cuts hair
  const [count] = depth.shape, cell = size / count, row = 8 + OVAL, place = new Float64Array(4);
  const data = new Float32Array(count * count * row), near = new Float64Array(OVAL);
  for (let k = 0; k < count * count; k++) {
    const x = ((k % count) + 0.5) * cell, y = (Math.floor(k / count) + 0.5) * cell, share = rigid[k], at = row * k;
    place.set([x, y, depth.data[k], 1]);
    for (let c = 0; c < 4; c++) {
      data[at + c] = share * place[c];
      data[at + 4 + c] = (1 - share) * place[c];
    }
    let nearest = Infinity, sum = 0;
    for (let n = 0; n < OVAL; n++) {
      const across = x - edge[4 * n], down = y - edge[4 * n + 1];
      near[n] = Math.sqrt(across * across + down * down) / scale;
      nearest = Math.min(nearest, near[n]);
    }
    const fades = 1 - smooth(inside[k] ? 0 : nearest, 0, 0.2);
    if (fades > 0) {
      for (let n = 0; n < OVAL; n++) sum += near[n] = Math.exp(-(((near[n] - nearest) / 0.12) ** 2));
      for (let n = 0; n < OVAL; n++) data[at + 8 + n] = (fades * near[n]) / sum;
    }
    for (let c = 0; goes && c < row; c++) data[at + c] *= goes[k];
  }
  return {shape: [count * count, row], data};
}
