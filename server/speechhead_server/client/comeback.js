/** Waiting for a server that restarts. */

const LOOKS = [1000, 2000, 4000, 8000, 15000, 30000, 30000, 60000]; // ms before each look whether it is back

/** Resolves to true when the server takes sessions again, to false when `wanted` says no; the last refusal is thrown. */
export async function serverBack(api, wanted) {
  for (const pause of LOOKS) {
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2))); // not all pages at once
    if (!wanted()) return false;
    try {
      await api.get("/readyz");
      return wanted();
    } catch (error) {
      if (pause === LOOKS.at(-1)) throw error;
    }
  }
  return false;
}
