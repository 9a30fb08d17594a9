/** Teeth, tongue and the dark between open lips. */

import { ARCHES, CAVITY, TONES } from "../tables.js";
import { EDGES, HERE, LUMA, outline, pictured, READING, SMOOTH } from "./glsl.js";

const vector = (values) => `vec3(${values.map((value) => Number(value).toFixed(6)).join(", ")})`;
const number_ = (value) => Number(value).toFixed(6);

const COLOURS = `
uniform sampler2D mask, upper, lower, tones; uniform ivec2 size; uniform vec2 corner;
uniform vec2 upper_at, lower_at, middle_at, lean, even; uniform vec4 back, upper_row, lower_row;
uniform vec3 skin, white, most; uniform float width, sigma, wide, tongue, grey; uniform int reach, shade;
vec2 two(vec2 d) { return vec2(dot(back.xy, d), dot(back.zw, d)); }
vec2 arch(vec2 d, float curve) { // where on an arch a pixel looks
  vec2 place = two(d); float reach_ = ${number_(ARCHES.steep)} / (2.0 * curve);
  for (int i = 0; i < 2; i++) {
    float inner = clamp(place.x, -reach_, reach_);
    place = two(d - lean * (curve * inner * inner + ${number_(ARCHES.steep)} * abs(place.x - inner)));
  }
  return place;
}
vec4 row(sampler2D from, vec2 own, vec2 middle, vec4 told) {
  return between(from, arch(own - middle, told.x) * told.w + told.yz, textureSize(from, 0));
}
float box(float step_, float move) { return abs(step_ + move) <= 0.5 * (width - 1.0) + 0.25 ? 1.0 / width : 0.0; }
void main() {
  vec2 at = here(), own = at + corner; float near = 0.0, below = 0.0, share = 0.0, all = 0.0, half_ = 0.5 * (width - 1.0);
  for (int i = -2 * shade; i <= 2 * shade; i++) {
    float step_ = float(i), there = pixel(mask, ivec2(at) + ivec2(0, i), size).r;
    near += box(step_, 0.0) * there;
    below += 0.5 * (box(step_, half_) + box(step_, half_ + 1.0)) * there; // half the width further up
  }
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    all += weight;
    share += weight * pixel(mask, ivec2(at) + ivec2(0, i), size).g;
  }
  float across = two(own - middle_at).x;
  float light = (1.0 - ${number_(CAVITY.near)} * (1.0 - smooth_(near, 0.15, 0.75))) * (1.0 - ${number_(CAVITY.under)} * (1.0 - smooth_(below, 0.1, 0.8)));
  light *= ${number_(CAVITY.full)} * exp(-(across / ${number_(CAVITY.sides)}) * (across / ${number_(CAVITY.sides)})) * wide;
  vec2 place = (two(own - lower_at) + vec2(0, ${number_(CAVITY.tongue_above)})) / vec2(${CAVITY.tongue_half.map(number_).join(", ")});
  float much = (1.0 - smooth_(length(place), 0.3, 1.0)) * min(light, 1.0) * tongue;
  vec3 deep = mix(${vector(CAVITY.deep)}, ${vector(CAVITY.tongue)}, much) * skin;
  for (int k = 0; k < 2; k++) {
    vec4 teeth = k == 0 ? row(lower, own, lower_at, lower_row) : row(upper, own, upper_at, upper_row);
    float bright = (k == 0 ? ${number_(CAVITY.lower)} * light : light) * even[k];
    vec3 dim = pow(vec3(clamp(bright, 1e-3, 1.0)), ${vector(CAVITY.red)}); // shade in a mouth is red
    vec3 tooth = bright * dim * white, over = max(tooth - ${number_(TONES.knee)} * most, 0.0); // of the front teeth
    tooth -= over * over / (over + ${number_(1 - TONES.knee)} * most);
    deep = deep * (1.0 - teeth.a) + teeth.rgb * tooth * ${number_(255 / TONES.front)};
  }
  float luma = dot(deep, LUMA);
  deep = mix(deep, luma * texelFetch(tones, ivec2(int(clamp(255.0 * luma, 0.0, 255.0)), 0), 0).rgb, grey);
  float part = mix(${number_(CAVITY.slit_share[0])}, 1.0, min((1.0 - wide) / ${number_(CAVITY.slit_share[1])}, 1.0));
  result = vec4(deep, (1.0 - part * (1.0 - smooth_(near, ${CAVITY.slit.map(number_).join(", ")}))) * share / all);
}`;

const SHADERS = {
  mask: [`${HERE}${EDGES}${outline("around", 20)}uniform vec2 corner;
void main() { result = vec4(softly(around_away(here() + corner))); }`],
  across: [`${HERE}${READING}uniform sampler2D mask; uniform ivec2 size; uniform float width, sigma; uniform int reach, shade;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy); float near = 0.0, soft = 0.0, all = 0.0;
  for (int i = -shade; i <= shade; i++) if (abs(float(i)) <= 0.5 * (width - 1.0) + 0.25) near += pixel(mask, at + ivec2(i, 0), size).r;
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    all += weight;
    soft += weight * pixel(mask, at + ivec2(i, 0), size).r;
  }
  result = vec4(near / width, soft / all, 0, 1);
}`],
  colours: [`${HERE}${READING}${SMOOTH}${LUMA}${COLOURS}`],
  soft: [`${HERE}${READING}uniform sampler2D deep; uniform ivec2 size; uniform float sigma; uniform int reach;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy); vec3 sum = vec3(0); float all = 0.0;
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    all += weight;
    sum += weight * pixel(deep, at + ivec2(i, 0), size).rgb;
  }
  result = vec4(sum / all, texelFetch(deep, at, 0).a);
}`],
  laid: [`${HERE}${READING}uniform sampler2D deep; uniform ivec2 size; uniform vec2 corner; uniform float sigma, shown; uniform int reach;
void main() {
  ivec2 at = ivec2(here() - corner); vec3 sum = vec3(0); float all = 0.0;
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    all += weight;
    sum += weight * pixel(deep, at + ivec2(0, i), size).rgb;
  }
  result = vec4(sum / all, shown * texelFetch(deep, at, 0).a);
}`],
};

export class Inside {
  /** @param {import("../gl.js").Gl} gl @param {import("../scene.js").Scene} scene */
  constructor(gl, scene) {
    this.gl = gl;
    this.programs = Object.fromEntries(Object.entries(SHADERS).map(([name, texts]) => [name, gl.program(...texts)]));
    for (const name of ["lower", "upper"]) this[name] = pictured(gl, scene.array(name), "rgba32");
    const tones = scene.array("tones").data, whole = new Float32Array(4 * 256);
    for (let k = 0; k < 256; k++) whole.set(tones.subarray(3 * k, 3 * k + 3), 4 * k);
    this.tones = gl.texture(256, 1, "rgba32", whole);
  }

  /** Lay the inside of the mouth into a frame. @param number numbers of the frame by name @param box pixels that it may change */
  draw(number, box, frame) {
    const [x0, y0, x1, y1] = box, [shown] = number("in_shown");
    if (!(shown > 0) || x1 - x0 < 2 || y1 - y0 < 2) return;
    const { gl, programs, lower, upper, tones } = this;
    const size = [x1 - x0, y1 - y0], corner = [x0, y0], own = [0, 0, ...size], [sigma] = number("in_soft"), [width] = number("in_shade");
    const shared = { size, corner, sigma, width, shown, reach: Math.ceil(4 * sigma), shade: Math.floor((width + 1) / 2) + 1 };
    this.mask = gl.roomy(this.mask, ...size, "rgba8");
    this.sides = [0, 1].map((k) => gl.roomy(this.sides?.[k], ...size, "rgba16"));
    const [one, other] = this.sides;
    gl.pass(programs.mask, this.mask, { around: number("in_outline"), corner }, { box: own });
    gl.pass(programs.across, one, { ...shared, mask: this.mask }, { box: own });
    gl.pass(programs.colours, other, { ...shared, mask: one, lower, upper, tones, ...placed(number) }, { box: own });
    gl.pass(programs.soft, one, { ...shared, deep: other }, { box: own });
    gl.pass(programs.laid, frame, { ...shared, deep: one }, { box, blend: "straight" });
  }
}

/** Where the arches of the teeth lie, and their light. */
function placed(number) {
  const turn = number("in_matrix"), at = (name) => [...number(`in_${name}`)].slice(0, 2);
  return {
    upper_at: at("upper"), lower_at: at("lower"), middle_at: at("middle"), lean: [turn[2], turn[5]], even: number("in_even"),
    back: number("in_inverse"), upper_row: number("in_upper_row"), lower_row: number("in_lower_row"),
    skin: [...number("in_skin")].map((light) => light / 255), white: [...number("in_white")].map((light) => light * (TONES.front / 255 / 235)),
    wide: number("in_wide")[0], tongue: number("in_tongue")[0], most: [...number("in_most")].map((light) => light / 255), grey: number("in_grey")[0],
  };
}
