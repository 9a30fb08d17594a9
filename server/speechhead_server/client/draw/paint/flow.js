/** Where each pixel of a frame is read in its portrait, and the person read there, before the background. */

import { halves, SIDES } from "../outlines.js";
import { MESH as FACE, RELIEF } from "../tables.js";
import { EDGES, HERE, pictured, quads, READING, tableOf, triangles } from "./glsl.js";

const SIDE = FACE.resolution; // places a side of the field in which the landmark warp is drawn
const COUNT = RELIEF.resolution; // and of that of its surroundings
const RINGS = FACE.rings / 2; // triangles of the ring next to the face; the outer one stands still
const FIRST = RINGS + FACE.holes;
const BAND = 1.5, FAR = 4; // places on each side of a face's outline that are drawn finely, and that are told apart

const MESH = triangles(
  "uniform sampler2D vertices;",
  (k) => `((texelFetch(vertices, ivec2(${k}, 0), 0).xy + 1.0) * ${SIDE / 2}.0 - 0.5)`,
  `number < ${FIRST} ? (number < ${RINGS} ? 0.98 : 0.95) : clamp(0.1 * (texelFetch(vertices, ivec2(at.x, 0), 0).z
    + texelFetch(vertices, ivec2(at.y, 0), 0).z + texelFetch(vertices, ivec2(at.z, 0), 0).z), -0.9, 0.9)`,
);

const SHADERS = {
  face: [
    `${HERE}${MESH.fragment}
uniform sampler2D table, vertices, origins;
vec2 origin(float k) { return texelFetch(origins, ivec2(int(k), 0), 0).xy; }
vec2 corner(float k) { return texelFetch(vertices, ivec2(int(k), 0), 0).xy; }
void main() {
  vec2 place = here();
  if (!inside(place)) discard;
  vec3 at = texelFetch(table, ivec2(number % 256, number / 256), 0).xyz;
  vec2 p = corner(at.x), u = corner(at.y) - p, v = corner(at.z) - p;
  float twice = u.x * v.y - u.y * v.x;
  if (number >= ${RINGS} && number < ${FIRST} ? twice <= 2e-5 : abs(twice) <= 1e-7) discard; // where lips or lids have met, nothing shows
  vec2 o = origin(at.x), s = origin(at.y) - o, t = origin(at.z) - o, middle = (2.0 * place + 1.0) / ${SIDE}.0 - 1.0, d = middle - p;
  float share = (d.x * v.y - d.y * v.x) / twice, other = (u.x * d.y - u.y * d.x) / twice;
  result = vec4(o + share * s + other * t - middle, number < ${RINGS} ? 0.0 : 1.0, 1);
}`,
    MESH.vertex,
  ],
  median: [`${HERE}uniform sampler2D face;
void order(inout vec2 x, inout vec2 y) { vec2 low = min(x, y); y = max(x, y); x = low; }
void main() { // single pixels between folded triangles belong to none; the median takes the flow around them
  ivec2 at = ivec2(gl_FragCoord.xy); vec2 v[9]; float known = 0.0;
  for (int i = 0; i < 9; i++) {
    vec4 near = texelFetch(face, clamp(at + ivec2(i % 3 - 1, i / 3 - 1), ivec2(0), ivec2(${SIDE - 1})), 0);
    v[i] = near.xy;
    known += step(0.5, near.z);
  }
  order(v[1], v[2]); order(v[4], v[5]); order(v[7], v[8]); order(v[0], v[1]); order(v[3], v[4]); order(v[6], v[7]);
  order(v[1], v[2]); order(v[4], v[5]); order(v[7], v[8]); order(v[0], v[3]); order(v[5], v[8]); order(v[4], v[7]);
  order(v[3], v[6]); order(v[1], v[4]); order(v[2], v[5]); order(v[4], v[7]); order(v[4], v[2]); order(v[6], v[4]); order(v[4], v[2]);
  result = vec4(v[4], known > ${FACE.neighbours - 0.5} ? 1.0 : 0.0, 1);
}`],
  steps: [`${HERE}uniform sampler2D places; uniform vec4 move_x[11], move_y[11];
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy); vec2 sum = vec2(0);
  for (int i = 0; i < 11; i++) {
    vec4 part = texelFetch(places, ivec2(11 * at.x + i, at.y), 0);
    sum += vec2(dot(part, move_x[i]), dot(part, move_y[i]));
  }
  result = vec4(sum, 0, 0);
}`],
  layers: [`${HERE}uniform sampler2D steps;
vec2 wide(ivec2 at) { at = abs(at); return texelFetch(steps, ${COUNT - 1} - abs(${COUNT - 1} - at), 0).xy; }
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec2 grows = vec2(wide(at + ivec2(1, 0)).x - wide(at - ivec2(1, 0)).x, wide(at + ivec2(0, 1)).y - wide(at - ivec2(0, 1)).y);
  result = vec4(texelFetch(steps, at, 0).xy, 1.0 / max(1.0 + 0.5 * grows, ${RELIEF.steep.toFixed(3)}));
}`],
  around: [`${HERE}${READING}uniform sampler2D layers;
void main() {
  vec2 own = here(), place = own - texelFetch(layers, ivec2(own), 0).xy;
  for (int i = 0; i < ${RELIEF.rounds}; i++) {
    vec4 there = held(layers, place, ivec2(${COUNT}));
    place -= (place + there.xy - own) * there.zw;
  }
  result = vec4((place - own) * ${2 / COUNT}, 0, 0);
}`],
  fields: [`${HERE}${READING}uniform sampler2D face, around;
void main() { // of the face and a little beyond, then of what is around it; and the latter
  vec2 own = here(); ivec2 at = ivec2(own);
  vec2 rest = held(around, (own + 0.5) * ${COUNT / SIDE} - 0.5, ivec2(${COUNT})).xy;
  vec4 found = texelFetch(face, at, 0);
  if (found.z < 0.5) {
    vec3 sum = vec3(0);
    for (int j = -2; j < 3; j++) for (int i = -2; i < 3; i++) {
      vec4 near = pixel(face, at + ivec2(i, j), ivec2(${SIDE}));
      sum += near.z * vec3(near.xy, 1);
    }
    found.xy = sum.z > 0.0 ? sum.xy / sum.z : rest;
  }
  vec2 middle = abs((2.0 * own + 1.0) / ${SIDE}.0 - 1.0);
  float edge = clamp((1.0 - max(middle.x, middle.y)) / 0.2, 0.0, 1.0);
  result = vec4(found.xy, rest) * edge * edge * (3.0 - 2.0 * edge);
}`],
  flow: [`${HERE}${EDGES}uniform sampler2D fields; uniform vec3 hull[${SIDES}]; uniform vec4 bounds; uniform int sides;
void main() {
  vec2 own = here(); vec4 both = texelFetch(fields, ivec2(own), 0);
  float away = any(lessThan(own, bounds.xy)) || any(greaterThan(own, bounds.zw)) ? ${FAR}.0 : -1e6;
  if (away < 0.0) for (int i = 0; i < sides; i++) away = max(away, dot(hull[i].xy, own) + hull[i].z);
  result = vec4(mix(both.zw, both.xy, softly(away)), clamp(away, -${FAR}.0, ${FAR}.0), 0);
}`],
  person: [`${HERE}${EDGES}uniform sampler2D flow, fields, person, background; uniform float size; uniform vec2 inset;
vec4 there(vec2 uv, vec2 way) { return texture(person, uv + 0.5 * way + inset); }
void main() {
  vec2 uv = gl_FragCoord.xy / size;
  vec4 way = texture(flow, uv), moved = there(uv, way.xy);
  if (abs(way.z) < ${BAND}) { // the face's outline, as fine as the picture: see far_edge.py
    vec4 both = texture(fields, uv);
    moved = mix(there(uv, both.zw), there(uv, both.xy), softly(way.z * (size / ${SIDE}.0)));
  }
  result = vec4(moved.rgb + (1.0 - moved.a) * texelFetch(background, ivec2(gl_FragCoord.xy), 0).rgb, 1);
}`],
  rested: [`${HERE}${READING}uniform sampler2D flow, light; uniform float size, amount, way;
float there(vec2 at) { // of twice as many places as the flow has
  vec2 place = (at + 0.5) * (size / ${4 * SIDE}.0) - 0.5 + held(flow, (at + 0.5) * 0.5 - 0.5, ivec2(${SIDE})).xy * (0.25 * size);
  return between(light, place, textureSize(light, 0)).r;
}
void main() {
  vec2 at = clamp((here() + 0.5) * (${2 * SIDE}.0 / size) - 0.5, 0.0, ${2 * SIDE - 1}.0), low = floor(at), part = at - low, next = min(low + 1.0, ${2 * SIDE - 1}.0);
  float more = mix(mix(there(low), there(vec2(next.x, low.y)), part.x), mix(there(vec2(low.x, next.y)), there(next), part.x), part.y);
  result = vec4(vec3(max(way * amount * more / 255.0, 0.0)), 0);
}`],
};

export class Flow {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    Object.assign(this, { gl, size: scene.meta.size });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    const faces = FACE.triangles.slice(RINGS), origins = scene.array("vertices").data;
    this.count = faces.length;
    this.table = gl.texture(256, Math.ceil(this.count / 256), "rgba32", tableOf(faces));
    this.vertices = gl.texture(origins.length / 3, 1, "rgba32");
    this.origins = gl.texture(origins.length / 3, 1, "rgba32", quads(origins, 3));
    this.places = gl.texture(11 * COUNT, COUNT, "rgba32", scene.array("places").data);
    this.person = pictured(gl, scene.array("person"), "rgba16", true);
    this.background = pictured(gl, scene.array("background"), "rgba8");
    if (scene.meta.smile) {
      const { shape, data } = scene.array("light");
      this.light = gl.texture(shape[1], shape[0], "r32", data);
    }
    this.face = gl.target(SIDE, SIDE, "rgba32", { deep: true });
    this.even = gl.target(SIDE, SIDE, "rgba32");
    this.fields = [0, 1].map(() => gl.target(COUNT, COUNT, "rgba32"));
    [this.both, this.flow] = [0, 1].map(() => gl.target(SIDE, SIDE, "rgba16", { linear: true }));
  }

  /** Draw the person into a target, before its background. @param number numbers of a frame by name */
  draw(number, target) {
    const { gl, programs, table, vertices, origins, places, face, even, both: fields, flow, size } = this;
    gl.upload(vertices, quads(number("vertices"), 3));
    gl.triangles(programs.face, face, { table, vertices, origins }, [[[0, this.count]]], [SIDE, SIDE]);
    gl.pass(programs.median, even, { face });
    const [one, other] = this.fields, moves = number("around");
    const [move_x, move_y] = [0, 1].map((axis) => Float32Array.from({ length: 44 }, (_, k) => (moves[2 * k + axis] ?? 0) * (COUNT / size)));
    gl.pass(programs.steps, one, { places, move_x, move_y });
    gl.pass(programs.layers, other, { steps: one });
    gl.pass(programs.around, one, { layers: other });
    gl.pass(programs.fields, fields, { face: even, around: one });
    gl.pass(programs.flow, flow, { fields, ...halves(number("hull")) });
    const { width } = this.person, inset = [0, 0].map(() => 0.5 / width - 0.5 / size);
    gl.pass(programs.person, target, { flow, fields, person: this.person, background: this.background, size, inset });
  }

  /** Take what is left of a portrait's smile out of a target. */
  rest(amount, target) {
    if (!this.light || !(amount > 0)) return;
    const { gl, programs, flow, light, size } = this;
    for (const [way, blend] of [[1, "add"], [-1, "subtract"]]) gl.pass(programs.rested, target, { flow, light, size, amount, way }, { blend });
  }
}
