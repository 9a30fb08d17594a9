/** A worker that is asked: each question has its answer, and what it can not do is an error here. */

export class Caller {
  #worker;
  #calls = new Map();
  #ended = null; // why nothing can be asked any more
  #number = 0;

  /** @param {URL} url of the worker @param {string} what it is, for errors */
  constructor(url, what) {
    this.#worker = new Worker(startable(url), {type: "module"});
    this.#worker.onmessage = ({data: {number, result, error}}) => {
      const asked = this.#calls.get(number);
      if (!asked) return; // it has ended meanwhile
      const {done, fail} = asked;
      this.#calls.delete(number);
      if (error) fail(new Error(error));
      else done(result);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault?.();
      const why = event.message || "it was not loaded";
      this.end(new Error(`${what} can not run (${why}). Reload the page.`));
    };
  }

  /** @param {object} message @param {Transferable[]} [given] what of it the worker keeps */
  call(message, given = []) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((done, fail) => {
      const number = this.#number++;
      this.#calls.set(number, {done, fail});
      this.#worker.postMessage({number, ...message}, given);
    });
  }

  /** End the worker; what it still had to do fails, and so does all that it is asked. */
  close(error) {
    this.#worker.terminate();
    this.end(error);
  }

  /** Let all that was asked fail. */
  end(error) {
    this.#ended = error;
    for (const {fail} of this.#calls.values()) fail(error);
    this.#calls.clear();
  }
}

/** A worker's address that a page may start: a page of another origin starts one of its own, which imports ours. */
function startable(url) {
  if (url.origin === location.origin) return url;
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], {type: "text/javascript"}));
}
