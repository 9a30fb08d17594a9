// A page that draws what `support.scene_folder` has written, and says how far it is from what torch draws.
import { graphicsUnit } from "/draw/drawers.js";
import { Gl } from "/draw/gl.js";
import { Shown } from "/draw/paint/shown.js";
import { Picture } from "/draw/picture.js";
import { Renderer } from "/draw/renderer.js";
import { openScene } from "/draw/scene.js";

const TYPES = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };
const told = await (await fetch("/drawn/scene.json")).json(), blob = await (await fetch("/drawn/scene.bin")).arrayBuffer();
const array = ({ at, type, shape }) => ({ shape, data: new TYPES[type](blob, at, shape.reduce((a, b) => a * b, 1)) });
const scene = { meta: told.meta, array: (name) => array(told.arrays[name]) };
const eyes = (rows) => [0, 1].map((side) => rows.filter((row) => row.side === side).map((row) => ({ number: numbers(row), box: row.boxes.eye }))[0] ?? null);
const numbers = (row) => (name) => array(row.numbers[name]).data;
const moments = told.moments.map(({ frame, balls, lids, torch }) => ({
  number: numbers(frame), boxes: frame.boxes, balls: eyes(balls), lids: eyes(lids),
  torch: Object.fromEntries(Object.entries(torch).map(([name, value]) => [name, array(value).data])),
}));
const size = scene.meta.size, canvas = document.querySelector("canvas");

const colours = (pixels) => Uint8Array.from({ length: 3 * size * size }, (_, k) => pixels[4 * Math.floor(k / 3) + (k % 3)]);
const mean = (a, b, step = 1) => a.reduce((sum, value, k) => sum + Math.abs(value - b[k]) * step, 0) / a.length;
function decibels(a, b) {
  const wrong = a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0) / a.length;
  return 10 * Math.log10(65025 / Math.max(wrong, 1e-6));
}

window.pictures = async () => {
  canvas.width = canvas.height = size;
  const gl = new Gl(canvas), picture = new Picture(gl, scene), found = [];
  for (const moment of moments) {
    const { number, boxes, torch } = moment, { frame } = picture, near = {};
    const keep = (name) => (near[name] = decibels(colours(gl.now(frame)), torch[name]));
    picture.flow.draw(number, frame);
    const moves = gl.now(picture.flow.flow);
    const flow = mean(Float32Array.from({ length: 2 * 128 * 128 }, (_, k) => moves[4 * (k >> 1) + (k & 1)]), torch.flow, size / 2);
    keep("person");
    picture.lips.draw(number, boxes.lips, frame);
    keep("lips");
    const inputs = await picture.begun(moment), seen = {};
    for (const name of ["mouth", "eyes"]) {
      const all = torch[name].length / 4;
      seen[`${name}_warped`] = mean(inputs[`${name}_warped`].data, torch[`${name}_seen`]);
      seen[`${name}_shapes`] = mean(inputs[`${name}_shapes`].data, torch[`${name}_seen`].subarray(3 * all));
    }
    picture.windows.draw(number, boxes, torch, inputs.mouth_shapes.data, frame);
    keep("windows");
    picture.inside.draw(number, boxes.inside, frame);
    keep("inside");
    picture.eyes.draw(moment, frame);
    picture.light(number("room"));
    near.torch = decibels(colours(gl.now(picture.frame)), torch.torch);
    const pixels = colours(gl.now(picture.frame));
    found.push({ decibels: near, flow, seen, frame: [...pixels].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
  }
  return found;
};

function canvasPixels(side) {
  const copy = new OffscreenCanvas(side, side).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  return copy.getImageData(0, 0, side, side).data;
}

window.shown = async () => {
  canvas.width = canvas.height = size;
  const gl = new Gl(canvas), picture = new Picture(gl, scene), [moment] = moments, { torch } = moment;
  const draw = async (on, whole) => {
    const inputs = await whole.begun(moment);
    whole.done(moment, torch, inputs.mouth_shapes.data);
    on.draw(whole.frame);
    return canvasPixels(canvas.width);
  };
  const plain = await draw(new Shown(gl, scene, ""), picture), marked = await draw(new Shown(gl, scene, "AI"), picture);
  const far = (pixels, where) => {
    let [sum, count] = [0, 0];
    for (let k = 0; k < size * size; k++) {
      const [x, y] = [k % size, Math.floor(k / size)];
      if (!where(x, y)) continue;
      sum += Math.abs(pixels[4 * k] - plain[4 * k]);
      count++;
    }
    return sum / count;
  };
  const found = { passes: gl.passes, marked: far(marked, (x, y) => x >= size - 10 && y >= size - 10), beside: far(marked, (x, y) => x < size / 2 || y < size / 2) };
  const around = { shape: [2 * size, 2 * size, 3], data: new Float32Array(12 * size * size).fill(50) };
  const placed = { meta: { ...scene.meta, box: [size / 2, size / 2, size] }, array: (name) => (name === "picture" ? around : scene.array(name)) };
  const within = new Shown(gl, placed, "");
  canvas.width = within.width;
  canvas.height = within.height;
  const pasted = await draw(within, picture), middle = 4 * (size * 2 * size + size), own = 4 * ((size / 2) * size + size / 2);
  found.pasted = [canvas.width, canvas.height];
  found.outside = Math.abs(pasted[0] - 50) + Math.abs(pasted[middle] - plain[own]);
  canvas.width = canvas.height = size;
  const loses = gl.gl.getExtension("WEBGL_lose_context");
  const event = (name) => new Promise((go) => canvas.addEventListener(name, (e) => (e.preventDefault(), go()), { once: true }));
  const gone = event("webglcontextlost");
  loses.loseContext();
  await gone;
  found.lost = (await picture.begun(moment)) !== null;
  await new Promise((go) => setTimeout(go, 100)); // not before the event has ended
  const back = event("webglcontextrestored");
  loses.restoreContext();
  await back;
  found.restored = true;
  const anew = new Gl(canvas);
  const again = await draw(new Shown(anew, scene, ""), new Picture(anew, scene));
  found.again = far(again, () => true);
  return found;
};

/** Networks that move nothing and paint nothing. */
const still = {
  names: [],
  async run(name, inputs) {
    this.names.push(name);
    if (name.startsWith("landmarks")) return { delta: { data: new Float32Array(3 * 478), dims: [1, 1434] } };
    const [window] = Object.keys(inputs)[0].split("_"), { data, dims } = inputs[`${window}_warped`];
    return { [window]: { data: new Float32Array((4 * data.length) / 3), dims } };
  },
  hold() {},
};

window.renderer = async (engine) => {
  const motion = await (await fetch("/drawn/motion.json")).json(), own = await openScene("/drawn/own.scene", { cache: false });
  motion.landmarks = Float32Array.from(motion.landmarks);
  const renderer = await Renderer.open({ canvas, scene: own, networks: still, mark: "", engine }), found = { events: [], chosen: graphicsUnit() ? "webgl2" : "plain" };
  for (const name of ["onlost", "onrestored"]) renderer[name] = () => found.events.push(name);
  const asked = still.names.length;
  found.still = [await renderer.still(), still.names.length - asked, [...colours(canvasPixels(size))]];
  found.newest = await Promise.all([motion, motion, motion, motion].map((one) => renderer.draw(one)));
  found.names = [...new Set(still.names)];
  const other = { landmarks: motion.landmarks, pose: motion.pose.map((value, k) => value + (k === 0 ? 4 : 0)) }, alone = [];
  for (const one of [other, motion]) alone.push(await renderer.draw(one) && [...colours(canvasPixels(size))]);
  const order = [], both = [other, motion].map((one, k) => renderer.draw(one).then(() => (order.push(k), [...colours(canvasPixels(size))])));
  found.lanes = [order, (await Promise.all(both)).map((pixels, k) => mean(pixels, alone[k]))];
  found.time = renderer.milliseconds;
  const before = canvasPixels(size);
  found.frame = [...colours(before)];
  found.live = renderer.stream(25).getVideoTracks()[0].readyState;
  if (engine === "plain") {
    const cut = renderer.draw(motion);
    renderer.close();
    return { ...found, closed: await Promise.all([cut, renderer.draw(motion)]) };
  }
  const loses = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
  const [gone, back] = ["webglcontextlost", "webglcontextrestored"].map((name) => new Promise((go) => canvas.addEventListener(name, go, { once: true })));
  loses.loseContext();
  await gone;
  found.while = await renderer.draw(motion);
  await new Promise((go) => setTimeout(go, 100));
  loses.restoreContext();
  await back;
  while (renderer.busy) await new Promise((go) => setTimeout(go, 20));
  found.after = await renderer.draw(motion);
  found.again = mean(colours(canvasPixels(size)), colours(before));
  renderer.close();
  found.closed = await renderer.draw(motion);
  return found;
};

window.ready = true;
