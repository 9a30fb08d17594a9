/** The box for a text that is to be said: Enter says it, Ctrl Enter cuts in, and near its end it tells what is left. */

export class Composer {
  #parts;
  #most = Infinity;

  /** @param {{form, text, count, speak}} parts elements of the page @param {(interrupt: boolean) => void} say */
  constructor(parts, say) {
    this.#parts = parts;
    const { form, text, speak } = parts;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      say(false);
    });
    text.addEventListener("input", () => this.#count());
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!speak.disabled) say(event.ctrlKey || event.metaKey);
    });
  }

  /** Characters that it takes. */
  set most(most) {
    this.#parts.text.maxLength = this.#most = most;
  }

  empty() {
    this.#parts.text.value = "";
    this.#count();
  }

  #count() {
    const length = this.#parts.text.value.length;
    this.#parts.count.textContent = length > 0.8 * this.#most ? `${this.#most - length} left` : "";
  }
}
