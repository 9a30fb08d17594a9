/** What went wrong, in words for the visitor: a title, what happened, and what to do; and the dialogue for the token. */

import { NoPath } from "./connection.js";
import { StandingStill } from "./pace.js";

/** Where problems are shown. */
export class Notices {
  #shown = null; // the error

  /** @param {Document} page with the elements of the notice and the dialogue `ask` */
  constructor(page) {
    this.$ = (id) => page.getElementById(id);
    this.$("notice-close").addEventListener("click", () => this.clear());
    this.$("ask").addEventListener("cancel", (event) => event.preventDefault()); // nothing works without it
  }

  /** @param {Function} again what the notice's button does */
  show(error, config, again) {
    const { title, text, again: label } = explain(error, config);
    const button = this.$("notice-act");
    this.$("notice-title").textContent = title;
    this.$("notice-text").textContent = text;
    button.hidden = !label;
    button.disabled = false;
    button.textContent = label ?? "";
    button.onclick = () => again();
    this.$("notice").hidden = false;
    this.#shown = error;
    if (label && error.retryAfter) this.#countDown(error.retryAfter, label);
    console.warn(`${title}: ${text}`);
  }

  clear() {
    this.$("notice").hidden = true;
    this.#shown = null;
  }

  /** What was said of this kind of problem holds no more. @param {Function} kind a class */
  settle(kind) {
    if (this.#shown instanceof kind) this.clear();
  }

  /** Ask for the token, then go on. */
  ask(api, again) {
    this.$("ask-text").hidden = Boolean(api.token);
    this.$("ask-wrong").hidden = !api.token;
    this.$("ask-form").onsubmit = () => {
      api.setToken(this.$("token").value);
      this.$("token").value = "";
      again();
    };
    if (!this.$("ask").open) this.$("ask").showModal();
  }

  /** Trying earlier than the server says is in vain. */
  #countDown(seconds, label) {
    const button = this.$("notice-act");
    const mine = button.onclick;
    const step = () => {
      if (button.onclick !== mine) return;
      button.disabled = seconds > 0;
      button.textContent = seconds > 0 ? `${label} in ${seconds} s` : label;
      if (seconds-- > 0) setTimeout(step, 1000);
    };
    step();
  }
}

/**
 * @param {Error} error
 * @param {object} config of the server, null where it is not known yet
 * @returns {{title: string, text: string, again?: string}} `again` labels the button that tries once more
 */
export function explain(error, config) {
  if (error instanceof NoPath) return noPath(error, config);
  if (error instanceof StandingStill) return standing(error);
  const text = sentence(error.message);
  switch (error.status) {
    case 0:
      return { title: "The server can't be reached", text, again: "Try again" };
    case 403:
      return { title: "This page may not use the server", text };
    case 404:
      return { title: "It is gone", text, again: "Start anew" };
    case 410:
      return { title: "This picture is gone", text, again: "Start" };
    case 413:
      return { title: "Too large", text };
    case 429:
      return { title: "Too much at once", text };
    case 503:
      return { title: "The server is full", text, again: "Try again" };
    default:
      return { title: error.status >= 500 ? "The server failed" : "That did not work", text };
  }
}

function standing({ fps, network, smaller }) {
  const few = `${Math.round(fps)} of 25 pictures a second arrive: `;
  const again = smaller ? `Take ${smaller} × ${smaller}` : undefined;
  if (network) {
    const advice = smaller ? "Go nearer to the access point, use a cable, or take a smaller picture." : "Go nearer to the access point, or use a cable.";
    return { title: "The pictures hardly move", again, text: `${few}the server sends more, and the network loses them. ${advice}` };
  }
  const why = "the server's machine is too slow for this size, or busy with something else.";
  const advice = smaller ? "A smaller picture moves sooner." : "Nothing smaller is offered here: end other programs and sessions there, or run the server on a faster machine.";
  return { title: "The pictures hardly move", again, text: `${few}${why} ${advice}` };
}

function noPath({ local, remote }, config) {
  const title = "No way through for picture and sound";
  const again = "Try again";
  const servers = (config?.ice_servers ?? []).flatMap((server) => server.urls);
  const turn = servers.some((url) => url.startsWith("turn"));
  if (!local.size) {
    return { title, again, text: "The browser offered no address at all. A privacy extension, a policy or a VPN blocks WebRTC: allow it for this page." };
  }
  const tried = `Web pages load, but media over UDP to ${[...remote].slice(0, 4).join(", ") || "the server"} does not arrive.`;
  if (turn && !local.has("relay")) {
    return { title, again, text: `${tried} The TURN server gave no relay: check its address, user and password (--turn, --turn-user, --turn-password), and that its port is open.` };
  }
  if (turn) {
    return { title, again, text: `${tried} Not even by the TURN server: check that the server itself reaches it, and try another network here.` };
  }
  return { title, again, text: `${tried} In the same network: open the server's UDP ports in its firewall. Server in a container or behind NAT: start it with --udp-ports and --public-ip. From elsewhere, or behind a strict firewall: give it a TURN server with --turn.` };
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
