/** What shaders share: outlines, reading between pixels, easing. */

/** This pixel of the target, from its first one. */
export const HERE = `
out vec4 result;
vec2 here() { return gl_FragCoord.xy - 0.5; }
`;

/** Of a picture's pixels around a place: nothing beyond it, or its last pixel. */
export const READING = `
vec4 pixel(sampler2D from, ivec2 at, ivec2 size) {
  return all(greaterThanEqual(at, ivec2(0))) && all(lessThan(at, size)) ? texelFetch(from, at, 0) : vec4(0);
}
vec4 between(sampler2D from, vec2 at, ivec2 size) {
  vec2 low = floor(at), part = at - low; ivec2 first = ivec2(low);
  if (any(lessThan(first, ivec2(-1))) || any(greaterThanEqual(first, size))) return vec4(0);
  return mix(mix(pixel(from, first, size), pixel(from, first + ivec2(1, 0), size), part.x),
             mix(pixel(from, first + ivec2(0, 1), size), pixel(from, first + ivec2(1, 1), size), part.x), part.y);
}
vec4 held(sampler2D from, vec2 at, ivec2 size) {
  ivec2 last = size - 1;
  vec2 place = clamp(at, vec2(0), vec2(last)), low = floor(place), part = place - low;
  ivec2 a = ivec2(low), b = min(a + 1, last);
  return mix(mix(texelFetch(from, a, 0), texelFetch(from, ivec2(b.x, a.y), 0), part.x),
             mix(texelFetch(from, ivec2(a.x, b.y), 0), texelFetch(from, b, 0), part.x), part.y);
}
vec4 weights(float t) {
  const float A = -0.75;
  vec4 x = vec4(t + 1.0, t, 1.0 - t, 2.0 - t);
  vec4 outer = ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A, inner = ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
  return vec4(outer.x, inner.yz, outer.w);
}
vec4 cubic(sampler2D from, vec2 at, ivec2 size) {
  vec2 low = floor(at); ivec2 first = ivec2(low) - 1;
  if (any(lessThan(first, ivec2(-4))) || any(greaterThanEqual(first, size))) return vec4(0);
  vec4 across = weights(at.x - low.x), down = weights(at.y - low.y), sum = vec4(0);
  for (int j = 0; j < 4; j++) {
    vec4 row = vec4(0);
    for (int i = 0; i < 4; i++) row += across[i] * pixel(from, first + ivec2(i, j), size);
    sum += down[j] * row;
  }
  return sum;
}
`;

/** How OpenCV draws smooth outlines: they end so many pixels outside, and fade over so many. */
export const EDGES = `
const float FAT = 0.675, RAMP = 1.25;
float softly(float away) { return clamp(0.5 + (FAT - away) / RAMP, 0.0, 1.0); }
float softly(float away, float finer) { return clamp(0.5 + (FAT / finer - away) / (1.0 + RAMP / (2.0 * finer)), 0.0, 1.0); }
`;

/** Level ends: 0 below `low`, 1 above `high`. */
export const SMOOTH = `
float smooth_(float x, float low, float high) { float t = clamp((x - low) / (high - low), 0.0, 1.0); return t * t * (3.0 - 2.0 * t); }
`;

export const LUMA = "const vec3 LUMA = vec3(0.299, 0.587, 0.114);";

/** A function `NAME_away(place)`: how far a place is from an outline of `count` points, negative within (even-odd). */
export function outline(name, count) {
  return `
uniform vec2 ${name}[${count}];
float ${name}_away(vec2 place) {
  float near = 1e12, side = 1.0; vec2 a = ${name}[${count - 1}];
  for (int i = 0; i < ${count}; i++) {
    vec2 b = ${name}[i], along = b - a, from = place - a;
    float t = clamp(dot(from, along) / max(dot(along, along), 1e-12), 0.0, 1.0);
    vec2 rest = from - t * along;
    near = min(near, dot(rest, rest));
    if ((a.y > place.y) != (b.y > place.y) && from.x < along.x * from.y / along.y) side = -side;
    a = b;
  }
  return side * sqrt(near);
}
`;
}

/**
 * A vertex shader that places boxes around triangles, and `inside()` for their fragments: whether OpenCV would draw a
 * pixel of one, its outline with it. `corner` gives a vertex's place in pixels; `depth` a triangle's, in -1..1.
 */
export function triangles(declared, corner, depth) {
  const vertex = `
uniform sampler2D table; uniform int first; uniform vec2 room;
flat out vec2 a, b, c; flat out int number; flat out float far;
${declared}
void main() {
  number = first + gl_VertexID / 6; int turn = gl_VertexID % 6, end = turn < 3 ? turn : turn < 5 ? 5 - turn : 3;
  ivec3 at = ivec3(texelFetch(table, ivec2(number % 256, number / 256), 0).xyz);
  a = ${corner("at.x")}; b = ${corner("at.y")}; c = ${corner("at.z")};
  far = ${depth};
  vec2 low = min(min(a, b), c) - 0.5, high = max(max(a, b), c) + 1.5;
  vec2 place = mix(low, high, vec2(end & 1, end >> 1));
  gl_Position = vec4(place / room * 2.0 - 1.0, far, 1);
}`;
  const fragment = `
flat in vec2 a, b, c; flat in int number; flat in float far;
bool within(vec2 from, vec2 to, vec2 place, float turned) {
  vec2 edge = (to - from) * turned, way = place - from;
  return edge.x * way.y + 0.5 * max(abs(edge.x), abs(edge.y)) >= edge.y * way.x;
}
float area() { vec2 p = b - a, q = c - a; return p.x * q.y - p.y * q.x; }
bool inside(vec2 place) {
  vec2 low = min(min(a, b), c) - 0.5, high = max(max(a, b), c) + 0.5;
  if (any(lessThan(place, low)) || any(greaterThan(place, high))) return false;
  float turned = sign(area());
  return within(a, b, place, turned) && within(b, c, place, turned) && within(c, a, place, turned);
}
`;
  return { vertex, fragment };
}

/** A table of triangles [F, 3] as a texture's data, 256 a row. */
export function tableOf(triangles) {
  const data = new Float32Array(4 * 256 * Math.ceil(triangles.length / 256));
  triangles.forEach((corners, k) => data.set(corners, 4 * k));
  return data;
}

/** Places [n, width] as pixels of four channels. */
export function quads(values, width) {
  const count = values.length / width, data = new Float32Array(4 * count);
  for (let k = 0; k < count; k++) for (let i = 0; i < width; i++) data[4 * k + i] = values[width * k + i];
  return data;
}

/** A picture [h, w, channels], colours in 0..255 and cover in 0..1, as a texture in 0..1; what has one channel is all of them. */
export function pictured(gl, { shape, data }, kind, linear = false) {
  const [height, width, count = 1] = shape, all = width * height, whole = kind === "rgba8";
  const out = whole ? new Uint8ClampedArray(4 * all) : new Float32Array(4 * all);
  const scales = whole ? [1, 1, 1, 255] : [1 / 255, 1 / 255, 1 / 255, 1];
  for (let k = 0; k < all; k++) {
    for (let c = 0; c < 4; c++) {
      if (c < 3 || count === 4) out[4 * k + c] = data[count * k + Math.min(c, count - 1)] * scales[c];
      else out[4 * k + 3] = whole ? 255 : 1;
    }
  }
  return gl.texture(width, height, kind, whole ? new Uint8Array(out.buffer) : out, linear);
}

/** Maps [h, w] of one size as one texture, a channel each. */
export function joined(gl, maps) {
  const [height, width] = maps[0].shape, out = new Float32Array(4 * width * height);
  maps.forEach(({ data }, c) => data.forEach((value, k) => (out[4 * k + c] = value)));
  return gl.texture(width, height, "rgba32", out);
}

/** Weights of a Gaussian blur, in a GLSL loop: the sum of `what(i)` over pixels `-reach..reach`. */
export function blurred(name, what) {
  return `
vec4 ${name}(vec2 place, ivec2 size, float sigma, int reach) {
  vec4 sum = vec4(0); float all = 0.0;
  for (int i = -reach; i <= reach; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    all += weight;
    sum += weight * ${what};
  }
  return sum / all;
}
`;
}

/** A map [2, 3] as three vectors by name. */
export const mapped = (name, m) => ({ [`${name}_x`]: [m[0], m[1], m[2]], [`${name}_y`]: [m[3], m[4], m[5]] });
