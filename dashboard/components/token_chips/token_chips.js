// Tokens as chips. Users' text is only ever set as textContent.
// One chip has the tab stop; the arrow keys move it, Enter or Space selects.

const SINGLE_BYTES = 256; // tokens without a merge (gpt_core/vocabularies/byte_pairs.py)

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function origin(id, merges) {
  if (id < SINGLE_BYTES) return "a single byte";
  return `merge ${(id - SINGLE_BYTES + 1).toLocaleString("en")} of ${merges.toLocaleString("en")}`;
}

function describe(data, i) {
  const bytes = data.bytes[i];
  const count = bytes.split(" ").length;
  const id = data.ids[i];
  const parts = [`ID ${id}`, `${count} byte${count > 1 ? "s" : ""}: ${bytes}`];
  if (bytes.startsWith("20") && count > 1) parts.push("begins with a space");
  if (id === data.end_of_text) parts.push("the special token between two documents");
  else if (!data.is_by_character) parts.push(origin(id, data.merges));
  if (data.details[i]) parts.push(data.details[i]);
  return parts.join(" · ");
}

function build(state) {
  const { data, host } = state;
  const list = element("div", data.rows.length ? "list in-rows" : "list");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-orientation", "horizontal");
  state.chips = data.ids.map((id, i) => {
    const chip = element("div", "chip");
    chip.setAttribute("role", "option");
    chip.setAttribute("aria-selected", String(i === state.selected));
    chip.tabIndex = i === 0 ? 0 : -1;
    chip.append(element("span", "text", data.texts[i]), element("span", "id", id));
    if (data.second_line.length) chip.append(element("span", "second"));
    return chip;
  });
  const starts = data.rows.length ? data.rows : [{ start: 0, heading: "" }];
  starts.forEach(({ start, heading }, r) => {
    const row = element("div", "row");
    row.append(...state.chips.slice(start, starts[r + 1]?.start));
    if (!heading) return list.append(row);
    const group = element("div", "group");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", heading);
    const head = element("span", "heading", heading);
    head.setAttribute("aria-hidden", "true"); // it is the group's name
    group.append(head, row);
    list.append(group);
  });
  state.list = list;
  state.hint = element("div", "hint");
  state.hint.setAttribute("role", "status"); // read aloud when another chip has the focus
  host.replaceChildren(list);
  if (data.scale?.has_legend) {
    const legend = element("div", "legend");
    legend.append(element("span", "", data.scale.low), ...bars(data.scale.steps), element("span", "", data.scale.high));
    host.append(legend);
  }
  host.append(state.hint);
}

// The colours of a legend: one that changes evenly, or a few, with the numbers between them.
function bars(steps) {
  if (!steps.length) return [element("span", "bar")];
  return [0, ...steps].flatMap((from, i) => {
    const bar = element("span", "step");
    bar.style.setProperty("--strength", i / steps.length);
    return i ? [element("span", "", from), bar] : [bar];
  });
}

// Updates everything that can change while the tokens stay the same.
function update(state) {
  const { data, host, list, chips } = state;
  list.setAttribute("aria-label", data.label);
  host.style.setProperty("--chip-color", data.scale ? data.scale.color : "transparent");
  for (const [name, color] of Object.entries(data.colors)) host.style.setProperty(`--${name}`, color);
  chips.forEach((chip, i) => {
    if (data.second_line.length) chip.lastChild.textContent = data.second_line[i];
    if (data.strengths.length) chip.style.setProperty("--strength", data.strengths[i]);
    if (data.marks.length) chip.dataset.mark = data.marks[i];
    chip.setAttribute("aria-label", [data.marks[i], data.texts[i], `ID ${data.ids[i]}`, data.second_line[i]].filter(Boolean).join(", "));
  });
  hint(state, state.pointed ?? state.selected);
}

function hint(state, i) {
  state.hint.textContent = i === undefined || i === null || i >= state.data.ids.length ? "" : describe(state.data, i);
}

const ANSWER_MS = 3000; // after a selection, an older one that the page still has is ignored

function mark(state) {
  state.chips.forEach((chip, j) => chip.setAttribute("aria-selected", String(j === state.selected)));
}

function select(state, i) {
  state.selected = state.selected === i && !state.data.is_kept ? null : i;
  state.until = Date.now() + ANSWER_MS;
  mark(state);
  state.report(state.selected);
}

// The page keeps the selection: it may come from elsewhere than the chips.
function follow(state) {
  if (state.data.selected === state.selected) state.until = 0;
  else if (!(Date.now() < state.until)) {
    state.selected = state.data.selected;
    mark(state);
  }
}

function focus(state, i) {
  const { chips, list } = state;
  const next = Math.max(0, Math.min(chips.length - 1, i));
  for (const chip of list.querySelectorAll('[tabindex="0"]')) chip.tabIndex = -1;
  chips[next].tabIndex = 0;
  chips[next].focus();
}

function listen(state) {
  const { host } = state;
  const position = (event) => {
    const chip = event.target.closest?.(".chip");
    return chip ? state.chips.indexOf(chip) : -1;
  };
  const point = (event) => {
    const i = position(event);
    state.pointed = i < 0 ? undefined : i;
    hint(state, state.pointed ?? state.selected);
  };
  host.addEventListener("mouseover", point);
  host.addEventListener("focusin", point);
  const leave = () => { state.pointed = undefined; hint(state, state.selected); };
  host.addEventListener("mouseleave", leave);
  host.addEventListener("focusout", leave);
  host.addEventListener("click", (event) => { const i = position(event); if (i >= 0) { focus(state, i); select(state, i); } });
  host.addEventListener("keydown", (event) => {
    const i = position(event);
    if (i < 0) return;
    const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: Infinity }[event.key];
    if (to !== undefined) focus(state, to);
    else if (event.key === "Enter" || event.key === " ") select(state, i);
    else return;
    event.preventDefault();
  });
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const host = parentElement.querySelector(".token-chips");
  let state = host.tokenChips;
  if (!state) {
    state = host.tokenChips = { host, selected: data.selected ?? null };
    listen(state);
  }
  state.report = (i) => (data.is_kept ? setTriggerValue("picked", i) : setStateValue("selected", i));
  state.data = data;
  const shape = JSON.stringify([data.ids, data.second_line.length > 0, data.scale, data.rows]);
  if (shape !== state.shape) {
    // The tokens changed: clear the selection.
    if (state.shape !== undefined && state.selected !== null && !data.is_kept) {
      state.selected = null;
      state.report(null);
    }
    state.shape = shape;
    state.pointed = undefined;
    build(state);
  }
  if (data.is_kept) follow(state);
  update(state);
}
