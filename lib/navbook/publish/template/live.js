// A live page asks again while somebody looks, and puts what it gets in the place of what it shows. Until then, and
// when the server does not answer, the last values stay, with their age.
const again = document.querySelector("meta[name=navbook-live]");
const refresh = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(`${location.pathname}?fresh=1&${location.search.slice(1)}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const main = document.querySelector("main");
    for (const kept of main.querySelectorAll("[data-keep]")) {    // what a reader has set stays set
      const other = fresh.querySelector(`[data-keep="${CSS.escape(kept.dataset.keep)}"]`);
      if (other) other.replaceWith(kept);
    }
    main.replaceChildren(...fresh.childNodes);
    root.classList.remove("stale", "old");
    nameTheSwitch();
    growOld();
    drawAll();
    filterLog();
  } catch { root.classList.add("stale"); }
};
if (again) {
  root.classList.add("old");    // what was shown last, until the fresh page is there
  refresh();
  setInterval(refresh, 1000 * Number(again.content));
  document.addEventListener("visibilitychange", refresh);
}
