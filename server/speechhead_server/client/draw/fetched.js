// Files that are fetched once: kept in the browser's Cache, and asked for again only by the hash the server gave them.

const STORE = "speechhead-files";

/**
 * The bytes at an address. What is kept is used where the server says it is the same, or can not be reached.
 * @param {string|URL} url
 * @param {{cache?: boolean, headers?: Record<string, string>}} [options]
 * @returns {Promise<Uint8Array>} not gzipped, whatever the file is
 */
export async function fetched(url, {cache = true, headers = {}} = {}) {
  const address = new URL(url, globalThis.location?.href);
  const kept = cache && globalThis.caches ? await caches.open(STORE).catch(() => null) : null;
  const old = await kept?.match(address);
  const hash = old?.headers.get("etag");
  // Another origin would have to be asked first whether it takes the header.
  const asks = hash && address.origin === location.origin ? {...headers, "If-None-Match": hash} : headers;
  const answer = await fetch(address, {headers: asks, cache: "no-cache"}).catch((error) => {
    if (!old) throw new Error(`${address.pathname}: can not be fetched (${error.message}). Check the connection.`);
    return old;
  });
  if (answer === old || (answer.status === 304 && old)) return new Uint8Array(await old.arrayBuffer());
  if (!answer.ok) throw new Error(await refusal(answer, address));
  const bytes = await unzipped(new Uint8Array(await answer.arrayBuffer()));
  const etag = answer.headers.get("etag");
  if (etag) await kept?.put(address, new Response(bytes, {headers: {etag}})).catch(() => {}); // a full disk is no fault
  return bytes;
}

async function refusal(answer, address) {
  const told = await answer.json().catch(() => ({}));
  return told.error ?? `${address.pathname}: ${answer.status} ${answer.statusText}. Check the address.`;
}

/** Bytes as they were before gzip; those that never were gzipped stay as they are. */
export async function unzipped(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
