// Words at their places on a plane. Users' text is only ever set as textContent. One word has the
// tab stop; the arrow keys move it in the order of the words, Enter picks it.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 26; // pixels around the outermost places
const RADIUS = 3.5;
const LETTER = 0.55; // a letter's width by the size of the font, about
const LINE = 1.1; // a name's height by the size of the font

function shape(tag, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// A function from places to pixels: the same scale on both axes, all places inside.
function projection(data, width, height) {
  const all = [...data.places, ...data.paths.flatMap((path) => path.places)];
  const range = (axis) => {
    const values = all.map((place) => place[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  const [[left, right], [bottom, top]] = [range(0), range(1)];
  const side = Math.min(90, width / 6); // room for the names at the right
  const scale = Math.min((width - MARGIN - side) / (right - left || 1), (height - 2 * MARGIN) / (top - bottom || 1));
  const shift = [(width - side + MARGIN - scale * (left + right)) / 2, (height + scale * (bottom + top)) / 2];
  return ([x, y]) => [shift[0] + scale * x, shift[1] - scale * y];
}

// Where each name goes: right, left, above or below its point, or nowhere if all are taken.
function placeNames(data, points, width, height, font) {
  const taken = points.map(([x, y]) => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]);
  const free = ([a, b, c, d], own) =>
    a >= 0 && b >= 0 && c <= width && d <= height &&
    taken.every(([p, q, r, s], i) => i === own || c < p || r < a || d < q || s < b);
  const first = new Set([data.selected, ...data.paths.map((path) => path.word), ...data.near]);
  const order = [...first, ...points.keys()].filter((i, at, all) => all.indexOf(i) === at);
  const names = new Map();
  for (const i of order) {
    const [x, y] = points[i];
    const length = LETTER * font * [...data.words[i]].length;
    const line = LINE * font;
    const gap = RADIUS + 4;
    const choices = [
      { anchor: "start", x: gap, y: font / 3, box: [x + gap, y - line / 2, x + gap + length, y + line / 2] },
      { anchor: "end", x: -gap, y: font / 3, box: [x - gap - length, y - line / 2, x - gap, y + line / 2] },
      { anchor: "middle", x: 0, y: -gap, box: [x - length / 2, y - gap - line, x + length / 2, y - gap] },
      { anchor: "middle", x: 0, y: gap + 0.8 * font, box: [x - length / 2, y + gap, x + length / 2, y + gap + line] },
    ];
    const chosen = choices.find((choice) => free(choice.box, i));
    if (chosen) taken.push(chosen.box);
    names.set(i, chosen ?? { ...choices[0], hidden: true });
  }
  return names;
}

function build(state) {
  state.nodes = state.data.words.map((word, i) => {
    const node = shape("g", { class: "word", role: "option", "aria-label": word, tabindex: i === state.data.selected ? 0 : -1 });
    node.append(shape("circle", { class: "area", r: 11 }), shape("circle", { class: "ring", r: RADIUS + 3 }), shape("circle", { class: "point", r: RADIUS }), shape("text", {}, word));
    return node;
  });
  state.lines = shape("g", { "aria-hidden": "true" });
  state.list = shape("g", { role: "listbox" });
  state.list.append(...state.nodes);
  state.svg = shape("svg");
  state.svg.append(state.lines, state.list);
  state.host.replaceChildren(state.svg);
}

function draw(state) {
  const { data, nodes, svg, lines } = state;
  const width = state.host.clientWidth;
  if (!width) return;
  const height = Math.round(Math.min(560, Math.max(300, width * 0.62)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  state.list.setAttribute("aria-label", data.label);
  const project = projection(data, width, height);
  const points = data.places.map(project);
  const font = parseFloat(getComputedStyle(nodes[0].lastChild).fontSize);
  const names = placeNames(data, points, width, height, font);
  const colors = new Map(data.paths.map((path) => [path.word, path.color]));
  nodes.forEach((node, i) => {
    node.style.transform = `translate(${points[i][0]}px, ${points[i][1]}px)`;
    node.style.setProperty("--ink", colors.get(i) ?? "");
    node.setAttribute("aria-selected", String(i === data.selected));
    const { anchor, x, y, hidden } = names.get(i);
    node.classList.toggle("hidden", Boolean(hidden));
    const text = node.lastChild;
    for (const [name, value] of Object.entries({ "text-anchor": anchor, x, y })) text.setAttribute(name, value);
  });
  const [x1, y1] = points[data.selected];
  lines.replaceChildren(
    ...data.near.map((i) => shape("line", { class: "near", x1, y1, x2: points[i][0], y2: points[i][1] })),
    ...data.paths.flatMap(({ places, color }) => {
      const steps = places.map(project);
      const path = shape("polyline", { class: "path", points: steps.map((step) => step.join()).join(" "), stroke: color });
      return [path, ...steps.slice(0, -1).map(([cx, cy], i) => shape("circle", { cx, cy, r: i ? 2 : 4, fill: i ? color : "none", stroke: color, "stroke-width": 2 }))];
    }),
  );
  svg.style.setProperty("--near", data.color);
}

function listen(state) {
  const { host } = state;
  const at = (event) => state.nodes.indexOf(event.target.closest?.(".word"));
  const focus = (i) => {
    const next = Math.max(0, Math.min(state.nodes.length - 1, i));
    state.nodes.forEach((node, j) => node.setAttribute("tabindex", j === next ? 0 : -1));
    state.nodes[next].focus();
  };
  host.addEventListener("click", (event) => {
    const i = at(event);
    if (i < 0) return;
    focus(i);
    state.report(i);
  });
  host.addEventListener("keydown", (event) => {
    const i = at(event);
    if (i < 0) return;
    const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: Infinity }[event.key];
    if (to !== undefined) focus(to);
    else if (event.key === "Enter" || event.key === " ") state.report(i);
    else return;
    event.preventDefault();
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".word-map");
  let state = host.wordMap;
  if (!state) {
    state = host.wordMap = { host };
    listen(state);
    state.observer = new ResizeObserver(() => state.nodes && draw(state));
    state.observer.observe(host);
  }
  state.report = (word) => setTriggerValue("picked", word);
  const isNew = JSON.stringify(state.data?.words) !== JSON.stringify(data.words);
  state.data = data;
  if (isNew) build(state);
  draw(state);
  return () =>
    setTimeout(() => {
      if (!host.isConnected) state.observer.disconnect();
    });
}
