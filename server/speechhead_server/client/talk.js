/** A conversation: what the visitor writes or says, what the avatar answers, and whose turn it is. */

const KEEP = 20000; // ms between two signs of life
const SAID = { hearing: "I hear you", writing: "Writing it down", thinking: "Thinking", speaking: "Speaking" };

export class Talk {
  #$;
  #on;
  #socket = null;
  #timer = 0;
  #held = false;
  #answer = null; // the avatar's turn on the page

  /**
   * @param {Document} page with the elements of the conversation
   * @param {object} on api; live: connects and returns the session, null if that fails; microphone: opens it, or with
   * false ends it; sound: what is heard has changed; tell: shows an error; announce: for screen readers
   */
  constructor(page, on) {
    this.#$ = (id) => page.getElementById(id);
    this.#on = on;
    this.active = false; // the page is in a conversation, not saying texts
    this.open = false; // the microphone
    this.#wire();
  }

  /** Whether the microphone is to send sound now. */
  get hears() {
    return this.open || this.#held;
  }

  /** Offer it, where the server's configuration has it. */
  offer(config) {
    this.#$("modes").hidden = !config;
    for (const id of ["talk-hold", "talk-open"]) this.#$(id).hidden = !config?.listens;
    this.#$("talk-send").disabled = false;
    this.#$("talk-hold").disabled = this.#$("talk-open").disabled = false;
  }

  /** Talk with the avatar of a session. */
  follow(session) {
    this.leave();
    if (!this.active || !session) return;
    const address = new URL(this.#on.api.url(`/sessions/${session.id}/talk`).replace(/^http/, "ws"));
    if (this.#on.api.token) address.searchParams.set("token", this.#on.api.token);
    const socket = (this.#socket = new WebSocket(address));
    socket.ready = new Promise((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onclose = () => {
        resolve(false);
        if (socket === this.#socket) this.leave();
      };
    });
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(JSON.parse(data));
    this.#timer = setInterval(() => this.#send({ ping: true }), KEEP);
    if (this.open) socket.ready.then(() => this.#send({ listen: true }));
  }

  /** End the socket; the microphone's wish stays for the next one. */
  leave() {
    clearInterval(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#held = false;
    this.#show("idle");
  }

  /** The microphone has ended. */
  deaf() {
    this.open = this.#held = false;
    this.#send({ listen: false });
    this.#pressed();
  }

  #send(order) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(order));
  }

  async #ready() {
    const session = await this.#on.live();
    if (!session) return false;
    if (!this.#socket) this.follow(session);
    return this.#socket.ready;
  }

  async #write() {
    const box = this.#$("talk-text");
    const text = box.value.trim();
    if (!text) return box.focus();
    if (!(await this.#ready())) return;
    this.#send({ text });
    box.value = "";
  }

  /** Open microphone, on and off. */
  async #toggle() {
    if (this.open) {
      this.deaf();
      await this.#on.microphone(false);
      this.#on.announce("Microphone off");
      return;
    }
    if (!(await this.#ready()) || !(await this.#on.microphone(true))) return;
    this.open = true;
    this.#send({ listen: true });
    this.#pressed();
    this.#on.announce("Microphone open: speak, and interrupt, as you like");
  }

  /** A key or a finger holds the button. */
  async #hold(on) {
    if (on === this.#held) return;
    this.#held = on;
    this.#pressed();
    if (!on) {
      this.#send({ hold: false });
      return;
    }
    const able = (await this.#ready()) && (await this.#on.microphone(true));
    if (!able || !this.#held) { // let go while the browser asked
      this.#held = false;
      this.#pressed();
      return;
    }
    this.#on.sound();
    this.#send({ hold: true });
  }

  #pressed() {
    this.#$("talk-open").setAttribute("aria-pressed", String(this.open));
    this.#$("talk-hold").setAttribute("aria-pressed", String(this.#held));
    this.#on.sound();
  }

  // What the server says.

  #hear(message) {
    if (message.type === "state") this.#show(message.state);
    else if (message.type === "user") this.#asked(message.text);
    else if (message.type === "answer") this.#answers(message);
    else if (message.type === "heard") this.#heard(message);
    else if (message.type === "timing") this.#$("talk").dataset.first = message.first_frame_ms;
    else if (message.type === "forgotten") this.#clear();
    else if (message.type === "error") this.#add("wrong", "Problem", message.error.charAt(0).toUpperCase() + message.error.slice(1));
  }

  #clear() {
    this.#$("turns").replaceChildren();
    this.#answer = null;
  }

  #asked(text) {
    delete this.#$("talk").dataset.first; // of the turn before
    this.#add("you", "You", text);
  }

  #answers({ text }) {
    this.#answer ??= this.#add("avatar", "Avatar", "");
    this.#answer.textContent += `${this.#answer.textContent && " "}${text}`;
    this.#$("turns").scrollTop = this.#$("turns").scrollHeight;
  }

  /** What was not heard stays to be read, but is marked. */
  #heard({ text, interrupted }) {
    const said = this.#answer;
    this.#answer = null;
    if (!said || !interrupted) return;
    const rest = said.textContent.slice(text.length);
    const mark = Object.assign(document.createElement("s"), { textContent: rest });
    said.replaceChildren(text, mark, Object.assign(document.createElement("em"), { textContent: " interrupted" }));
  }

  /** A turn at the end of the list; returns where its words are. */
  #add(kind, who, text) {
    if (kind !== "wrong") this.#answer = null;
    const turn = document.createElement("li");
    turn.className = kind;
    const name = Object.assign(document.createElement("strong"), { textContent: who });
    const words = Object.assign(document.createElement("p"), { textContent: text });
    turn.append(name, words);
    const list = this.#$("turns");
    list.append(turn);
    list.scrollTop = list.scrollHeight;
    return words;
  }

  #show(state) {
    this.#$("talk").dataset.state = state;
    const first = Number(this.#$("talk").dataset.first);
    const told = state === "speaking" && first ? `Answered in ${(first / 1000).toFixed(1)} s` : SAID[state];
    this.#$("talk-stop").disabled = !["writing", "thinking", "speaking"].includes(state);
    this.#$("talk-state").textContent = told ?? (this.open ? "Listening" : "");
  }

  // Wiring.

  #wire() {
    const $ = this.#$;
    for (const mode of $("modes").querySelectorAll("input")) mode.addEventListener("change", () => this.#choose(mode.value === "talk"));
    $("talk-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write().catch(this.#on.tell);
    });
    $("talk-text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#write().catch(this.#on.tell);
    });
    $("talk-open").addEventListener("click", () => this.#toggle().catch(this.#on.tell));
    $("talk-stop").addEventListener("click", () => this.#send({ clear: true }));
    $("talk-new").addEventListener("click", () => {
      if (this.#socket) this.#send({ forget: true });
      else this.#clear();
      $("talk-text").focus();
    });
    const button = $("talk-hold");
    const hold = (on) => this.#hold(on).catch(this.#on.tell);
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture?.(event.pointerId);
      hold(true);
    });
    for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, () => hold(false));
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press
    for (const kind of ["keydown", "keyup"]) {
      button.addEventListener(kind, (event) => {
        if (event.key !== " " && event.key !== "Enter") return;
        event.preventDefault();
        if (!event.repeat) hold(kind === "keydown");
      });
    }
  }

  /** Say texts, or talk. */
  async #choose(active) {
    this.active = active;
    this.#$("talk").hidden = !active;
    this.#$("composer").hidden = active;
    this.#$("spoken").setAttribute("aria-live", active ? "off" : "polite"); // the list of turns says it
    if (!active) {
      this.open = false;
      this.leave();
      this.#pressed();
    }
    await this.#on.microphone(false);
    if (active) this.#$("talk-text").focus();
  }
}
