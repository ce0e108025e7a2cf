// Periods: one of the pieces that the page holds for each is shown. A custom one is worked out from the points that
// the charts draw, as compute/periods.py does: the benchmark begins anew with what the account had.
const NBSP_THIN = "\u2009", MINUS = "\u2212";
const grouped = (value, places) => Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
const sign = (value, places, signed) => Number(Math.abs(value).toFixed(places)) === 0 ? "" : value < 0 ? MINUS : signed ? "+" : "";
const dollars = (value, signed = false) => `${sign(value, 0, signed)}$${grouped(value, 0)}`;
const brief = (value, signed = false) => {    // words.brief_dollars says the same
  const size = Math.abs(value), [unit, letter] = [[1e9, "B"], [1e6, "M"], [1e3, "k"]].find(([unit]) => size >= 0.99995 * unit) || [];
  if (!unit) return dollars(value, signed);
  const places = size >= 99.95 * unit ? 0 : 1;
  return `${sign(value / unit, places, signed)}$${grouped(value / unit, places).replace(/\.0$/, "")}${letter}`;
};
const percent = (fraction) => `${sign(100 * fraction, 1, true)}${grouped(100 * fraction, 1)}${NBSP_THIN}%`;
const inPoints = (fraction) => `${sign(100 * fraction, 1, true)}${grouped(100 * fraction, 1)} points`;
const day = (ms) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const moment = (ms) => `${day(ms)}, ${new Date(ms).toISOString().slice(11, 16)}`;
const tone = (value) => Math.round(value) > 0 ? "positive" : Math.round(value) < 0 ? "negative" : "";

const chooser = document.querySelector(".periods");
const held = document.getElementById("points");
const show = (name) => {
  for (const piece of document.querySelectorAll("[data-period]")) piece.hidden = piece.dataset.period !== name;
  for (const button of chooser.querySelectorAll("[data-choose]")) button.setAttribute("aria-pressed", String(button.dataset.choose === name));
  const dates = chooser.querySelector(".custom");
  if (dates) dates.hidden = name !== "custom";
  history.replaceState(null, "", name === "inception" ? location.pathname : `#${name}`);
  for (const link of document.querySelectorAll(".accounts a")) link.href = link.getAttribute("href").split("#")[0] + (name === "inception" || name === "custom" ? "" : `#${name}`);
  drawAll();
};

// The rate at which the flows grow to what is there, of the whole period under a year; as compute/money_weighted.py.
const moneyWeighted = (first, last, flows) => {
  const length = last.t - first.t, year = 365 * 864e5, unit = length < year ? length : year;
  const worth = (rate) => first.nav * (1 + rate) ** (length / unit) + flows.reduce((sum, [t, usd]) => sum + usd * (1 + rate) ** ((last.t - t) / unit), 0) - last.nav;
  let low = -0.999999, high = 100;
  if (worth(low) > 0 || worth(high) < 0) return null;
  for (let n = 0; n < 200; n += 1) { const middle = (low + high) / 2; if (worth(middle) > 0) high = middle; else low = middle; }
  return (low + high) / 2;
};
const custom = (from, to) => {
  const { points, flows, benchmark, account } = JSON.parse(held.textContent);
  const rows = points.map(([t, s, nav, worth, own, other]) => ({ t, s, nav, worth, own, other }));
  const start = Math.max(0, rows.findLastIndex((row) => row.t <= from));
  const inside = rows.slice(start).filter((row) => row.t <= to);
  if (inside.length < 2) return null;
  const first = inside[0], last = inside[inside.length - 1], more = first.nav - first.worth;
  let top = 0, otherTop = 0;
  for (const row of inside) {
    row.worth += more * row.other / first.other;
    top = Math.max(top, row.own);
    otherTop = Math.max(otherTop, row.other);
    row.fall = row.own / top - 1;
    row.otherFall = row.other / otherTop - 1;
  }
  const within = flows.filter(([t]) => t > first.t && t <= last.t);
  const ahead = last.nav - last.worth;
  return { rows: inside, first, last, flows: within, ahead, share: ahead / last.worth, account, full: benchmark[0], short: benchmark[1],
    twr: last.own / first.own - 1, otherTwr: last.other / first.other - 1, mwr: moneyWeighted(first, last, within),
    fall: Math.min(...inside.map((row) => row.fall)), otherFall: Math.min(...inside.map((row) => row.otherFall)) };
};

const element = (tag, name, ...inside) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...inside);
  return made;
};
const customVerdict = (found) => {
  const word = tone(found.ahead), heading = element("h1", "");
  const name = { positive: "Ahead", negative: "Behind", "": "Level" }[word];
  heading.append(element("b", word, name), word === "positive" ? ` of ${found.full} by ` : word ? ` ${found.full} by ` : ` with ${found.full} `);
  if (word) heading.append(element("b", "", `${dollars(Math.abs(found.ahead))} (${percent(found.share)})`), " ");
  heading.append(`from ${day(found.first.t)} to ${day(found.last.t)}.`);
  const note = element("p", "", "Worked out here, from the points that the charts draw; parts that only named periods have are left out.");
  return element("section", "verdict", heading, note);
};
const customFigures = (found) => {
  const own = (text) => element("span", "benchmark", text);
  const days = Math.floor((found.last.t - found.first.t) / 864e5);
  const flows = found.flows.reduce((sum, [, usd]) => sum + usd, 0);
  const figures = [
    ["Net asset value", dollars(found.last.nav), `${found.short} `, own(dollars(found.last.worth))],
    ["Ahead by", element("span", tone(found.ahead), dollars(found.ahead, true)), `${percent(found.share)} of the benchmark`],
    ["Return, time-weighted", percent(found.twr), `${found.short} `, own(percent(found.otherTwr)), `, ${inPoints(found.twr - found.otherTwr)}`],
    ["Return on money in", found.mwr === null ? "unknown" : percent(found.mwr), days < 365 ? `${days} days, not annualised` : "a year"],
    ["Deepest drawdown", percent(found.fall), `${found.short} `, own(percent(found.otherFall))],
    ["Deposits less withdrawals", dollars(flows, true), `${found.flows.length} in the period`]];
  return element("div", "figures", ...figures.map(([name, value, ...note]) =>
    element("p", "", element("span", "", name), element("b", "", value), element("small", "", ...note))));
};

const isZeroLine = (spec, part) => {
  const values = part.data.name ? spec.datasets[part.data.name] : null;
  return Array.isArray(values) && values.length === 1 && Object.keys(values[0]).join() === "y" && values[0].y === 0;
};

// The chart of all time, cut to a custom period: its rows, its axes and the labels at the end are made anew.
const COLUMNS = { "t,s,a,b": (row) => [row.t, row.s, row.nav, row.worth], "t,s,d": (row) => [row.t, row.s, row.nav - row.worth],
  "t,s,f,g": (row) => [row.t, row.s, row.fall, row.otherFall] };
const cut = (made, found) => {
  const [key] = Object.entries(made.datasets).find(([, values]) => typeof values === "string");
  const columns = made.datasets[key].split("\n", 1)[0], isFall = columns === "t,s,f,g";
  const rows = found.rows.map(COLUMNS[columns]);
  made.datasets[key] = [columns, ...rows.map((row) => row.join(","))].join("\n");
  const values = rows.flatMap((row) => row.slice(2)).concat(columns === "t,s,a,b" ? [] : [0]);
  const low = Math.min(...values), high = Math.max(...values), room = (high - low || 1) * 0.08;
  const y = [low - room, high + room], x = [found.first.t, found.last.t];
  const label = isFall ? "format(datum.value * 100, '.3~g') + ' %'" : `(datum.value < 0 ? '${MINUS}' : '') + '$' + (abs(datum.value) < 1000 ? format(abs(datum.value), ',.6~g') : format(abs(datum.value) / 1000, ',.5~g') + 'k')`;
  const axes = (part) => {
    const { encoding = {}, layer = [] } = part;
    if (encoding.x && encoding.x.field === "t" && encoding.x.scale) {
      encoding.x.scale.domain = x;
      encoding.x.axis = { labelOverlap: "greedy", tickCount: 6, format: "%-d %b", labels: encoding.x.axis.labels, domain: encoding.x.axis.domain };
    }
    if (encoding.y && encoding.y.scale) {
      encoding.y.scale.domain = y;
      encoding.y.axis = { tickCount: 5, grid: true, domain: false, labelExpr: label };
    }
    layer.forEach(axes);
  };
  axes(made);
  const isEnd = (part) => part.encoding && part.encoding.x && part.encoding.x.value === "width";
  made.layer = made.layer.filter((part) => !isEnd(part) && (part.data === undefined || isZeroLine(made, part)));
  const whole = (fraction) => `${sign(100 * fraction, 0, false)}${grouped(100 * fraction, 0)}${NBSP_THIN}%`;
  const end = (colour, name, value, long, short) => ({ colour, value, words: { wide: `${name} ${long(value)}`, brief: short(value) } });
  const share = (value) => `${dollars(value, true)} (${percent(found.share)})`;
  const ends = isFall ? [end("account", found.account, found.last.fall, percent, whole), end("benchmark", found.short, found.last.otherFall, percent, whole)]
    : columns === "t,s,d" ? [end(tone(found.ahead) || "text", "", found.ahead, share, (value) => brief(value, true))]
      : [end("account", found.account, found.last.nav, dollars, brief), end("benchmark", found.short, found.last.worth, dollars, brief)];
  const down = (value) => made.height * (y[1] - value) / (y[1] - y[0]);
  const apart = ends.map(({ value }) => down(value));
  if (apart.length === 2 && Math.abs(apart[0] - apart[1]) < 15) {
    const middle = (apart[0] + apart[1]) / 2, up = apart[0] <= apart[1] ? -1 : 1;
    apart[0] = middle + up * 7.5;
    apart[1] = middle - up * 7.5;
  }
  ends.forEach(({ colour, words }, n) => made.layer.push({
    data: { values: [{ wide: words.wide.trim(), brief: words.brief }] },
    mark: { type: "text", align: "left", dx: 8, fontWeight: "bold", color: `var(--${colour})`, clip: false, text: { expr: "narrow ? datum.brief : datum.wide" } },
    encoding: { x: { value: "width" }, y: { value: Math.min(made.height - 6, Math.max(6, apart[n])) } } }));
  return made;
};
const place = (piece, made) => {    // beside the same piece of all time
  const box = element("div", "", made);
  box.dataset.period = "custom";
  if (piece.custom) piece.custom.replaceWith(box); else piece.after(box);
  piece.custom = box;
};
const applyCustom = () => {
  const form = chooser.querySelector(".custom");
  const from = Date.parse(`${form.elements.from.value}T00:00:00Z`), to = Date.parse(`${form.elements.to.value}T23:59:59Z`);
  const found = from < to ? custom(from, to) : null;
  if (!found) {
    form.elements.to.setCustomValidity("No two snapshots lie in this period.");
    form.reportValidity();
    return;
  }
  form.elements.to.setCustomValidity("");
  for (const piece of document.querySelectorAll("[data-period=inception]")) {
    const chart = piece.querySelector(".chart");
    if (piece.querySelector(".verdict")) place(piece, customVerdict(found));
    else if (piece.querySelector(".figures")) place(piece, customFigures(found));
    else if (piece.querySelector(".range")) place(piece, element("span", "range muted", `${moment(found.first.t)} to ${moment(found.last.t)} UTC`));
    else if (chart) {
      const figure = piece.querySelector("figure").cloneNode(true), box = figure.querySelector(".chart");
      box.replaceChildren();
      box.setAttribute("aria-label", `${box.getAttribute("aria-label").split(",")[0]}, ${day(found.first.t)} to ${day(found.last.t)}.`);
      figure.querySelector(".note").textContent = `${day(found.first.t)} to ${day(found.last.t)}.`;
      const [compiled, written] = figure.querySelectorAll("script");
      compiled.textContent = JSON.stringify(cut(JSON.parse(written.textContent), found));
      written.remove();
      place(piece, figure);
    }
  }
  show("custom");
};
if (chooser) {
  chooser.addEventListener("click", (event) => {
    const name = event.target.dataset.choose;
    if (name === "custom") {
      const form = chooser.querySelector(".custom"), { points } = JSON.parse(held.textContent);
      const iso = (ms) => new Date(ms).toISOString().slice(0, 10);
      for (const [field, at] of [["from", points[0][0]], ["to", points[points.length - 1][0]]]) {
        const input = form.elements[field];
        input.min = iso(points[0][0]);
        input.max = iso(points[points.length - 1][0]);
        if (!input.value) input.value = iso(at);
      }
      applyCustom();
    } else if (name) show(name);
  });
  const form = chooser.querySelector(".custom");
  if (form) {
    form.addEventListener("change", applyCustom);
    form.addEventListener("submit", (event) => event.preventDefault());
  }
  const asked = location.hash.slice(1);
  if (chooser.querySelector(`[data-choose="${CSS.escape(asked)}"]`) && asked !== "custom") show(asked);
}
