// The logit lens: a row for each token, a column for each layer, a table for each model.
// One cell of each table has the tab stop; the arrow keys move it, Enter or Space chooses its token.
// Every text is set as textContent.

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// As format_probability in dashboard/charts/formatting.py: 0.312, 7.5e-05.
function short(proba) {
  return proba >= 0.001 ? proba.toFixed(3) : proba.toExponential(1).replace(/e-(\d)$/, "e-0$1");
}

function describe(lens, i, layer) {
  const cell = lens.cells[i][layer];
  const best = cell.best.map((token, k) => `${token} ${short(cell.probas[k])}`).join(", ");
  return `After ${lens.tokens[i]}, layer ${layer}: ${best}. Target ${lens.targets[i]} ${short(cell.target_proba)}.`;
}

function createTable(state, lens, number) {
  const figure = element("figure", "lens");
  figure.append(element("figcaption", "", lens.name));
  const scroller = element("div", "scroller");
  const table = element("table");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", `Logit lens of ${lens.name}`);
  const head = element("tr");
  head.append(...["token", ...lens.cells[0].map((_, layer) => (layer ? `${layer}` : "layer 0"))].map((title, i) => {
    const cell = element("th", i ? "" : "text", title);
    cell.scope = "col";
    return cell;
  }));
  const header = element("thead");
  header.append(head);
  const body = element("tbody");
  const cells = lens.cells.map((row, i) => {
    const line = element("tr");
    const name = element("th", "text token", lens.tokens[i]);
    name.scope = "row";
    line.append(name);
    const there = row.map((cell, layer) => {
      const node = element("td", "cell");
      node.style.setProperty("--strength", cell.strength);
      node.append(element("span", "best", cell.best[0]), element("span", "proba", cell.probas[0].toFixed(2)));
      node.setAttribute("aria-label", describe(lens, i, layer));
      node.tabIndex = -1;
      node.addEventListener("mouseenter", () => (state.hint.textContent = describe(lens, i, layer)));
      node.addEventListener("focus", () => (state.hint.textContent = describe(lens, i, layer)));
      return node;
    });
    line.append(...there);
    body.append(line);
    return there;
  });
  const focus = (i, layer) => {
    const row = Math.max(0, Math.min(cells.length - 1, i));
    const next = cells[row][Math.max(0, Math.min(cells[row].length - 1, layer))];
    for (const cell of cells.flat()) cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };
  const placeOf = (target) => {
    const cell = target.closest?.(".cell");
    const i = cells.findIndex((row) => row.includes(cell));
    return [i, i < 0 ? -1 : cells[i].indexOf(cell)];
  };
  body.addEventListener("keydown", (event) => {
    const [i, layer] = placeOf(event.target);
    if (i < 0) return;
    const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    if (step) focus(i + step[0], layer + step[1]);
    else if (event.key === "Home") focus(0, layer);
    else if (event.key === "End") focus(cells.length - 1, layer);
    else if ((event.key === "Enter" || event.key === " ") && number === 0) state.report("token", i);
    else return;
    event.preventDefault();
  });
  body.addEventListener("click", (event) => {
    const [i] = placeOf(event.target);
    if (i >= 0 && number === 0) state.report("token", i);
  });
  scroller.addEventListener("scroll", () => {
    for (const other of state.tables) if (other.scroller !== scroller) other.scroller.scrollTop = scroller.scrollTop;
  });
  table.append(header, body);
  scroller.append(table);
  figure.append(scroller);
  return { figure, scroller, cells, rows: [...body.children] };
}

function legend(steps) {
  const node = element("div", "legend");
  node.append(element("span", "", "p of the target from 0"));
  [0, ...steps].forEach((from, i) => {
    if (i) node.append(element("span", "", from));
    const bar = element("span", "step");
    bar.style.setProperty("--strength", i / steps.length);
    node.append(bar);
  });
  node.append(element("span", "", "to 1"));
  return node;
}

function build(state, data) {
  state.tables = data.lenses.map((lens, i) => createTable(state, lens, i));
  state.hint = element("p", "hint");
  state.hint.setAttribute("role", "status");
  const tables = element("div", "tables");
  tables.append(...state.tables.map((table) => table.figure));
  state.host.replaceChildren(tables, legend(data.steps), state.hint);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".lens-table");
  const state = (host.lensTable ??= { host });
  state.report = setTriggerValue;
  host.style.setProperty("--target", data.color);
  const shape = JSON.stringify(data.lenses);
  if (shape !== state.shape) {
    state.shape = shape;
    state.position = undefined;
    build(state, data);
  }
  state.tables.forEach((table, number) => {
    // Another vocabulary has other tokens: its row of this number is not the chosen one.
    const isSame = String(data.lenses[number].tokens) === String(data.lenses[0].tokens);
    const chosen = table.rows[Math.min(data.position, table.rows.length - 1)];
    if (state.position !== data.position) table.scroller.scrollTop = chosen.offsetTop - table.scroller.clientHeight / 2;
    table.rows.forEach((row, i) => row.toggleAttribute("data-chosen", isSame && i === data.position));
    if (!table.cells.flat().some((cell) => cell === document.activeElement)) {
      table.cells.flat().forEach((cell) => (cell.tabIndex = -1));
      const row = table.cells[Math.min(data.position, table.cells.length - 1)];
      row[row.length - 1].tabIndex = 0;
    }
  });
  state.position = data.position;
}
