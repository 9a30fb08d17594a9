/** Captions: the sentence that is being said, with the word that is heard now. */

const plain = (word) => word.toLocaleLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/**
 * @param {HTMLElement} shown for the eyes, a span per word
 * @param {HTMLElement} spoken for screen readers, one announcement per sentence
 */
export class Captions {
  #shown;
  #spoken;
  #words = [];
  #next = 0;
  #timer = 0;

  constructor(shown, spoken) {
    this.#shown = shown;
    this.#spoken = spoken;
  }

  caption({ text }) {
    clearTimeout(this.#timer);
    this.#next = 0;
    this.#words = text.trim().split(/\s+/).map((word) => {
      const span = document.createElement("span");
      span.textContent = word;
      return span;
    });
    this.#shown.replaceChildren(...this.#words.flatMap((span) => [span, " "]));
    this.#shown.scrollTop = 0;
    this.#spoken.textContent = text;
  }

  /** Numbers and abbreviations are said in other words than they are written: those move on by one. */
  word({ word, start, end }) {
    const ahead = this.#words.slice(this.#next, this.#next + 4);
    const found = ahead.findIndex((span) => plain(span.textContent) === plain(word));
    const span = ahead[Math.max(0, found)];
    if (!span) return;
    this.#next += Math.max(0, found) + 1;
    for (const other of this.#words) other.classList.remove("now");
    for (const before of this.#words.slice(0, this.#next)) before.classList.add("said");
    span.classList.add("now");
    const box = this.#shown;
    if (span.offsetTop + span.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = span.offsetTop;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => span.classList.remove("now"), 1000 * (end - start) + 250);
  }

  /** The end of an utterance: it stays readable for a moment, a cut one goes at once. */
  done({ interrupted }) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), interrupted ? 0 : 2500);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#words = [];
    this.#shown.replaceChildren();
    this.#spoken.textContent = "";
  }
}
