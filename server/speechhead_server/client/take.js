/** Which take of the same: the seed of a session, one that is shown and can be asked for again. */

const MOST = 2 ** 31 - 1; // of the seeds that the server draws itself

/** Any seed. */
export const anySeed = () => Math.floor(Math.random() * (MOST + 1));

/** A field of a seed that is given, in range; undefined where it is empty. */
export function seedOf(field) {
  return field.value.trim() === "" ? undefined : Math.min(Math.max(Math.round(Number(field.value)) || 0, 0), MOST);
}

export class Take {
  /**
   * @param {{seed, another}} parts a number field and the button of another take
   * @param {Function} changed called when the visitor asks for another one
   */
  constructor({ seed, another }, changed) {
    this.seed = seed;
    seed.addEventListener("change", () => {
      seed.value = seedOf(seed) ?? "";
      changed();
    });
    another.addEventListener("click", () => {
      seed.value = anySeed();
      changed();
    });
  }

  /** As a field of a new session. */
  get chosen() {
    return { seed: seedOf(this.seed) };
  }

  /** The take that a session plays; it is not asked for again unless the visitor writes it down. */
  shown({ seed }) {
    this.seed.placeholder = `now ${seed}`;
  }
}

/** Keyframes of recordings: a CSV or JSON file that is sent with each of them until it is taken away. */
export class Keyframes {
  /** @param {{file, name, clear}} parts the input, where its file's name is written, and the button that takes it away */
  constructor({ file, name, clear }) {
    this.file = file;
    const none = name.textContent;
    const show = () => {
      name.textContent = file.files[0]?.name ?? none;
      clear.hidden = !file.files.length;
    };
    file.addEventListener("change", show);
    clear.addEventListener("click", () => {
      file.value = "";
      show();
      file.focus();
    });
  }

  /** As fields of a recording's form. */
  async chosen() {
    const file = this.file.files[0];
    return file ? { keyframes: await file.text() } : {};
  }
}
