// Samples between a picture's pixels, made once with a long filter: as `matte.Layers` and `plate.dense` make them.

const CRISP = 0.65;

/** OpenCV's Lanczos filter of eight pixels, half way between the fourth and the fifth. */
const HALF = lanczos();

/** A Gaussian of sigma 1, nine samples wide. */
const BELL = normal(Array.from({length: 9}, (_, k) => Math.exp(-0.5 * (k - 4) ** 2)));

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
  const across = between(data, height, width, channels, 1);
  const parts = [data, across, between(data, height, width, channels, 0), between(across, height, width, channels, 0)];
  const wide = 2 * width, fine = new Float32Array(4 * data.length);
  for (let y = 0; y < 2 * height; y++) {
    for (let x = 0; x < wide; x++) {
      const from = ((y >> 1) * width + (x >> 1)) * channels, to = (y * wide + x) * channels;
      const part = parts[2 * (y & 1) + (x & 1)];
      for (let c = 0; c < channels; c++) fine[to + c] = part[from + c];
    }
  }
  const soft = blurred(blurred(fine, 2 * height, wide, channels, 1), 2 * height, wide, channels, 0);
  const colours = Math.min(channels, 3);
  for (let y = 0; y < 2 * height; y++) {
    for (let x = y & 1 ? 0 : 1; x < wide; x += y & 1 ? 1 : 2) {
      const at = (y * wide + x) * channels;
      for (let c = at; c < at + colours; c++) fine[c] += CRISP * (fine[c] - soft[c]);
    }
  }
  return {shape: [2 * height, wide, channels], data: fine};
}

/** Values half a pixel further right (axis 1) or down (axis 0); beyond the border the last pixel goes on. */
function between(data, height, width, channels, axis) {
  return filtered(data, height, width, channels, axis, HALF, -3, (at, end) => Math.min(Math.max(at, 0), end));
}

/** Beyond the border the picture is mirrored at its last pixel. */
function blurred(data, height, width, channels, axis) {
  return filtered(data, height, width, channels, axis, BELL, -4, (at, end) => end - Math.abs(end - Math.abs(at)));
}

function filtered(data, height, width, channels, axis, weights, first, inside) {
  const out = new Float32Array(data.length), length = axis ? width : height, taps = weights.length;
  const step = axis ? channels : width * channels;
  // Where each tap of each place along the axis reads, in values.
  const reads = Int32Array.from({length: length * taps}, (_, k) => inside(Math.floor(k / taps) + first + (k % taps), length - 1) * step);
  const rows = axis ? height : 1, run = axis ? channels : width * channels;
  for (let row = 0; row < rows; row++) {
    const base = row * width * channels;
    for (let at = 0; at < length; at++) {
      const to = base + at * step;
      for (let tap = 0; tap < taps; tap++) {
        const from = base + reads[at * taps + tap], weight = weights[tap];
        for (let k = 0; k < run; k++) out[to + k] += weight * data[from + k];
      }
    }
  }
  return out;
}
