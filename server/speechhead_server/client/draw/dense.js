// Samples between a picture's pixels, made once with a long filter: as `matte.Layers` and `plate.dense` make them.

const CRISP = 0.65;

/** OpenCV's Lanczos filter of eight pixels, half way between the fourth and the fifth. */
const HALF = lanczos();

/** A Gaussian of sigma 1, nine samples wide. */
const BELL = normal(Array.from({length: 9}, (_, k) => Math.exp(-0.5 * (k - 4) ** 2)));

const clamped = (at, end) => Math.min(Math.max(at, 0), end);
const mirrored = (at, end) => end - Math.abs(end - Math.abs(at));

function lanczos() {
  const root = Math.SQRT1_2;
  const turns = [[1, 0], [-root, -root], [0, 1], [root, -root], [-1, 0], [root, root], [0, -1], [-root, root]];
  const first = -3.5 * Math.PI * 0.25, sine = Math.sin(first), cosine = Math.cos(first);
  return normal(turns.map(([s, c], k) => (s * sine + c * cosine) / (((3.5 - k) * Math.PI * 0.25) ** 2)));
}

function normal(weights) {
  const sum = weights.reduce((all, one) => all + one, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * A picture [h, w, C] with two samples per pixel each way, [2h, 2w, C]: sample 2k is pixel k, those between are
 * sharpened, but for a fourth channel.
 */
export function dense({shape: [height, width, channels], data}) {
  const long = width * channels, wide = 2 * long, fine = new Float32Array(2 * height * wide);
  const below = new Float32Array(long), beside = new Float32Array(long);
  const edge = new Float32Array((width + 8) * channels);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * long, (y + 1) * long);
    filtered(below, data, down(y - 3, height, long, 8, clamped), HALF);
    for (const [part, line] of [[0, row], [1, below]]) {
      filtered(beside, bordered(edge, line, 3, channels, clamped), across(8, channels), HALF);
      interleaved(fine, (2 * y + part) * wide, line, beside, channels);
    }
  }
  sharpened(fine, 2 * height, wide, channels);
  return {shape: [2 * height, 2 * width, channels], data: fine};
}

/** Add to each sample that is no pixel what a Gaussian takes from it; beyond the border the picture is mirrored. */
function sharpened(fine, height, long, channels) {
  const blurred = new Float32Array(fine.length), soft = new Float32Array(long), colours = Math.min(channels, 3);
  const edge = new Float32Array(long + 8 * channels), offsets = across(9, channels);
  for (let at = 0; at < fine.length; at += long) {
    const line = fine.subarray(at, at + long);
    filtered(blurred.subarray(at, at + long), bordered(edge, line, 4, channels, mirrored), offsets, BELL);
  }
  for (let y = 0; y < height; y++) {
    filtered(soft, blurred, down(y - 4, height, long, 9, mirrored), BELL);
    const base = y * long, odd = y & 1;
    for (let x = odd ? 0 : channels; x < long; x += odd ? channels : 2 * channels) {
      for (let k = x; k < x + colours; k++) fine[base + k] += CRISP * (fine[base + k] - soft[k]);
    }
  }
}

/** Pixels of two lines in turn. */
function interleaved(out, to, one, other, channels) {
  for (let k = 0; k < one.length; k += channels) {
    for (let c = 0; c < channels; c++) {
      out[to + 2 * k + c] = one[k + c];
      out[to + 2 * k + channels + c] = other[k + c];
    }
  }
}

/** A line with `reach` pixels before it and as many after it as `edge` has room for. */
function bordered(edge, line, reach, channels, inside) {
  const count = line.length / channels, last = edge.length / channels;
  const put = (at) => {
    for (let c = 0; c < channels; c++) edge[at * channels + c] = line[inside(at - reach, count - 1) * channels + c];
  };
  edge.set(line, reach * channels);
  for (let at = 0; at < reach; at++) put(at);
  for (let at = reach + count; at < last; at++) put(at);
  return edge;
}

/** Where the taps of a filter across a bordered line begin. */
function across(taps, channels) {
  return Array.from({length: taps}, (_, tap) => tap * channels);
}

/** Where the lines begin that a filter down reads from line `first` on. */
function down(first, height, long, taps, inside) {
  return Array.from({length: taps}, (_, tap) => inside(first + tap, height - 1) * long);
}

/** A line as the sum of eight or nine that begin at `offsets`; what is as far from the middle weighs the same. */
function filtered(out, data, offsets, weights) {
  const last = offsets.length - 1, middle = last === 8 ? weights[4] : 0;
  const [a, b, c, d] = offsets, [h, g, f, e] = offsets.slice(last - 3), o = offsets[4];
  const [p, q, r, s] = weights;
  for (let k = 0; k < out.length; k++) {
    out[k] = p * (data[a + k] + data[e + k]) + q * (data[b + k] + data[f + k]) + r * (data[c + k] + data[g + k])
      + s * (data[d + k] + data[h + k]) + middle * data[o + k];
  }
}
