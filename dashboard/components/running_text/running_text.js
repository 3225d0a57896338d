// A text whose tokens are coloured, or a list of single tokens in their context. Users' text is
// only ever set as textContent. One token has the tab stop; the arrow keys move it along
// and across the lines, Enter picks it.

const HINT = "Point at a token, or reach it with the arrow keys, to see its loss here.";

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function colour(node, strength) {
  if (strength < 0) node.classList.add("low");
  node.style.setProperty("--ink", `var(--${strength < 0 ? "low" : "high"})`);
  node.style.setProperty("--strength", Math.abs(strength));
}

function option(tag, className, text) {
  const node = element(tag, className, text);
  node.setAttribute("role", "option");
  node.setAttribute("aria-selected", "false");
  node.tabIndex = -1;
  return node;
}

function legend({ low, low_words, high_words }) {
  const node = element("div", "legend");
  const bar = element("span", "bar");
  const ends = ["low", "high"].map((end) => `color-mix(in srgb, var(--${end}) 62%, transparent)`);
  const stops = low === "transparent" ? `transparent, ${ends[1]}` : `${ends[0]}, transparent, ${ends[1]}`;
  bar.style.background = `linear-gradient(to right, ${stops})`;
  node.append(element("span", "", low_words), bar, element("span", "", high_words));
  return node;
}

function buildText({ data, host }) {
  const list = element("div", "words");
  const options = data.texts.map((text, i) => {
    const node = option("span", "", text);
    if (!text.trim()) node.setAttribute("aria-label", "blank");
    node.position = i;
    colour(node, data.strengths[i]);
    return node;
  });
  list.append(...options);
  const hint = element("div", "hint", HINT);
  hint.setAttribute("role", "status"); // read aloud when another token has the focus
  const overview = element("canvas", "overview");
  overview.setAttribute("aria-hidden", "true"); // it shows nothing that the text does not
  overview.addEventListener("click", (event) => {
    list.scrollTop = (event.offsetY / list.clientHeight) * list.scrollHeight - list.clientHeight / 2;
  });
  const body = element("div", "body");
  body.append(list, overview);
  host.replaceChildren(legend(data.colors), body, hint);
  return { list, options, hint, overview };
}

// Draws the whole text beside its visible part, each line in the mean colour of its tokens.
function drawOverview({ data, host, list, options, overview }) {
  overview.hidden = list.scrollHeight < 2 * list.clientHeight;
  if (overview.hidden) return;
  const lines = new Map(); // each line's place: the sum of its strengths, and their number
  options.forEach((node, i) => {
    const line = lines.get(node.offsetTop) ?? [0, 0];
    lines.set(node.offsetTop, [line[0] + data.strengths[i], line[1] + 1]);
  });
  overview.width = 1; // stretched by its style
  overview.height = list.clientHeight;
  overview.style.height = `${list.clientHeight}px`;
  const scale = list.clientHeight / list.scrollHeight;
  const tops = [...lines.keys()];
  const context = overview.getContext("2d");
  tops.forEach((top, i) => {
    const [sum, number] = lines.get(top);
    context.fillStyle = getComputedStyle(host).getPropertyValue(sum < 0 ? "--low" : "--high");
    context.globalAlpha = Math.min(1, Math.abs(sum) / number);
    context.fillRect(0, top * scale, 1, ((tops[i + 1] ?? list.scrollHeight) - top) * scale);
  });
}

function buildSnippets({ data, host }) {
  const list = element("div", "snippets");
  const options = data.snippets.map((snippet) => {
    const node = option("div", "");
    node.position = snippet.position;
    const line = element("span", "line");
    const mark = element("mark", "", snippet.token);
    colour(mark, snippet.strength);
    line.append(element("span", "around", snippet.before), mark, element("span", "around", snippet.after));
    node.append(element("span", "note", snippet.note), line);
    return node;
  });
  list.append(...options);
  host.replaceChildren(list);
  return { list, options };
}

function tell(state, node) {
  if (state.hint) state.hint.textContent = node ? `“${node.textContent}” · ${state.data.details[node.position]}` : HINT;
}

function focus(state, i) {
  const next = state.options[Math.max(0, Math.min(state.options.length - 1, i))];
  for (const node of state.list.querySelectorAll('[tabindex="0"]')) node.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// The option nearest to the one at i on the next line, or on the line before.
function onNextLine({ options }, i, step) {
  const here = options[i].getClientRects()[0];
  let found = i;
  let line, distance;
  for (let j = i + step; options[j]; j += step) {
    const there = options[j].getClientRects()[0];
    if (!there || (there.top - here.top) * step < here.height / 2) continue;
    line ??= there.top;
    if (Math.abs(there.top - line) > here.height / 2) break;
    const away = Math.abs(there.left - here.left);
    if (distance === undefined || away < distance) [found, distance] = [j, away];
  }
  return found;
}

function listen(state) {
  const { host } = state;
  const at = (event) => event.target.closest?.('[role="option"]');
  const point = (event) => tell(state, at(event));
  host.addEventListener("mouseover", point);
  host.addEventListener("focusin", point);
  host.addEventListener("mouseleave", () => tell(state, state.options.find((node) => node === document.activeElement)));
  host.addEventListener("click", (event) => {
    const node = at(event);
    if (!node || String(getSelection())) return; // words that were marked to be copied
    focus(state, state.options.indexOf(node));
    state.report(node.position);
  });
  host.addEventListener("keydown", (event) => {
    const node = at(event);
    if (!node) return;
    const i = state.options.indexOf(node);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: Infinity }[event.key];
    if (to !== undefined) focus(state, to);
    else if (event.key === "ArrowDown") focus(state, onNextLine(state, i, 1));
    else if (event.key === "ArrowUp") focus(state, onNextLine(state, i, -1));
    else if (event.key === "Enter" || event.key === " ") state.report(node.position);
    else return;
    event.preventDefault();
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".running-text");
  let state = host.runningText;
  if (!state) {
    state = host.runningText = { host };
    listen(state);
  }
  state.report = (position) => setTriggerValue("picked", position);
  const shape = JSON.stringify(data);
  if (shape === state.shape) return;
  state.shape = shape;
  state.data = data;
  Object.assign(state, { hint: undefined, overview: undefined }, data.snippets ? buildSnippets(state) : buildText(state));
  state.list.setAttribute("role", "listbox");
  state.list.setAttribute("aria-label", data.label);
  if (state.options.length) state.options[0].tabIndex = 0;
  host.style.setProperty("--high", data.colors.high);
  host.style.setProperty("--low", data.colors.low);
  state.sizes?.disconnect();
  if (!state.overview) return;
  state.sizes = new ResizeObserver(() => drawOverview(state)); // calls it at first, too
  state.sizes.observe(state.list);
}
