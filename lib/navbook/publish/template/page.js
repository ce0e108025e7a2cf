// What a page does by itself: light and dark, ages, charts as wide as their column.
const root = document.documentElement;

const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* a file from disk may not */ } };
const nameTheSwitch = () => {
  const button = document.querySelector(".switch");
  if (!button) return;
  button.hidden = false;
  button.textContent = dark() ? "Light" : "Dark";
};
nameTheSwitch();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheSwitch);
document.addEventListener("click", (event) => {
  if (!event.target.matches(".switch")) return;
  root.dataset.theme = dark() ? "light" : "dark";
  remember(root.dataset.theme);
  nameTheSwitch();
});

const span = (seconds) => {    // words.span says the same
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600), days = Math.floor(hours / 24), rest = hours % 24;
  if (hours < 48) return `${hours} h`;
  return rest && days < 10 ? `${days} d ${rest} h` : `${days} d`;
};
const secondsSince = (iso) => Math.max(0, Math.floor((Date.now() - Date.parse(iso)) / 1000));
const growOld = () => {
  const fresh = document.querySelector(".fresh[data-collected]");
  if (fresh) grade(fresh);
  for (const time of document.querySelectorAll("time.age")) time.textContent = span(secondsSince(time.dateTime));
  for (const bar of document.querySelectorAll(".aging")) {    // the tick, when it counts as late, is at three quarters
    const part = secondsSince(bar.dataset.at) / Number(bar.dataset.late);
    bar.classList.toggle("late", part > 1);
    bar.querySelector(".fill").style.width = `${Math.min(100, 75 * part)}%`;
  }
};
const grade = (fresh) => {
  const age = secondsSince(fresh.dataset.collected), interval = Number(fresh.dataset.interval);
  const grace = Math.min(300, interval / 10);    // a run takes a while
  const state = age > 2 * interval + grace ? "stale" : age > interval + grace ? "late" : "fresh";
  root.classList.toggle("late", state === "late");
  root.classList.toggle("stale", state === "stale");
  const [mark, before, after] = { fresh: ["", "Collected ", " ago"], late: ["!", "", " old, late"], stale: ["\u2715", "", " old"] }[state];
  const time = fresh.querySelector("time");
  fresh.querySelector("i").textContent = mark;
  fresh.replaceChildren(fresh.querySelector("i"), before, time, after);
  if (state === "stale") for (const part of document.querySelectorAll("[data-stale]")) {
    part.innerHTML = part.dataset.stale;    // our own HTML, escaped like the rest of the page
    delete part.dataset.stale;
  }
};
growOld();
setInterval(growOld, document.querySelector(".fresh.live") ? 1000 : 20000);

// A chart is drawn when it is first seen: a page holds one for each period.
const drawn = new Map();    // box -> { spec, view, narrow }
const visible = (box) => box.offsetParent !== null;
const chartOf = (box) => {
  if (!drawn.has(box)) drawn.set(box, { box, spec: JSON.parse(box.nextElementSibling.textContent) });
  return drawn.get(box);
};
const draw = async (chart) => {
  const width = chart.box.clientWidth, narrow = width < 520;
  const about = chart.spec.usermeta && chart.spec.usermeta.navbook;
  const padding = about ? about.padding[narrow ? "narrow" : "wide"] : chart.spec.padding;
  const plot = Math.max(120, width - padding.left - padding.right);
  if (chart.view && chart.narrow === narrow) {
    if (chart.view.width() !== plot) await chart.view.width(plot).runAsync();
    return;
  }
  chart.narrow = narrow;
  if (chart.view) chart.view.finalize();
  const known = chart.spec.signals ? "signals" : "params";    // compiled, or as it was written
  const given = (chart.spec[known] || []).map((each) => each.name === "narrow" ? { ...each, value: narrow } : each);
  const shown = await vegaEmbed(chart.box, { ...chart.spec, [known]: given, padding, width: plot }, {
    renderer: "svg", actions: false, defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "navbook" },
  });
  chart.view = shown.view;
};
const drawAll = async () => {
  const boxes = [...document.querySelectorAll(".chart")].filter(visible);
  if (!boxes.length) return;
  if (root.dataset.first === undefined) {    // paint the first before the others are worked out
    await draw(chartOf(boxes[0]));
    root.dataset.first = String(Math.round(performance.now()));
    await new Promise(requestAnimationFrame);
  }
  await Promise.all(boxes.map((box) => draw(chartOf(box))));
  root.dataset.drawn = String(boxes.length);
};
drawAll();
new ResizeObserver(drawAll).observe(document.querySelector("main"));
