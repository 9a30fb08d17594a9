/** Requests to the server, and what went wrong in one sentence with what to do about it. */

const KEPT = "speechhead-token";

/** A refusal: `message` is the server's own line, `status` is 0 where it was not reached at all. */
export class Problem extends Error {
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The server. All paths are taken from where the page is, so that it also works behind a prefix. */
export class Api {
  constructor() {
    const page = new URL(location.href);
    const given = page.searchParams.get("token");
    if (given) { // kept for this tab, and out of the address bar, of histories and of screenshots
      sessionStorage.setItem(KEPT, given);
      page.searchParams.delete("token");
      history.replaceState(null, "", page);
    }
    this.token = sessionStorage.getItem(KEPT) ?? "";
  }

  setToken(token) {
    this.token = token.trim();
    sessionStorage.setItem(KEPT, this.token);
  }

  url(path) {
    return new URL(`.${path}`, location.origin + location.pathname).href;
  }

  headers(type) {
    const headers = type ? { "Content-Type": type } : {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    return headers;
  }

  /** The response to a request; a Problem for any other answer than success. */
  async send(method, path, { body, type, keepalive, signal } = {}) {
    let response;
    try {
      response = await fetch(this.url(path), { method, body, keepalive, signal, headers: this.headers(type) });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("The server does not answer. Check that it runs and that this device is in its network.");
    }
    if (!response.ok) throw await problem(response);
    return response;
  }

  async get(path) {
    return (await this.send("GET", path)).json();
  }

  async json(method, path, value = {}) {
    return (await this.send(method, path, { body: JSON.stringify(value), type: "application/json" })).json();
  }

  /** Address of a picture that may need the token: an object URL. */
  async picture(path) {
    return URL.createObjectURL(await (await this.send("GET", path)).blob());
  }

  /** Upload a file, and further fields of its form, with progress 0..1; fetch can't report any. */
  upload(path, file, progress, signal, fields = {}) {
    const form = new FormData();
    form.append("file", file);
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    return this.form(path, form, progress, signal);
  }

  /** Send a form with progress 0..1. */
  form(path, form, progress, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.url(path));
      for (const [name, value] of Object.entries(this.headers())) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onload = () => {
        const answer = parsed(request.responseText);
        if (request.status < 300) resolve(answer);
        else reject(new Problem(answer.error ?? `The server answered ${request.status}.`, request.status));
      };
      request.onerror = () => reject(new Problem("The upload broke off. Check the connection and try again."));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal?.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }
}

async function problem(response) {
  const answer = parsed(await response.text());
  const wait = Number(response.headers.get("Retry-After")) || 0;
  return new Problem(answer.error ?? `The server answered ${response.status}.`, response.status, wait);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
