// Fourier transforms of any length whose factors are small, in double precision.

/** A transform of `n` numbers (Stockham's, by radices 4, 2, 3, 5 and any other factor). */
export class Fourier {
  constructor(n) {
    this.n = n;
    this.cos = Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n));
    this.sin = Float64Array.from({ length: n }, (_, k) => -Math.sin((2 * Math.PI * k) / n));
    this.radices = factors(n);
    this.parts = [0, 1].map(() => ({ re: new Float64Array(n), im: new Float64Array(n) }));
  }

  /** The power |X|^2 of real numbers [<= n], filled up with 0: Float64Array [n / 2 + 1]. */
  power(samples) {
    const { re, im } = this.#of(samples);
    return Float64Array.from({ length: (this.n >> 1) + 1 }, (_, k) => re[k] * re[k] + im[k] * im[k]);
  }

  /** Real numbers [n] whose spectrum is real and even: its half [n / 2 + 1]. */
  evenInverse(half) {
    const full = new Float64Array(this.n);
    for (let k = 0; k < this.n; k++) full[k] = half[Math.min(k, this.n - k)];
    return this.#of(full).re.map((value) => value / this.n);
  }

  #of(samples) {
    let [from, to] = this.parts;
    from.re.fill(0).set(samples);
    from.im.fill(0);
    let left = this.n, stride = 1;
    for (const radix of this.radices) {
      this.#pass(from, to, radix, left / radix, stride);
      [from, to, left, stride] = [to, from, left / radix, stride * radix];
    }
    return from;
  }

  #pass(from, to, radix, groups, stride) {
    const { cos, sin, n } = this, turn = n / radix;
    for (let group = 0; group < groups; group++) {
      for (let out = 0; out < radix; out++) {
        const twist = (group * out * stride) % n, c = cos[twist], s = sin[twist];
        const target = stride * (radix * group + out);
        for (let at = 0; at < stride; at++) {
          let re = 0, im = 0;
          for (let q = 0; q < radix; q++) {
            const source = at + stride * (group + groups * q), k = (q * out * turn) % n;
            re += from.re[source] * cos[k] - from.im[source] * sin[k];
            im += from.re[source] * sin[k] + from.im[source] * cos[k];
          }
          to.re[target + at] = re * c - im * s;
          to.im[target + at] = re * s + im * c;
        }
      }
    }
  }
}

/** Factors of a length, fours first. */
function factors(n) {
  const found = [];
  for (; n % 4 === 0; n /= 4) found.push(4);
  for (let factor = 2; n > 1; factor++) for (; n % factor === 0; n /= factor) found.push(factor);
  return found;
}
