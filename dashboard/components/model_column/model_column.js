// A GPT's parts as a column, one token's residual stream running down beside them.
// Every text is set as textContent. What is open stays here; a switch asks the page.

const BAND = 36; // the widest part of the stream, of 40

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function signed(value) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
}

// As format_probability in dashboard/charts/formatting.py: 0.312, 7.5e-05.
function short(proba) {
  return proba >= 0.001 ? proba.toFixed(3) : proba.toExponential(1).replace(/e-(\d)$/, "e-0$1");
}

function nameOf(part) {
  return part.label || part.title;
}

// A bar from the middle: to the right it speaks for the target, to the left against it.
function setBar(bar, value, largest) {
  const width = (50 * Math.abs(value)) / largest;
  bar.dataset.sign = value < 0 ? "against" : "for";
  bar.style.setProperty("--width", `${width}%`);
}

function createSwitch(state, part) {
  const control = element("button", "switch");
  control.type = "button";
  control.setAttribute("role", "switch");
  control.setAttribute("aria-label", nameOf(part));
  control.append(element("span", "thumb"));
  control.addEventListener("click", () => {
    control.setAttribute("aria-checked", String(control.getAttribute("aria-checked") !== "true"));
    state.host.dataset.waits = "";
    state.report("switched", part.name);
  });
  return control;
}

// A part with its bar and its switch; updates it when called with newer data.
function createPart(state, part, open) {
  const node = element("div", "part");
  const name = element(open ? "button" : "span", open ? "open name" : "name");
  const title = element("span", "title", part.title);
  const note = element("span", "note");
  const value = element("span", "value");
  const bar = element("span", "bar");
  name.append(title, note);
  if (open) {
    name.type = "button";
    name.setAttribute("aria-expanded", "false");
    name.addEventListener("click", open);
  }
  const line = element("span", "line");
  line.append(name, value);
  node.append(line, bar);
  bar.append(element("span", "fill"));
  const control = part.has_switch ? createSwitch(state, part) : null;
  if (control) line.append(control);
  const update = (now, largest = state.largest) => {
    note.textContent = now.note;
    value.textContent = now.value === null ? "" : signed(now.value);
    bar.hidden = now.value === null;
    if (now.value !== null) setBar(bar, now.value, largest);
    node.toggleAttribute("data-off", now.is_off);
    if (control) control.setAttribute("aria-checked", String(!now.is_off));
    if (open) name.setAttribute("aria-label", [nameOf(now), now.note, value.textContent && `adds ${value.textContent} to the target's logit`].filter(Boolean).join(", "));
  };
  return { node, name, update };
}

function createDetails(state, part) {
  const node = element("div", "details");
  const sentences = element("div", "sentences");
  node.append(sentences);
  const heads = part.heads.map((head) => {
    const row = createPart(state, head);
    row.node.classList.add("head");
    const look = element("button", "look", "Its attention");
    look.type = "button";
    look.setAttribute("aria-label", `Show the attention of ${nameOf(head).toLowerCase()}`);
    look.addEventListener("click", () => {
      state.report("head", head.name);
      document.getElementById("attention")?.scrollIntoView({ block: "start" }); // the next part
    });
    row.node.append(look);
    node.append(row.node);
    return row;
  });
  const update = (now) => {
    sentences.replaceChildren(...now.details.map((sentence) => element("p", "", sentence)));
    const largest = Math.max(1e-9, ...now.heads.map((head) => Math.abs(head.value)));
    heads.forEach((row, i) => row.update(now.heads[i], largest));
  };
  return { node, update };
}

function createStream() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "stream");
  svg.setAttribute("viewBox", "0 0 40 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const band = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  svg.append(band);
  const update = (norms, largest) => {
    const at = norms.map((norm, i) => [Math.max(2, (BAND * norm) / largest) / 2, (100 * i) / Math.max(1, norms.length - 1)]);
    const right = at.map(([half, y]) => `${20 + half},${y}`);
    const left = at.map(([half, y]) => `${20 - half},${y}`).reverse();
    band.setAttribute("points", [...right, ...left].join(" "));
  };
  return { svg, update };
}

function createSays() {
  const node = element("div", "says");
  const best = element("span", "best");
  const token = element("span", "token");
  const proba = element("span", "proba");
  const target = element("span", "target");
  const bar = element("span", "probability");
  best.append(token, proba);
  node.append(best, target, bar);
  const update = (stage, name) => {
    node.hidden = stage.target_proba === null;
    if (node.hidden) return;
    token.textContent = stage.says;
    proba.textContent = short(stage.proba);
    target.textContent = `${name} ${short(stage.target_proba)}`;
    bar.style.setProperty("--width", `${100 * stage.target_proba}%`);
  };
  return { node, update };
}

function createStage(state, stage, number) {
  const node = element("section", "stage");
  node.setAttribute("aria-label", stage.part.title);
  const label = element("div", "label");
  label.append(element("span", "title", stage.part.title));
  const control = stage.part.has_switch ? createSwitch(state, stage.part) : null;
  if (control) label.append(control);
  const stream = createStream();
  const says = createSays();
  const place = element("div", "place");
  place.id = `${state.id}-${number}`;
  place.hidden = true;
  const details = [];
  let open = -1;
  const parts = stage.parts.map((part, i) => {
    const row = createPart(state, part, () => show(open === i ? -1 : i));
    row.name.setAttribute("aria-controls", place.id);
    return row;
  });
  let now = stage;
  function show(i) {
    open = i;
    place.hidden = i < 0;
    parts.forEach((row, j) => row.name.setAttribute("aria-expanded", String(j === i)));
    if (i < 0) return;
    details[i] ??= createDetails(state, now.parts[i]);
    details[i].update(now.parts[i]);
    place.replaceChildren(details[i].node);
  }
  const middle = element("div", "parts");
  middle.append(...parts.map((row) => row.node));
  node.append(label, stream.svg, middle, says.node, place);
  const update = (newer, data) => {
    now = newer;
    if (control) control.setAttribute("aria-checked", String(!now.part.is_off));
    node.toggleAttribute("data-off", now.part.is_off);
    stream.update(now.norms, state.longest);
    parts.forEach((row, i) => row.update(now.parts[i]));
    says.update(now, data.target);
    if (open >= 0) details[open].update(now.parts[open]);
  };
  return { node, update };
}

function showCandidates(list, candidates) {
  list.toggleAttribute("data-changed", candidates.some((candidate) => candidate.before !== candidate.after));
  list.replaceChildren(
    ...candidates.map((candidate) => {
      const row = element("li", candidate.is_target ? "candidate target" : "candidate");
      const changed = candidate.before !== null && candidate.before !== candidate.after;
      const values = changed ? `${short(candidate.before)} → ${short(candidate.after)}` : short(candidate.after);
      const bar = element("span", "probability");
      bar.style.setProperty("--width", `${100 * candidate.after}%`);
      if (changed) {
        bar.dataset.changed = "";
        bar.style.setProperty("--before", `${100 * candidate.before}%`);
      }
      row.append(element("span", "token", candidate.token));
      if (candidate.is_target) row.append(element("span", "mark", "target"));
      row.append(element("span", "values", values), bar);
      return row;
    }),
  );
}

function build(state, data) {
  const result = element("div", "result");
  state.sentence = element("p", "sentence");
  state.sentence.setAttribute("role", "status");
  state.list = element("ol", "candidates");
  state.list.setAttribute("aria-label", "The most probable next tokens");
  result.append(state.sentence, state.list);
  const column = element("div", "column");
  column.setAttribute("role", "group");
  state.stages = data.stages.map((stage, i) => createStage(state, stage, i));
  state.heads = ["against", "for", "lens"].map((name) => element("span", name));
  const head = element("div", "heading");
  head.append(...state.heads);
  column.append(head, ...state.stages.map((stage) => stage.node));
  state.column = column;
  state.host.replaceChildren(result, column);
}

// Arrow keys go to the same control of the stage above or below.
function listen(state) {
  state.host.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stage = event.target.closest?.(".stage");
    if (!step || !stage) return;
    const place = [...stage.querySelectorAll("button")].indexOf(event.target);
    const next = step > 0 ? stage.nextElementSibling : stage.previousElementSibling;
    const controls = next ? [...next.querySelectorAll("button")] : [];
    if (controls.length) controls[Math.min(place, controls.length - 1)].focus();
    event.preventDefault();
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".model-column");
  let state = host.modelColumn;
  if (!state) {
    state = host.modelColumn = { host, id: `model-column-${Math.random().toString(36).slice(2)}` };
    listen(state);
  }
  state.report = setTriggerValue;
  delete host.dataset.waits;
  const all = data.stages.flatMap((stage) => stage.parts);
  const shape = JSON.stringify(all.map((part) => [part.name, part.heads.length, part.has_switch]));
  if (shape !== state.shape) {
    state.shape = shape;
    build(state, data);
  }
  state.largest = Math.max(1e-9, ...all.map((part) => Math.abs(part.value ?? 0)));
  state.longest = Math.max(1e-9, ...data.stages.flatMap((stage) => stage.norms));
  for (const [name, color] of Object.entries(data.colors)) host.style.setProperty(`--${name}`, color);
  state.column.setAttribute("aria-label", data.label);
  if (state.sentence.textContent !== data.sentence) state.sentence.textContent = data.sentence;
  const [against, speaksFor, lens] = state.heads;
  against.textContent = `against “${data.target}”`;
  speaksFor.textContent = `for “${data.target}”`;
  lens.textContent = "the lens reads";
  showCandidates(state.list, data.candidates);
  data.stages.forEach((stage, i) => state.stages[i].update(stage, data));
}
