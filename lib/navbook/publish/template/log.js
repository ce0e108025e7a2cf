// The log's filters: rows that fit all of them are shown; beside each choice, how many rows it would show.
const filterLog = () => {
  const log = document.querySelector(".log");
  if (!log) return;
  const chosen = Object.fromEntries([...log.querySelectorAll("select")].map((select) => [select.name, select.value]));
  const word = log.querySelector("input[type=search]").value.toLowerCase();
  const fits = (row, but) => Object.entries(chosen).every(([name, value]) => name === but || value === "" || row.dataset[name] === value)
    && (word === "" || row.textContent.toLowerCase().includes(word));
  const rows = [...log.querySelectorAll("tbody tr")];
  let shown = 0;
  for (const row of rows) {
    row.hidden = !fits(row);
    shown += row.hidden ? 0 : 1;
  }
  for (const select of log.querySelectorAll("select")) {
    const possible = rows.filter((row) => fits(row, select.name));
    for (const option of select.options) {
      const number = option.value === "" ? possible.length : possible.filter((row) => row.dataset[select.name] === option.value).length;
      option.textContent = `${option.dataset.name} ${number}`;
    }
  }
  log.querySelector(".shown").textContent = `${shown} of ${rows.length} lines`;
  const cell = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;    // a spreadsheet obeys no text
  const lines = [["time", "level", "category", "account", "event", "run"], ...rows.filter((row) => !row.hidden).map((row) =>
    [row.dataset.time, row.dataset.level, row.dataset.category, row.dataset.account, row.querySelector(".event").textContent, row.dataset.run])];
  const link = log.querySelector(".export");
  link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(lines.map((line) => line.map(cell).join(",")).join("\r\n"))}`;
};
document.addEventListener("input", (event) => { if (event.target.closest(".log")) filterLog(); });
filterLog();
