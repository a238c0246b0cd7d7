// Lets tables be sorted by a column, within their groups, and rows be looked for.
"use strict";
(() => {
  const FEW = 4, MANY = 12;
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

  // "▲ −1.2 × 10⁻⁷" is -1.2e-7; text has no number.
  function number(text) {
    const found = text.replace(/−/g, "-").replace("∞", "Infinity")
      .match(/^▲?\s*(-?(?:[\d.]+|Infinity))(?:\s*×\s*10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+))?/);
    if (!found) return null;
    const power = [...(found[3] || "")].map(digit => RAISED.indexOf(digit)).join("");
    return Number(found[1]) * 10 ** (power ? Number(power) * (found[2] ? -1 : 1) : 0);
  }

  function compared(one, other, numeric) {
    if (!numeric) return one.localeCompare(other, undefined, { numeric: true });
    const [a, b] = [number(one), number(other)];
    return a === null || b === null ? (a === null) - (b === null) : a - b;
  }

  function sorted(rows, column, direction, numeric) {
    const cell = row => row.cells[column].textContent;
    const known = row => !numeric || number(cell(row)) !== null;
    const order = (a, b) => known(a) && known(b) ? direction * compared(cell(a), cell(b), numeric)
      : compared(cell(a), cell(b), numeric);
    return direction ? [...rows].sort(order) : rows;
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const groups = [...table.tBodies].map(body => ({ body, rows: [...body.rows].filter(row => row.className !== "group") }));
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
        heads.forEach(one => one.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        const direction = { ascending: 1, descending: -1, none: 0 }[next];
        for (const { body, rows } of groups) body.append(...sorted(rows, column, direction, head.className === "n"));
      });
    });
  }

  function searchable(box, table) {
    const rows = [...table.tBodies].flatMap(body => [...body.rows]).filter(row => row.className !== "group");
    const tools = document.createElement("p"), label = document.createElement("label");
    const input = document.createElement("input"), told = document.createElement("span");
    tools.className = "tools";
    input.type = "search";
    told.setAttribute("role", "status");
    label.append("Show rows with ", input);
    tools.append(label, told);
    box.before(tools);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
        n += !row.hidden;
      }
      for (const body of table.tBodies) {
        body.hidden = ![...body.rows].some(row => row.className !== "group" && !row.hidden);
      }
      told.textContent = words.length ? `${n} of ${rows.length}` : "";
    });
  }

  for (const box of document.querySelectorAll(".scroll")) {
    const table = box.querySelector("table");
    const n = table.querySelectorAll("tbody tr:not(.group)").length;
    if (n >= FEW) sortable(table);
    if (n >= MANY) searchable(box, table);
  }
})();
