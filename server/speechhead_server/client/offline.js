/** The tab of videos that are made in the background: a form, and a card for each video. */

import { Api } from "./api.js";
import { Take } from "./take.js";
import { fillVoices } from "./voices.js";

const POLL = 700; // ms between two looks at a video that is being made
const SHOWN = { waiting: "Waiting", working: "Being made", done: "Ready", failed: "Not made" };

const FILES = ["source", "audio", "head", "keyframes"]; // of the form

const $ = (id) => document.getElementById(id);

/** Two tabs, of which the arrow keys choose as well. */
function followTabs(opened) {
  const tabs = [$("tab-live"), $("tab-offline")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      $(tab.getAttribute("aria-controls")).hidden = !on;
    }
    if (chosen.id === "tab-offline") opened();
  };
  tabs.forEach((tab, number) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      tabs[1 - number].focus();
      choose(tabs[1 - number]);
    });
  });
}

/** The link that skips the page's head leads to the text box that is shown. */
function followSkip() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    [$("text"), $("talk-text"), $("offline-text")].find((box) => box.checkVisibility())?.focus();
  });
}

/** What is chosen and written, sent as one form; its answers become cards. */
class Offline {
  constructor() {
    this.ready = false;
    $("offline-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.make();
    });
    for (const id of FILES) {
      const unset = $(`offline-${id}-name`).textContent;
      $(`offline-${id}`).addEventListener("change", ({ target }) => {
        $(`offline-${id}-name`).textContent = target.files[0]?.name ?? unset;
      });
    }
    $("offline-audio").addEventListener("change", ({ target }) => ($("offline-text").disabled = target.files.length > 0));
    $("offline-head").addEventListener("change", ({ target }) => ($("offline-brows").disabled = !target.files.length));
    this.take = new Take({ seed: $("offline-seed"), another: $("offline-another") }, () => {});
  }

  /** Fill the lists when the tab is opened for the first time. */
  async open() {
    if (this.ready) return;
    this.api = new Api(); // with the token that the visitor has given meanwhile
    try {
      const [config, { voices }] = await Promise.all([this.api.get("/config"), this.api.get("/voices")]);
      if (!config.limits.offline) throw new Error("This server makes no videos in the background.");
      this.limit = config.limits.offline;
      fillVoices($("offline-voice"), voices);
      for (const name of config.emotions.filter((each) => each !== "neutral")) $("offline-emotion").append(new Option(name, name));
      $("offline-generator").replaceChildren(...config.generators.map(({ name }) => new Option(name, name)));
      $("offline-generator").closest("label").hidden = config.generators.length < 2;
      $("offline-make").disabled = false;
      this.ready = true;
      this.wrong("");
    } catch (error) {
      this.wrong(error.message);
    }
  }

  wrong(text) {
    $("offline-wrong").textContent = text;
    $("offline-wrong").hidden = !text;
  }

  async make() {
    const files = Object.fromEntries(FILES.map((id) => [id, $(`offline-${id}`).files[0]]).filter(([, file]) => file));
    const { source, audio } = files, { seed } = this.take.chosen;
    const text = audio ? "" : $("offline-text").value.trim();
    if (!audio && !text) return this.wrong("Write a text, or choose a recording.");
    const size = Object.values(files).reduce((all, file) => all + file.size, 0);
    if (size > this.limit) return this.wrong(`These files are too large: at most ${Math.round(this.limit / 2 ** 20)} MB together.`);
    const form = new FormData();
    for (const [name, file] of Object.entries(files)) form.append(name, file);
    if (!audio) form.append("text", text);
    if (files.head && $("offline-brows").checked) form.append("head_brows", "yes");
    if (seed !== undefined) form.append("seed", seed);
    if (!audio && $("offline-voice").value) form.append("voice", $("offline-voice").value);
    if ($("offline-emotion").value) form.append("emotion", $("offline-emotion").value);
    form.append("form", $("offline-output").value);
    form.append("generator", $("offline-generator").value);
    this.wrong("");
    const card = new Card(this.api, source?.name ?? "Default portrait", audio?.name ?? text);
    $("offline-jobs").prepend(card.box);
    $("offline-make").disabled = true;
    try {
      card.follow(await this.api.form("/offline", form, (share) => card.sent(share)));
    } catch (error) {
      card.box.remove();
      this.wrong(error.message);
    } finally {
      $("offline-make").disabled = false;
    }
  }
}

/** One video: how far it is, then what it looks like. */
class Card {
  constructor(api, who, what) {
    this.api = api;
    this.box = part("article", "job card");
    this.title = part("p", "", `${who}: ${what.slice(0, 80)}`);
    this.state = part("p", "hint", "Sending");
    this.bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    this.bar.setAttribute("aria-label", "Progress");
    this.row = part("div", "row end");
    this.away = Object.assign(part("button", "tool", "Cancel"), { type: "button", disabled: true });
    this.away.addEventListener("click", () => this.remove());
    this.row.append(this.away);
    this.box.append(this.title, this.state, this.bar, this.row);
  }

  sent(share) {
    this.bar.value = share;
  }

  async follow(job) {
    this.id = job.id;
    this.away.disabled = false;
    this.bar.value = 0;
    while (!this.removed) {
      this.show(job);
      if (job.state === "done") return this.play(job);
      if (job.state === "failed") return;
      await new Promise((go) => setTimeout(go, POLL));
      try {
        job = await this.api.get(`/offline/${this.id}`);
      } catch (error) {
        if (error.status === 0 || error.status === 429) continue; // it may answer again
        job = { ...job, state: "failed", error: error.message };
      }
    }
  }

  show(job) {
    this.box.dataset.state = job.state;
    const place = job.before ? `, ${job.before} before it` : "";
    const frames = job.state === "working" && job.done ? `: ${job.done}${job.total ? ` of ${job.total}` : ""} frames` : "";
    this.state.textContent = `${SHOWN[job.state]}${place}${frames}`;
    if (job.total) this.bar.value = job.done / job.total;
    else if (job.state === "working") this.bar.removeAttribute("value");
    this.bar.hidden = job.state === "done" || job.state === "failed";
    if (job.state === "done" || job.state === "failed") this.away.textContent = "Remove";
    if (job.state !== "done" && job.state !== "failed") return;
    const notes = job.notes.map((note) => part("p", "hint", note));
    this.state.after(...(job.error ? [part("p", "wrong", job.error)] : []), ...notes);
  }

  async play(job) {
    const address = (this.address = await this.api.picture(`/offline/${this.id}/video`));
    const still = job.file.endsWith(".gif");
    const shown = Object.assign(document.createElement(still ? "img" : "video"), { src: address, controls: true, playsInline: true });
    shown.setAttribute("aria-label", "The video");
    this.box.prepend(shown);
    const link = Object.assign(part("a", "tool", "Download"), { href: address, download: job.file });
    this.row.prepend(link);
  }

  remove() {
    this.removed = true;
    this.box.remove();
    if (this.address) URL.revokeObjectURL(this.address);
    this.api.send("DELETE", `/offline/${this.id}`).catch(() => {});
  }
}

function part(name, style, text = "") {
  return Object.assign(document.createElement(name), { className: style, textContent: text });
}

const offline = new Offline();
followTabs(() => offline.open());
followSkip();
