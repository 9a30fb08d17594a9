/** The lips as two sheets, seen from either side of the lip line, and the thin dark between them. */

import { over } from "../outlines.js";
import { LIPS, SHEETS } from "../tables.js";
import { blurred, EDGES, HERE, outline, pictured, quads, READING, tableOf, triangles } from "./glsl.js";

const FLAT = 1e-3; // twice the area in pixels of a triangle that is not drawn
const LINE = 13, OPENING = 20;
const VERTICES = SHEETS.vertices.length + 22;
const { skin, sheet, edges } = SHEETS;

const SHEET = triangles(
  "uniform sampler2D driving; uniform vec2 corner; uniform float shift;",
  (k) => `(texelFetch(driving, ivec2(${k}, 0), 0).xy - corner)`,
  // Skin behind all, the edge before a lip behind the lip; what is nearer to the eye within each before what is not.
  `(number < ${skin} ? 0.6 : (number < ${skin + edges} || (number >= ${skin + sheet} && number < ${skin + sheet + edges})) ? 0.0 : -0.6)
    + clamp(5e-4 * (texelFetch(driving, ivec2(at.x, 0), 0).z + texelFetch(driving, ivec2(at.y, 0), 0).z
    + texelFetch(driving, ivec2(at.z, 0), 0).z), -0.29, 0.29)`,
);

const SHADERS = {
  sheets: [
    `${HERE}${SHEET.fragment}uniform float shift;
void main() {
  if (abs(area()) <= ${FLAT} || !inside(here() - vec2(shift, 0))) discard;
  result = vec4(number + 1, far, 0, 1);
}`,
    SHEET.vertex,
  ],
  dark: [`${HERE}${EDGES}${outline("dark", OPENING)}uniform vec2 corner;
void main() { result = vec4(softly(dark_away(here() + corner))); }`],
  across: [`${HERE}${READING}uniform sampler2D mask; uniform ivec2 size; uniform float sigma; uniform int reach;
${blurred("soft", "pixel(mask, ivec2(place) + ivec2(i, 0), size)")}
void main() { result = soft(here(), size, sigma, reach); }`],
  laid: [`${HERE}${READING}${EDGES}${outline("gap", OPENING)}${outline("over", LINE + 4)}
uniform sampler2D mask, sheets, table, driving, origins, upper, lower;
uniform ivec2 size; uniform vec2 corner, limit; uniform vec3 tone;
uniform float shown, sigma, opening, fade; uniform int reach;
${blurred("soft", "pixel(mask, ivec2(place) + ivec2(0, i), size)")}
vec2 place(float k) { return texelFetch(driving, ivec2(int(k), 0), 0).xy; }
vec2 origin(float k) { return texelFetch(origins, ivec2(int(k), 0), 0).xy; }
float seen(int part, ivec2 at) { // the triangle that is drawn here, and 1; between folded ones the nearest around it
  ivec2 shift = ivec2(part * size.x, 0);
  float own = texelFetch(sheets, at + shift, 0).x;
  if (own > 0.5) return own;
  float nearest = 2.0;
  for (int i = 0; i < 9; i++) {
    ivec2 near = at + ivec2(i % 3 - 1, i / 3 - 1);
    if (any(lessThan(near, ivec2(0))) || any(greaterThanEqual(near, size))) continue;
    vec4 there = texelFetch(sheets, near + shift, 0);
    if (there.x > 0.5 && there.y < nearest) { nearest = there.y; own = there.x; }
  }
  return own;
}
vec3 colour(sampler2D plate, float number, vec2 own) {
  int k = int(max(number - 1.0, 0.0) + 0.5);
  vec3 at = texelFetch(table, ivec2(k % 256, k / 256), 0).xyz;
  vec2 p = place(at.x), u = place(at.y) - p, v = place(at.z) - p, o = origin(at.x), s = origin(at.y) - o, t = origin(at.z) - o, d = own - p;
  float twice = u.x * v.y - u.y * v.x, from = abs(s.x * t.y - s.y * t.x);
  vec2 read = o + (s + t) / 3.0;
  bool behind = k >= ${skin} && (k - ${skin}) % ${sheet} < ${edges};
  if (abs(twice) > ${LIPS.sliver.toFixed(3)} && (behind || from <= ${LIPS.shrunk.toFixed(3)} * abs(twice)))
    read = o + ((d.x * v.y - d.y * v.x) * s + (u.x * d.y - u.y * d.x) * t) / twice;
  return texture(plate, (clamp(read, vec2(0), limit) + 0.5) / vec2(textureSize(plate, 0))).rgb;
}
void main() {
  vec2 own = here(), box = own - corner; ivec2 at = ivec2(box);
  float share = clamp(0.5 + (opening + FAT - gap_away(own)) / fade, 0.0, 1.0);
  if (share <= 0.0) discard;
  float one = seen(0, at), other = seen(1, at), above = softly(over_away(own), ${LIPS.finer.toFixed(1)});
  if ((above >= 0.5 ? one : other) < 0.5) discard;
  if (one < 0.5 || other < 0.5) above = one < 0.5 ? 0.0 : 1.0;
  vec3 mixed = mix(colour(lower, other, own), colour(upper, one, own), above);
  if (shown > 0.0) mixed += shown * soft(box, size, sigma, reach).r * min(tone - mixed, 0.0);
  result = vec4(mixed, share);
}`],
};

export class Lips {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    Object.assign(this, { gl, size: scene.meta.size });
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    this.table = gl.texture(256, 1, "rgba32", tableOf(SHEETS.triangles));
    this.driving = gl.texture(VERTICES, 1, "rgba32");
    this.origins = gl.texture(VERTICES, 1, "rgba32", quads(scene.array("lip_vertices").data, 2));
    this.upper = pictured(gl, scene.array("lip_upper"), "rgba8", true);
    this.lower = pictured(gl, scene.array("lip_lower"), "rgba8", true);
  }

  /** Lay the lips into a frame. @param number numbers of the frame by name @param box its pixels that they may change */
  draw(number, box, frame) {
    const [shown, sigma, opening, fade, there] = number("lips"), [x0, y0, x1, y1] = box;
    if (!(there > 0) || x1 - x0 < 2 || y1 - y0 < 2) return;
    const { gl, programs, table, driving, origins, upper, lower } = this;
    const size = [x1 - x0, y1 - y0], corner = [x0, y0], mask = [0, 0, ...size], reach = Math.ceil(4 * sigma);
    this.sheets = gl.roomy(this.sheets, 2 * size[0], size[1], "rgba32", { deep: true });
    this.marks = [0, 1].map((k) => gl.roomy(this.marks?.[k], ...size, "rgba8"));
    gl.upload(driving, quads(number("lip_driving"), 3));
    const parts = [0, 1].map((k) => [[0, skin], [skin + k * sheet, sheet]]);
    gl.triangles(programs.sheets, this.sheets, { table, driving, corner }, parts, size);
    if (shown > 0) {
      gl.pass(programs.dark, this.marks[0], { dark: number("lip_dark"), corner }, { box: mask });
      gl.pass(programs.across, this.marks[1], { mask: this.marks[0], size, sigma, reach }, { box: mask });
    }
    const values = {
      gap: number("lip_between"), over: over(number("lip_line"), this.size), mask: this.marks[1], sheets: this.sheets,
      limit: number("lips").slice(5, 7), tone: [...number("lip_tone")].map((light) => light / 255),
    };
    const more = { table, driving, origins, upper, lower, size, corner, shown, sigma, opening, fade, reach };
    gl.pass(programs.laid, frame, { ...values, ...more }, { box, blend: "straight" });
  }
}
