/* Figures are drawn, tables sort.
 * SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
for (const figure of document.querySelectorAll("[data-figure]")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  R.draw[figure.dataset.figure](figure, data);
}

for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, i) => {
    const cell = row.cells[i];
    if (!cell) return "";
    return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const sort = (i) => {
    const up = heads[i].getAttribute("aria-sort") !== "ascending";
    for (const h of heads) h.removeAttribute("aria-sort");
    heads[i].setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [value(row, i), row]);
    rows.sort(([a], [b]) => {
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1; /* what is missing comes last */
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
      return up ? order : -order;
    });
    body.append(...rows.map(([, row]) => row));
  };
  heads.forEach((h, i) => {
    const text = h.textContent;
    h.textContent = "";
    R.button(h, text, () => sort(i));
  });
}
