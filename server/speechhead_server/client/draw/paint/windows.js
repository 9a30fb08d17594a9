/** The windows on the face that networks paint: what the networks are shown, and what they paint laid over a frame. */

import { MESH, WINDOWS } from "../tables.js";
import { EDGES, HERE, mapped, outline, READING } from "./glsl.js";
import { toned } from "./tones.js";

const NAMES = ["mouth", "eyes"];
const BROAD = Math.max(...NAMES.map((name) => WINDOWS[name].width));
const TALL = NAMES.map((name) => WINDOWS[name].height).reduce((a, b) => a + b);
const STARTS = { mouth: 0, eyes: WINDOWS.mouth.height }; // rows of the target; masks are beside what is read
const RADIUS = (MESH.warp.iris_radius / WINDOWS.eyes.half[0]) * (WINDOWS.eyes.width / 2);

const SHADERS = {
  // The frame at the sharpness that the networks know, read through a window.
  seen: [`${HERE}uniform sampler2D frame; uniform vec3 map_x, map_y; uniform vec2 size, start; uniform float known, whole;
vec3 soft(vec2 at) {
  float step_ = whole / known;
  ivec2 low = ivec2(floor(at * step_ + 1e-4)), high = ivec2(ceil((at + 1.0) * step_ - 1e-4));
  vec3 sum = vec3(0);
  for (int y = low.y; y < high.y; y++) for (int x = low.x; x < high.x; x++) sum += texelFetch(frame, ivec2(x, y), 0).rgb;
  return sum / float((high.x - low.x) * (high.y - low.y));
}
void main() {
  vec3 middle = vec3((2.0 * (here() - start) + 1.0) / size - 1.0, 1);
  vec2 at = clamp((vec2(dot(map_x, middle), dot(map_y, middle)) + 1.0) * (0.5 * known) - 0.5, 0.0, known - 1.0);
  vec2 low = floor(at), part = at - low, next = min(low + 1.0, known - 1.0);
  result = vec4(mix(mix(soft(low), soft(vec2(next.x, low.y)), part.x), mix(soft(vec2(low.x, next.y)), soft(next), part.x), part.y), 1);
}`],
  mouth: [`${HERE}${EDGES}${outline("first", 20)}${outline("second", MESH.outerLip.length)}uniform vec2 start;
void main() { vec2 at = here() - start; result = vec4(softly(first_away(at)), softly(second_away(at)), 0, 1); }`],
  eyes: [`${HERE}${EDGES}${outline("left", 16)}${outline("right", 16)}uniform vec2 start, irises[2];
void main() {
  vec2 at = here() - start;
  float away = min(distance(at, irises[0]), distance(at, irises[1])) - ${RADIUS};
  result = vec4(max(softly(left_away(at)), softly(right_away(at))), softly(away), 0, 1);
}`],
  laid: [`${HERE}${READING}uniform sampler2D patch_, under; uniform vec3 map_x, map_y; uniform vec2 corner; uniform ivec2 size;
void main() {
  vec3 own = vec3(here(), 1);
  vec4 placed = cubic(patch_, vec2(dot(map_x, own), dot(map_y, own)), size);
  vec3 below = texelFetch(under, ivec2(own.xy - corner), 0).rgb;
  result = vec4(below * (1.0 - clamp(placed.a, 0.0, 1.0)) + placed.rgb, 1);
}`],
};

export class Windows {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    Object.assign(this, { gl, size: scene.meta.size });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    this.target = gl.target(2 * BROAD, TALL, "rgba8");
    this.bytes = new Uint8Array(4 * 2 * BROAD * TALL);
    this.patches = Object.fromEntries(NAMES.map((name) => [name, gl.texture(WINDOWS[name].width, WINDOWS[name].height, "rgba32")]));
  }

  /** What the networks are shown of a frame, read back without waiting. @returns {Promise<object|null>} null: the context is lost */
  async seen(number, frame) {
    const { gl, programs, target, size: whole } = this;
    for (const name of NAMES) {
      const { width, height } = WINDOWS[name], y = STARTS[name], size = [width, height];
      const read = { frame, ...mapped("map", number(`${name}_matrix`)), size, start: [0, y], known: Math.min(whole, MESH.known), whole };
      gl.pass(programs.seen, target, read, { box: [0, y, width, y + height] });
      const [first, second] = [number(`${name}_first`), number(`${name}_second`)], start = [BROAD, y];
      const shapes = name === "mouth" ? { first, second } : { left: first.slice(0, 32), right: first.slice(32), irises: second };
      gl.pass(programs[name], target, { ...shapes, start }, { box: [BROAD, y, BROAD + width, y + height] });
    }
    if (!(await gl.later(target, this.bytes))) return null;
    return Object.fromEntries(NAMES.flatMap((name) => this.#inputs(name, number)));
  }

  #inputs(name, number) {
    const { width, height } = WINDOWS[name], all = width * height, motion = number(`${name}_motion`).slice();
    const warped = new Float32Array(3 * all), shapes = new Float32Array(2 * all);
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k++) {
        const at = 4 * ((STARTS[name] + y) * 2 * BROAD + x), beside = at + 4 * BROAD;
        for (let c = 0; c < 3; c++) warped[c * all + k] = this.bytes[at + c] / 255;
        for (let c = 0; c < 2; c++) shapes[c * all + k] = this.bytes[beside + c] / 255;
      }
    }
    const sides = [height, width];
    return [
      [`${name}_warped`, { data: warped, dims: [1, 3, ...sides] }],
      [`${name}_shapes`, { data: shapes, dims: [1, 2, ...sides] }],
      [`${name}_motion`, { data: motion, dims: [1, motion.length] }],
    ];
  }

  /** Lay what the networks painted over a frame. @param painted planes [4, h, w] by window @param shapes of the mouth, [2, h, w] */
  draw(number, boxes, painted, shapes, frame) {
    const { gl, programs } = this;
    for (const name of NAMES) {
      const { width, height } = WINDOWS[name], box = boxes[name], corner = [box[0], box[1]];
      if (box[2] - box[0] < 2 || box[3] - box[1] < 2) continue;
      const made = toned(name, painted[name], { shapes, tone: number("tone"), grey: number("grey")[0] });
      gl.upload(this.patches[name], made);
      this.under = gl.roomy(this.under, box[2] - box[0], box[3] - box[1], "rgba8");
      gl.copy(frame, this.under, box);
      const values = { patch_: this.patches[name], under: this.under, ...mapped("map", number(`${name}_to`)), corner, size: [width, height] };
      gl.pass(programs.laid, frame, values, { box });
    }
  }
}
