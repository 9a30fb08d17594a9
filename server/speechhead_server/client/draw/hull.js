/** The outline around places. */

export class Hull {
  /** @param {number} count of places */
  constructor(count) {
    this.order = Uint16Array.from({ length: count }, (_, i) => i); // from left to right; it hardly changes from frame to frame
    this.found = new Uint16Array(2 * count);
  }

  /**
   * Writes the outline of places, `step` numbers each, of which the first two count; its last place fills `out` up.
   * @param {Float32Array} places @param {number} step @param {Float32Array} out [n x 2]
   */
  around(places, step, out) {
    const [order, found] = [this.order, this.found];
    const before = (a, b) => places[step * a] - places[step * b] || places[step * a + 1] - places[step * b + 1];
    for (let i = 1; i < order.length; i++) {
      const one = order[i];
      let k = i;
      for (; k > 0 && before(order[k - 1], one) > 0; k--) order[k] = order[k - 1];
      order[k] = one;
    }
    const turns = (a, b, c) => {
      const [x, y] = [places[step * a], places[step * a + 1]];
      return (places[step * b] - x) * (places[step * c + 1] - y) - (places[step * b + 1] - y) * (places[step * c] - x);
    };
    let count = 0;
    const walk = (from, to, by) => {
      const first = count + 1;
      for (let i = from; i !== to; i += by) {
        while (count > first && turns(found[count - 2], found[count - 1], order[i]) <= 0) count--;
        found[count++] = order[i];
      }
      count--; // the last place begins the way back
    };
    walk(0, order.length, 1);
    walk(order.length - 1, -1, -1);
    for (let i = 0; 2 * i < out.length; i++) {
      const place = step * found[Math.min(i, count - 1)];
      out[2 * i] = places[place];
      out[2 * i + 1] = places[place + 1];
    }
  }
}
