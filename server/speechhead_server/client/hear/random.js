// The generator that Python's side draws from, number for number: numpy's PCG64 behind its SeedSequence, with its
// ziggurats for normal and exponential numbers (Marsaglia and Tsang, 2000). So equal seeds give equal motion.

const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** The words of 32 bits that a list of whole numbers seeds a generator with: numpy's SeedSequence. */
function seedWords(entropy, count) {
  const words = entropy.flatMap(wordsOf);
  let constant = 0x43b0d7e5;
  const hashed = (value) => {
    value = (value ^ constant) >>> 0;
    constant = Math.imul(constant, 0x931e8875) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mixed = (x, y) => {
    const value = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((at) => hashed(words[at] ?? 0));
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  for (const word of words.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], hashed(word));
  constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, at) => {
    let value = (pool[at % 4] ^ constant) >>> 0;
    constant = Math.imul(constant, 0x58f38ded) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  });
}

function wordsOf(number) {
  const words = [];
  for (let left = BigInt(number); left > 0n || !words.length; left >>= 32n) words.push(Number(left & 0xffffffffn));
  return words;
}

/** Layers of a ziggurat of 256: widths `w`, heights `f` and the whole numbers `k` below which a draw is inside. */
function ziggurat(radius, area, density, inverse, steps) {
  const w = new Float64Array(256), f = new Float64Array(256), k = new Float64Array(256);
  let x = radius, before = radius;
  const base = area / density(radius);
  [k[0], k[1], w[0], w[255]] = [Math.trunc((radius / base) * steps), 0, base / steps, radius / steps];
  [f[0], f[255]] = [1, density(radius)];
  for (let layer = 254; layer >= 1; layer--) {
    x = inverse(area / x + density(x));
    k[layer + 1] = Math.trunc((x / before) * steps);
    before = x;
    f[layer] = density(x);
    w[layer] = x / steps;
  }
  return { w, f, k };
}

const NORMAL_END = 3.6541528853610088;
const EXPONENTIAL_END = 7.69711747013104972;
const normals = ziggurat(
  NORMAL_END, 0.00492867323397465524494, (x) => Math.exp(-0.5 * x * x), (y) => Math.sqrt(-2 * Math.log(y)), 2 ** 52);
const exponentials = ziggurat(
  EXPONENTIAL_END, 0.0039496598225815571993, (x) => Math.exp(-x), (y) => -Math.log(y), 2 ** 53);

export class Random {
  /** @param {number[]} entropy whole numbers >= 0, as `numpy.random.default_rng` takes them */
  constructor(entropy) {
    const words = seedWords(entropy, 8).map(BigInt);
    const [a, b, c, d] = [0, 2, 4, 6].map((at) => words[at] | (words[at + 1] << 32n));
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK128;
    this.state = (this.increment + ((a << 64n) | b)) & MASK128;
    this.state = (this.state * MULTIPLIER + this.increment) & MASK128;
  }

  /** 64 random bits. */
  bits() {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK128;
    const value = (this.state >> 64n) ^ (this.state & MASK64), turn = this.state >> 122n;
    return ((value >> turn) | (value << (64n - turn))) & MASK64;
  }

  /** Uniform in [0, 1). */
  random() {
    return Number(this.bits() >> 11n) * 2 ** -53;
  }

  /** Standard normal. */
  normal() {
    const { w, f, k } = normals;
    for (;;) {
      const bits = this.bits(), layer = Number(bits & 0xffn), below = (bits >> 8n) & 1n;
      const whole = Number((bits >> 9n) & 0xfffffffffffffn);
      const x = below ? -whole * w[layer] : whole * w[layer];
      if (whole < k[layer]) return x;
      if (layer === 0) return this.#normalTail((bits >> 17n) & 1n);
      if ((f[layer - 1] - f[layer]) * this.random() + f[layer] < Math.exp(-0.5 * x * x)) return x;
    }
  }

  #normalTail(below) {
    for (;;) {
      const x = -Math.log1p(-this.random()) / NORMAL_END, y = -Math.log1p(-this.random());
      if (y + y > x * x) return below ? -(NORMAL_END + x) : NORMAL_END + x;
    }
  }

  /** Exponential of mean 1. */
  exponential() {
    const { w, f, k } = exponentials;
    for (;;) {
      const bits = this.bits() >> 3n, layer = Number(bits & 0xffn), whole = Number(bits >> 8n);
      const x = whole * w[layer];
      if (whole < k[layer]) return x;
      if (layer === 0) return EXPONENTIAL_END - Math.log1p(-this.random());
      if ((f[layer - 1] - f[layer]) * this.random() + f[layer] < Math.exp(-x)) return x;
    }
  }
}
