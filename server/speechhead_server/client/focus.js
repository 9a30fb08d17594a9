/** The keyboard keeps its place: where what has it vanishes or is switched off, its neighbour gets it. */

const WAIT = 60; // ms until a browser has taken the focus away from what vanished

const usable = (element) => element?.isConnected && !element.disabled && element.checkVisibility({ visibilityProperty: true });

/** Where to go from an element that is gone. */
function after(gone) {
  const boxes = ["text", "talk-text", "offline-text"];
  const order = gone.closest("#stage") ? ["leave", "start"] : gone.closest("dialog") ? ["start", ...boxes] : boxes;
  const checked = gone.matches(".remove, .tile *, #upload *") && document.querySelector("#portraits :checked");
  return [checked, ...order.map((id) => document.getElementById(id))].find((element) => element && usable(element));
}

/** Watch the page from now on. */
export function keepFocus() {
  let last = null;
  document.addEventListener("focusin", ({ target }) => (last = target));
  const look = () => {
    if (last && document.activeElement === document.body && !usable(last)) after(last)?.focus();
  };
  new MutationObserver(() => last && !usable(last) && setTimeout(look, WAIT)).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "disabled"],
  });
}
