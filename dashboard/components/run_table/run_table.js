// All runs as a table: searched and sorted here, chosen by ID. Rows are reused between updates, so
// that focus and scroll position stay. Users' text is only ever set as textContent.

const PAGE = 100; // rows shown at first

const COLUMNS = [
  { key: "name", label: "Run", of: (row) => (row.name || row.id).toLowerCase() },
  { key: "text", label: "Text", of: (row) => row.text.toLowerCase() },
  { key: "preset", label: "Preset", of: (row) => `${row.preset} ${row.changes}` },
  { key: "state", label: "State", of: (row) => row.state },
  { key: "train", label: "Training loss", number: true, of: (row) => row.train },
  { key: "val", label: "Validation loss", number: true, of: (row) => row.val },
  { key: "bits", label: "Bits per byte", number: true, of: (row) => row.bits },
  { key: "lowest", label: "Lowest validation", number: true, of: (row) => row.lowest },
  { key: "steps", label: "Steps", number: true, of: (row) => row.steps },
  { key: "seconds", label: "Time", number: true, of: (row) => row.seconds },
  { key: "created", label: "Started", number: true, of: (row) => row.created },
];

const SHOWN = {
  train: (row) => loss(row.train),
  val: (row) => loss(row.val),
  bits: (row) => loss(row.bits),
  lowest: (row) => loss(row.lowest),
  steps: (row) => (row.steps < row.total ? `${whole(row.steps)} of ${whole(row.total)}` : whole(row.total)),
  seconds: (row) => row.time,
  created: (row) => started(row.created),
};

const loss = (number) => (number === null ? "–" : number.toFixed(3));
const whole = (number) => number.toLocaleString("en");
const started = (seconds) =>
  new Date(seconds * 1000).toLocaleString(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function searchable(row) {
  return [row.name, row.id, row.owner, row.text, row.preset, row.changes, row.state, row.note].join("\n").toLowerCase();
}

function build(state) {
  const bar = element("div", "bar");
  state.search = element("input", "search");
  state.search.type = "search";
  state.search.placeholder = "Search: name, text, preset, state, note";
  state.search.setAttribute("aria-label", "Search the runs");
  state.count = element("span", "count");
  state.count.setAttribute("role", "status");
  state.order = element("select", "order");
  state.order.setAttribute("aria-label", "Sort by");
  for (const { key, label, number } of COLUMNS) {
    const words = key === "created" ? ["oldest first", "newest first"] : number ? ["lowest first", "highest first"] : ["A to Z", "Z to A"];
    for (const [sign, order] of [[1, words[0]], [-1, words[1]]]) {
      const option = element("option", "", `${label}: ${order}`);
      option.value = `${key} ${sign}`;
      state.order.append(option);
    }
  }
  state.order.addEventListener("change", () => {
    const [key, sign] = state.order.value.split(" ");
    sort(state, key, Number(sign));
  });
  state.search.addEventListener("input", () => {
    state.most = PAGE;
    arrange(state);
  });
  state.jump = element("button", "jump", "Go to the chosen runs ↓");
  state.jump.type = "button";
  state.jump.addEventListener("click", () => document.querySelector(".st-key-chosen_part")?.scrollIntoView());
  bar.append(state.search, state.order, state.count, state.jump);

  const table = element("table");
  table.setAttribute("aria-label", "Runs");
  const head = element("tr");
  const all = element("th", "choose");
  state.all = element("input");
  state.all.type = "checkbox";
  state.all.setAttribute("aria-label", "Choose all runs found");
  state.all.addEventListener("change", () => chooseAll(state));
  all.append(state.all);
  head.append(all);
  state.heads = {};
  for (const { key, label, number } of COLUMNS) {
    const cell = element("th", number ? "number" : "");
    cell.scope = "col";
    const button = element("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => sort(state, key, state.sorted.key === key ? -state.sorted.sign : number ? -1 : 1));
    cell.append(button);
    head.append(cell);
    state.heads[key] = cell;
  }
  const thead = element("thead");
  thead.append(head);
  state.body = element("tbody");
  table.append(thead, state.body);
  state.more = element("button", "more");
  state.more.type = "button";
  state.more.addEventListener("click", () => {
    state.most = Infinity;
    arrange(state);
  });
  const frame = element("div", "frame");
  frame.append(table);
  state.none = element("div", "none", "No run matches all of these words.");
  frame.append(state.none);
  state.host.replaceChildren(bar, frame, state.more);
}

function makeRow(state, id) {
  const tr = element("tr");
  const choose = element("td", "choose");
  const box = element("input");
  box.type = "checkbox";
  box.addEventListener("change", () => {
    if (box.checked) state.chosen.add(id);
    else state.chosen.delete(id);
    mark(state);
    state.report();
  });
  choose.append(box);
  tr.append(choose);
  const cells = {};
  for (const { key, label, number } of COLUMNS) {
    const cell = element("td", `${key}${number ? " number" : ""}`);
    cell.dataset.label = label;
    cells[key] = cell;
    tr.append(cell);
  }
  const link = element("a");
  link.href = `train?run=${encodeURIComponent(id)}`;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // the browser opens a tab
    event.preventDefault();
    state.open(id);
  });
  const owner = element("span", "note");
  const note = element("span", "note");
  cells.name.append(link, owner, note);
  const preset = element("span");
  const changes = element("span", "note");
  cells.preset.append(preset, changes);
  const badge = element("span", "badge");
  cells.state.append(badge);
  // A click on the row toggles its checkbox; links in it work as usual.
  tr.addEventListener("click", (event) => {
    if (!event.target.closest("a, input") && !String(getSelection())) box.click();
  });
  return { tr, box, cells, link, owner, note, preset, changes, badge };
}

function fill(parts, row) {
  const { box, cells, link, owner, note, preset, changes, badge } = parts;
  write(link, row.name || row.id);
  write(owner, row.owner);
  write(note, row.note);
  note.title = row.note;
  box.setAttribute("aria-label", `Choose ${row.name || row.id}`);
  write(cells.text, row.text);
  write(preset, row.preset);
  write(changes, row.changes);
  changes.title = row.changes;
  write(badge, row.state);
  badge.dataset.color = row.color;
  for (const [key, shown] of Object.entries(SHOWN)) write(cells[key], shown(row));
  cells.lowest.title = row.lowest_step === null ? "" : `at step ${whole(row.lowest_step)}`;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null); // unknown values come last
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

function sort(state, key, sign) {
  state.sorted = { key, sign };
  arrange(state);
}

// Filter, sort and show the rows.
function arrange(state) {
  const words = state.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const { key, sign } = state.sorted;
  const value = COLUMNS.find((column) => column.key === key).of;
  state.found = state.data.rows
    .filter((row) => words.every((word) => row.haystack.includes(word)))
    .sort((a, b) => compare(value(a), value(b), sign));
  const shown = state.found.slice(0, state.most);
  const rows = shown.map((row) => {
    if (!state.parts.has(row.id)) state.parts.set(row.id, makeRow(state, row.id));
    const parts = state.parts.get(row.id);
    fill(parts, row);
    return parts.tr;
  });
  const before = state.body.children;
  if (before.length !== rows.length || rows.some((tr, i) => tr !== before[i])) {
    const focused = document.activeElement;
    state.body.replaceChildren(...rows);
    if (state.body.contains(focused)) focused.focus({ preventScroll: true });
  }
  for (const [name, cell] of Object.entries(state.heads)) {
    if (name === key) cell.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  }
  state.order.value = `${key} ${sign}`;
  const all = state.data.rows.length;
  const runs = `${whole(all)} run${all === 1 ? "" : "s"}`;
  state.words = words.length ? `${whole(state.found.length)} of ${runs}` : runs;
  state.none.hidden = state.found.length > 0;
  state.more.hidden = shown.length === state.found.length;
  write(state.more, `Show all ${whole(state.found.length)}`);
  mark(state);
}

// Show which runs are chosen.
function mark(state) {
  for (const [id, { tr, box }] of state.parts) {
    const chosen = state.chosen.has(id);
    if (box.checked !== chosen) box.checked = chosen;
    tr.classList.toggle("chosen", chosen);
    tr.style.setProperty("--run", state.data.colors[id] ?? "transparent");
  }
  const count = state.found.filter((row) => state.chosen.has(row.id)).length;
  state.all.checked = count > 0 && count === state.found.length;
  state.all.indeterminate = count > 0 && count < state.found.length;
  const hidden = state.chosen.size - count;
  const chosen = state.chosen.size ? ` · ${whole(state.chosen.size)} chosen${hidden ? `, ${whole(hidden)} not among these` : ""}` : "";
  write(state.count, state.words + chosen);
  state.jump.hidden = state.chosen.size === 0;
}

function chooseAll(state) {
  const every = state.found.every((row) => state.chosen.has(row.id));
  for (const { id } of state.found) {
    if (every) state.chosen.delete(id);
    else state.chosen.add(id);
  }
  mark(state);
  state.report();
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const host = parentElement.querySelector(".run-table");
  let state = host.runList;
  if (!state) {
    state = host.runList = { host, parts: new Map(), sorted: { key: "created", sign: -1 }, most: PAGE };
    build(state);
  }
  for (const row of data.rows) row.haystack = searchable(row);
  state.data = data;
  const ids = new Set(data.rows.map((row) => row.id));
  // The choice made here is valid until the server sends a new revision.
  if (state.revision !== data.revision) {
    state.revision = data.revision;
    state.chosen = new Set(data.chosen);
  }
  for (const id of state.chosen) if (!ids.has(id)) state.chosen.delete(id);
  for (const id of state.parts.keys()) if (!ids.has(id)) state.parts.delete(id);
  state.report = () => setStateValue("answer", { revision: state.revision, chosen: [...state.chosen] });
  state.open = (id) => setTriggerValue("opened", id);
  arrange(state);
}
