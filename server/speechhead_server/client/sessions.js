/** The session of the page: one of its own, or one that is there already and that the page's address names. */

const JOINED = new URL(location.href).searchParams.get("session");

/** @param {Api} api @param {object} wanted of a session of our own */
export const openSession = (api, wanted) =>
  JOINED ? api.json("GET", `/sessions/${encodeURIComponent(JOINED)}`) : api.json("POST", "/sessions", wanted);

/** End a session of our own; one that was joined stays. */
export const endSession = async (api, session, keepalive = false) =>
  JOINED ? null : api.send("DELETE", `/sessions/${session.id}`, { keepalive });
