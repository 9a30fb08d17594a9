/** What draws the portrait, and how large: the choice of generator is shown only where there are several. */

export class Drawn {
  /** Two <select>; `changed` is called when the visitor chooses another generator or size. */
  constructor(generator, size, changed) {
    this.generator = generator;
    this.size = size;
    this.offered = [];
    generator.addEventListener("change", () => {
      this.fillSizes();
      changed();
    });
    size.addEventListener("change", changed);
  }

  /** The generators of /config, the default one first. */
  offer(generators) {
    this.offered = generators;
    this.generator.replaceChildren(...generators.map(({ name }) => new Option(name, name)));
    this.generator.closest("label").hidden = generators.length < 2;
    this.fillSizes();
  }

  /** The sizes of the chosen generator, its own one chosen. */
  fillSizes() {
    const { size: own, sizes } = this.offered.find(({ name }) => name === this.generator.value);
    this.size.replaceChildren(...sizes.map((size) => new Option(`${size} × ${size}`, size, false, size === own)));
  }

  /** As fields of a new session. */
  get chosen() {
    return { generator: this.generator.value, size: Number(this.size.value) };
  }
}
