/** What draws the portrait, how large and before what: the choice of generator is shown only where there are several. */

export class Drawn {
  /** Three <select> and the field of any other colour; `changed` is called when the visitor chooses differently. */
  constructor({ generator, size, background, colour }, changed) {
    this.generator = generator;
    this.size = size;
    this.background = background;
    this.colour = colour;
    background.addEventListener("change", () => {
      colour.hidden = background.value !== "other";
      changed();
    });
    colour.addEventListener("change", changed);
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

  /** The next smaller size, null if there is none. */
  get smaller() {
    return Math.max(...[...this.size.options].map(({ value }) => Number(value)).filter((size) => size < Number(this.size.value)), 0) || null;
  }

  /** Take it, as if the visitor had chosen it. */
  shrink() {
    this.size.value = String(this.smaller ?? this.size.value);
    this.size.dispatchEvent(new Event("change"));
  }

  /** As fields of a new session. */
  get chosen() {
    const [picked, own] = [this.background.value, this.colour.value];
    const background = picked === "other" ? own : picked || undefined;
    return { generator: this.generator.value, size: Number(this.size.value), background };
  }
}
