// A scene: all that is drawn from, of one portrait (docs/scene.md). Pictures are [h, w, channels], networks'
// inputs planes.
import {fetched, unzipped} from "./fetched.js";
import {derived} from "./scene_parts.js";

const FORMAT = "speechhead-scene", VERSION = 1;
const CODED = "pictures", STEPS = "steps";

/** @typedef {{shape: number[], data: Float32Array}} SceneArray */

/**
 * @param {string|URL} url of a scene: a file of `speechhead scene`, or the server's /avatars/NAME/scene
 * @param {{cache?: boolean, headers?: Record<string, string>}} [options] cache: keep it in the browser
 * @returns {Promise<Scene>}
 */
export async function openScene(url, options = {}) {
  return readScene(await fetched(url, options));
}

/**
 * @param {Uint8Array} file
 * @param {(coded: Uint8Array, name: string) => Promise<Uint8ClampedArray>} [decode] a coded picture to its RGBA pixels
 * @returns {Promise<Scene>}
 */
export async function readScene(file, decode = decodedHere) {
  const bytes = await unzipped(file);
  const {meta, arrays} = parsed(bytes);
  const decoded = async (name) => [name, await decode(arrays[name].data, name)];
  const pixels = await Promise.all(Object.keys(meta[CODED]).map(decoded));
  return new Scene(meta, arrays, new Map(pixels));
}

export class Scene {
  /** Metadata: sizes, where the crop lies, what there is of eyes and smile, and what a frame's numbers come from. */
  meta;
  #arrays;
  #pixels;
  #ready = new Map();

  constructor(meta, arrays, pixels) {
    this.meta = meta;
    this.#arrays = arrays;
    this.#pixels = pixels;
  }

  /** What it is made of, for `Scene.of` in a worker. */
  get content() {
    return {meta: this.meta, arrays: this.#arrays, pixels: this.#pixels};
  }

  static of({meta, arrays, pixels}) {
    return new Scene(meta, arrays, pixels);
  }

  /** Whether there is an array of this name, in the file or made of what is. */
  has(name) {
    return name in this.#arrays || name in derived;
  }

  /**
   * An array by name, the same one each time: what the file holds, or one of `derived`.
   * @param {string} name
   * @returns {SceneArray}
   */
  array(name) {
    if (!this.#ready.has(name)) this.#ready.set(name, this.#made(name));
    return this.#ready.get(name);
  }

  /** Forget arrays, such as those that a texture holds by now; they are made anew if they are asked for. */
  forget(...names) {
    for (const name of names) this.#ready.delete(name);
  }

  #made(name) {
    if (name in derived) return derived[name](this);
    const stored = this.#arrays[name];
    if (!stored) throw new Error(`scene: there is no array '${name}'.`);
    const picture = this.meta[CODED][name];
    if (picture) return {shape: picture.shape, data: leveled(this.#pixels.get(name), picture)};
    const step = this.meta[STEPS][name] ?? 1;
    if (stored.data instanceof Float32Array && step === 1) return stored;
    const data = new Float32Array(stored.data);
    for (let k = 0; k < data.length; k++) data[k] *= step;
    return {shape: stored.shape, data};
  }
}

function parsed(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header;
  try {
    const length = Number(view.getBigUint64(0, true));
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    header.start = 8 + length;
  } catch {
    throw new Error("The file is no scene, or a damaged one. Make it again by `speechhead scene`.");
  }
  const {__metadata__: texts, start, ...tensors} = header;
  if (texts?.format !== FORMAT) throw new Error("The file is no scene. Make one by `speechhead scene`.");
  const read = ([name, text]) => [name, name === "format" ? text : JSON.parse(text)];
  const meta = Object.fromEntries(Object.entries(texts).map(read));
  if (meta.version > VERSION) {
    throw new Error(`A scene of version ${meta.version}: this page knows ${VERSION}. Reload it.`);
  }
  const arrays = {};
  for (const [name, {dtype, shape, data_offsets: [from, to]}] of Object.entries(tensors)) {
    if (start + to > bytes.length) throw new Error("The scene ends too early. Load it again.");
    arrays[name] = {shape, data: typed(bytes.slice(start + from, start + to).buffer, dtype)};
  }
  return {meta, arrays};
}

const KINDS = {F32: Float32Array, U8: Uint8Array, I8: Int8Array, I16: Int16Array, I32: Int32Array};

function typed(buffer, dtype) {
  if (dtype === "F16") return halves(new Uint16Array(buffer));
  if (!(dtype in KINDS)) throw new Error(`scene: arrays of ${dtype} are not known. Reload the page.`);
  return new KINDS[dtype](buffer);
}

function halves(all) {
  const out = new Float32Array(all.length);
  for (let k = 0; k < all.length; k++) out[k] = half(all[k]);
  return out;
}

/** The value of a float16's bits. */
function half(bits) {
  const exponent = (bits >> 10) & 31, part = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return part ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : 2 ** -24 * part);
}

/** The RGBA pixels of a coded picture, exactly: scenes are coded without loss and without transparency. */
async function decodedHere(coded) {
  const picture = await createImageBitmap(new Blob([coded], {type: "image/webp"}), {colorSpaceConversion: "none"});
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

/** Values of pixels. A grey picture is coded as three like channels; a fourth channel, of 0..1, below the colours. */
function leveled(pixels, {shape: [height, width, channels = 1], step, offset}) {
  const count = height * width, data = new Float32Array(count * channels);
  const colours = channels >= 3 ? 3 : 0;
  for (let k = 0; k < count; k++) {
    for (let c = 0; c < colours; c++) data[k * channels + c] = pixels[4 * k + c] * step + offset;
    if (channels === 1) data[k] = pixels[4 * k] * step + offset;
    if (channels === 4) data[4 * k + 3] = pixels[4 * (count + k)] / 255;
  }
  return data;
}
