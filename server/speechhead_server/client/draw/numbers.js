/** Numbers by name, one after the other in one array that is kept and written anew for every frame. */

export class Numbers {
  /** @param {[string, number[]][]} shapes names and shapes, in order */
  constructor(shapes) {
    this.shapes = shapes;
    const length = ([, shape]) => shape.reduce((all, side) => all * side, 1);
    this.numbers = new Float32Array(shapes.reduce((all, one) => all + length(one), 0));
    this.parts = {};
    let start = 0;
    for (const one of shapes) {
      this.parts[one[0]] = this.numbers.subarray(start, start + length(one));
      start += length(one);
    }
  }

  /** A view on the numbers of a name. @returns {Float32Array} */
  number(name) {
    return this.parts[name];
  }
}
