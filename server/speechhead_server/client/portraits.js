/** The portraits: those of the server and the visitor's own, which is uploaded and prepared with progress. */

import { Problem } from "./api.js";

const KEPT = "speechhead-portraits";
const POLL = 400; // ms between two looks at a portrait in preparation

export class Portraits {
  chosen = null; // an avatar as the server describes it
  #pictures = new Map(); // object URLs by avatar
  #upload = null; // AbortController of the one that runs

  /**
   * @param {{list, file, box, preview, text, bar, cancel}} parts elements of the page
   * @param {{chosen: Function, failed: Function, ready: Function}} on
   */
  constructor(api, parts, on) {
    this.api = api;
    this.parts = parts;
    this.on = on;
    parts.file.addEventListener("change", () => {
      if (parts.file.files[0]) this.upload(parts.file.files[0]);
      parts.file.value = "";
    });
    parts.cancel.addEventListener("click", () => this.#upload?.abort());
  }

  async load({ upload, avatar_days: days }) {
    this.limit = upload;
    if (days) this.parts.kept.textContent = `Your picture is kept on this server, for ${days} ${days === 1 ? "day" : "days"}.`;
    const { avatars, default: first } = await this.api.get("/avatars");
    const own = [];
    for (const id of JSON.parse(sessionStorage.getItem(KEPT) ?? "[]")) {
      const avatar = await this.api.get(`/avatars/${id}`).catch(() => null); // forgotten by the server meanwhile
      if (avatar?.state === "ready") own.push(avatar);
    }
    this.avatars = [...avatars, ...own];
    this.chosen = this.avatars.find((avatar) => avatar.id === first) ?? this.avatars[0];
    this.#draw();
    await this.picture(this.chosen);
  }

  /** Address of an avatar's preview. */
  async picture(avatar) {
    if (!this.#pictures.has(avatar.id)) this.#pictures.set(avatar.id, await this.api.picture(avatar.picture));
    return this.#pictures.get(avatar.id);
  }

  async upload(file) {
    const { box, preview, text, bar } = this.parts;
    if (this.#upload) return;
    const abort = (this.#upload = new AbortController());
    const shown = URL.createObjectURL(file);
    let made = null;
    try {
      if (!file.type.startsWith("image/")) throw new Problem(`${file.name} is no picture. Choose a JPEG, PNG or WebP.`, 422);
      if (file.size > this.limit) {
        const [size, most] = [file.size, this.limit].map((bytes) => (bytes / 2 ** 20).toFixed(1));
        throw new Problem(`${file.name} has ${size} MB, the server takes ${most}. Choose a smaller picture.`, 413);
      }
      preview.src = shown;
      box.hidden = false;
      text.textContent = "Uploading";
      bar.value = 0;
      made = await this.api.upload("/avatars", file, (part) => (bar.value = 0.5 * part), abort.signal);
      text.textContent = "Finding the face";
      while (made.state === "preparing") {
        bar.value = 0.5 + 0.5 * made.progress;
        await new Promise((resolve) => setTimeout(resolve, POLL));
        abort.signal.throwIfAborted();
        made = await this.api.get(`/avatars/${made.id}`);
      }
      if (made.state === "failed") throw new Problem(made.error, 422);
      this.avatars.push(made);
      this.#keep();
      this.chosen = made;
      this.#draw();
      this.on.ready(made);
      this.on.chosen(made);
    } catch (error) {
      if (made) this.api.send("DELETE", `/avatars/${made.id}`).catch(() => {});
      if (error.name !== "AbortError") this.on.failed(error);
    } finally {
      URL.revokeObjectURL(shown);
      box.hidden = true;
      this.#upload = null;
    }
  }

  async remove(avatar) {
    await this.api.send("DELETE", `/avatars/${avatar.id}`).catch(() => {});
    this.#drop(avatar);
    this.parts.list.querySelector("input:checked")?.focus();
  }

  /** What to tell of an answer to the chosen portrait: that the server has forgotten it, and then another one is chosen. */
  without(error) {
    const { chosen } = this;
    if (error.status !== 404 || !chosen || chosen.shipped) return error;
    this.#drop(chosen);
    return new Problem(`The server no longer has "${chosen.name}". Choose the picture again, or begin with ${this.chosen.name}.`, 410);
  }

  #drop(avatar) {
    this.avatars = this.avatars.filter((other) => other !== avatar);
    this.#keep();
    if (this.chosen === avatar) {
      this.chosen = this.avatars[0];
      this.on.chosen(this.chosen);
    }
    this.#draw();
  }

  #keep() {
    const own = this.avatars.filter((avatar) => !avatar.shipped);
    sessionStorage.setItem(KEPT, JSON.stringify(own.map((avatar) => avatar.id)));
  }

  #draw() {
    const tiles = this.avatars.map((avatar) => this.#tile(avatar));
    const add = document.createElement("button");
    add.type = "button";
    add.className = "tile add";
    add.innerHTML = '<svg aria-hidden="true"><use href="#i-plus"/></svg><span>Your picture</span>';
    add.addEventListener("click", () => this.parts.file.click());
    this.parts.list.replaceChildren(...tiles, add);
  }

  #tile(avatar) {
    const label = document.createElement("label");
    label.className = "tile";
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "portrait", value: avatar.id });
    radio.checked = avatar === this.chosen;
    radio.addEventListener("change", () => {
      this.chosen = avatar;
      this.on.chosen(avatar);
    });
    const picture = Object.assign(document.createElement("img"), { alt: "", width: 96, height: 96 });
    this.picture(avatar).then((address) => (picture.src = address)).catch(() => {});
    const name = Object.assign(document.createElement("span"), { textContent: avatar.name });
    label.append(radio, picture, name);
    if (avatar.shipped) return label;
    const wrap = document.createElement("div");
    wrap.className = "own";
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove" });
    remove.setAttribute("aria-label", `Remove ${avatar.name}`);
    remove.innerHTML = '<svg aria-hidden="true"><use href="#i-close"/></svg>';
    remove.addEventListener("click", () => this.remove(avatar));
    wrap.append(label, remove);
    return wrap;
  }
}
