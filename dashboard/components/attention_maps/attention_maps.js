// Attention heads: all as small maps on one canvas, one large beside them.
// Over each canvas lie transparent options, which have the names, the focus and the clicks.
// Every text is set as textContent. A colour's strength is the root of the weight.

const GAP = 4; // pixels between small maps
const LABELLED = 11; // pixels of a row from which its token is written beside it
const NAMED = 3; // tokens that a row's name lists
const ANSWER_MS = 3000; // after a choice, an older one that the page still has is ignored

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function headName(data, i) {
  return `${Math.floor(i / data.heads)}.${i % data.heads}`;
}

function prepare(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// A head's map as a picture of side × side pixels.
function picture(state, i) {
  const { data, cells, ink } = state;
  const { side } = data;
  const image = new ImageData(side, side);
  let from = (i * side * (side + 1)) / 2;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column <= row; column++) {
      const to = 4 * (row * side + column);
      image.data.set([...ink, Math.round(255 * Math.sqrt(cells[from++] / 255))], to);
    }
  }
  return image;
}

function drawGrid(state) {
  const { data, grid } = state;
  const room = Math.max(120, grid.clientWidth - 24);
  const wide = Math.floor((Math.min(room, 420) - GAP * data.heads) / data.heads);
  const size = Math.max(24, Math.min(72, wide));
  const step = size + GAP;
  const context = prepare(state.small, data.heads * step, data.layers * step);
  const stamp = new OffscreenCanvas(data.side, data.side);
  const stampContext = stamp.getContext("2d");
  context.imageSmoothingEnabled = data.side > size;
  for (let i = 0; i < data.layers * data.heads; i++) {
    stampContext.putImageData(picture(state, i), 0, 0);
    context.drawImage(stamp, (i % data.heads) * step, Math.floor(i / data.heads) * step, size, size);
  }
  state.maps.style.setProperty("--step", `${step}px`);
  state.maps.style.setProperty("--size", `${size}px`);
}

function drawLarge(state) {
  const { data, large, ink } = state;
  const T = data.tokens.length;
  const longest = Math.max(...data.tokens.map((token) => token.length));
  const em = parseFloat(getComputedStyle(state.host).fontSize); // larger on a projector
  const beside = em * Math.min(9, 1.4 + 0.53 * longest);
  const room = large.clientWidth - beside - 2;
  const size = Math.max(2, Math.floor(Math.min(1.8 * em, room / T)));
  state.plot.style.setProperty("--size", `${size}px`);
  state.plot.style.setProperty("--above", `${em * Math.min(7, 1.2 + 0.53 * longest)}px`);
  state.plot.style.setProperty("--beside", `${beside}px`);
  state.plot.classList.toggle("unlabelled", size < LABELLED);
  const context = prepare(state.canvas, T * size, T * size);
  const line = size > 6 ? 1 : 0;
  data.weights.forEach((row, i) =>
    row.forEach((weight, j) => {
      context.fillStyle = `rgba(${ink.join(",")},${Math.sqrt(weight)})`;
      context.fillRect(j * size, i * size, size - line, size - line);
    }),
  );
}

function strongest(row, count) {
  return row.map((weight, j) => [weight, j]).sort((a, b) => b[0] - a[0]).slice(0, count).filter(([weight]) => weight >= 0.005);
}

function describeRow(data, i) {
  const most = strongest(data.weights[i], NAMED).map(([weight, j]) => `${data.tokens[j]} ${weight.toFixed(2)}`);
  return `${data.tokens[i]} looks at ${most.join(", ")}`;
}

function light(state, i) {
  const { data } = state;
  state.lit = i;
  state.band.style.setProperty("--row", i);
  state.columns.forEach((column, j) => column.style.setProperty("--weight", j <= i ? Math.sqrt(data.weights[i][j]) : 0));
  state.rows.forEach((row, j) => row.toggleAttribute("data-lit", j === i));
  state.readout.textContent = describeRow(data, i);
}

// The keys that move the focus among options, and those that choose one.
function navigate(list, options, moves, choose) {
  const focus = (i) => {
    const next = options()[Math.max(0, Math.min(options().length - 1, i))];
    for (const option of options()) option.tabIndex = -1;
    next.tabIndex = 0;
    next.focus({ preventScroll: false });
  };
  list.addEventListener("keydown", (event) => {
    const i = options().indexOf(event.target);
    if (i < 0) return;
    const step = moves()[event.key];
    if (step !== undefined) focus(i + step);
    else if (event.key === "Home") focus(0);
    else if (event.key === "End") focus(Infinity);
    else if (event.key === "Enter" || event.key === " ") choose(i);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const i = options().indexOf(event.target.closest?.('[role="option"]'));
    if (i >= 0) { focus(i); choose(i); }
  });
}

function markHead(state, i) {
  state.heads.forEach((option, j) => {
    option.setAttribute("aria-selected", String(j === i));
    option.tabIndex = j === i ? 0 : -1;
  });
  const { data } = state;
  state.title.textContent = [`Head ${headName(data, i)}`, data.habits[i]].filter(Boolean).join(", ");
}

function build(state) {
  const { data, host } = state;
  state.grid = element("div", "grid");
  state.maps = element("div", "maps");
  state.maps.setAttribute("role", "listbox");
  state.maps.setAttribute("aria-label", "All heads: rows are layers");
  state.small = element("canvas");
  state.small.setAttribute("aria-hidden", "true");
  state.heads = Array.from({ length: data.layers * data.heads }, (_, i) => {
    const option = element("div", "map");
    option.setAttribute("role", "option");
    option.style.setProperty("--column", i % data.heads);
    option.style.setProperty("--row", Math.floor(i / data.heads));
    return option;
  });
  const numbers = (count, axis) => Array.from({ length: count }, (_, i) => {
    const number = element("span", `number ${axis}`, i);
    number.style.setProperty("--at", i);
    number.setAttribute("aria-hidden", "true");
    return number;
  });
  state.maps.append(state.small, ...numbers(data.layers, "layer"), ...numbers(data.heads, "head"), ...state.heads);
  state.pointed = element("p", "pointed");
  state.pointed.setAttribute("role", "status");
  state.grid.append(state.maps, state.pointed);

  state.large = element("div", "large");
  state.title = element("p", "title");
  state.plot = element("div", "plot");
  state.plot.setAttribute("role", "listbox");
  state.plot.setAttribute("aria-label", "The tokens that look, from the first to the last");
  state.plot.style.setProperty("--count", data.tokens.length);
  state.canvas = element("canvas");
  state.canvas.setAttribute("aria-hidden", "true");
  state.band = element("span", "band");
  state.columns = data.tokens.map((token, j) => {
    const column = element("span", "column", token);
    column.style.setProperty("--at", j);
    column.setAttribute("aria-hidden", "true");
    return column;
  });
  state.rows = data.tokens.map((token, i) => {
    const row = element("div", "row");
    row.append(element("span", "token", token));
    row.setAttribute("role", "option");
    row.style.setProperty("--at", i);
    row.tabIndex = -1;
    return row;
  });
  state.plot.append(...state.columns, state.canvas, state.band, ...state.rows);
  state.readout = element("p", "readout");
  state.readout.setAttribute("role", "status");
  state.large.append(state.title, state.plot, state.readout);
  host.replaceChildren(state.grid, state.large);
  listen(state);
}

function listen(state) {
  const name = (i) => [`Head ${headName(state.data, i)}`, state.data.habits[i]].filter(Boolean).join(", ");
  const point = (event) => {
    const i = state.heads.indexOf(event.target);
    state.pointed.textContent = i < 0 ? "" : name(i);
  };
  state.maps.addEventListener("mouseover", point);
  state.maps.addEventListener("focusin", point);
  state.maps.addEventListener("mouseleave", () => (state.pointed.textContent = ""));
  navigate(
    state.maps,
    () => state.heads,
    () => ({ ArrowRight: 1, ArrowLeft: -1, ArrowDown: state.data.heads, ArrowUp: -state.data.heads }),
    (i) => {
      state.wanted = i;
      state.until = Date.now() + ANSWER_MS;
      markHead(state, i);
      state.report("head", i);
    },
  );
  const over = (event) => {
    const i = state.rows.indexOf(event.target.closest?.(".row"));
    if (i >= 0) light(state, i);
  };
  state.plot.addEventListener("mouseover", over);
  state.plot.addEventListener("focusin", over);
  state.plot.addEventListener("mouseleave", () => light(state, state.data.position));
  navigate(
    state.plot,
    () => state.rows,
    () => ({ ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }),
    (i) => state.report("token", i),
  );
}

function draw(state) {
  drawGrid(state);
  drawLarge(state);
}

function update(state) {
  const { data } = state;
  state.heads.forEach((option, i) => option.setAttribute("aria-label", [`Head ${headName(data, i)}`, data.habits[i]].filter(Boolean).join(", ")));
  if (data.chosen === state.wanted || !(Date.now() < state.until)) state.wanted = undefined;
  markHead(state, state.wanted ?? data.chosen);
  state.rows.forEach((row, i) => {
    row.setAttribute("aria-label", describeRow(data, i));
    row.setAttribute("aria-selected", String(i === data.position));
    if (!state.plot.contains(document.activeElement)) row.tabIndex = i === data.position ? 0 : -1;
  });
  draw(state);
  light(state, state.plot.contains(document.activeElement) ? state.lit ?? data.position : data.position);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".attention-maps");
  let state = host.attentionMaps;
  if (!state) {
    state = host.attentionMaps = { host };
    state.observer = new ResizeObserver(() => {
      if (state.width !== host.clientWidth && host.clientWidth) {
        state.width = host.clientWidth;
        draw(state);
      }
    });
  }
  state.report = setTriggerValue;
  state.data = data;
  if (state.packed !== data.cells) {
    state.packed = data.cells;
    state.cells = Uint8Array.from(atob(data.cells), (c) => c.charCodeAt(0));
  }
  state.ink = [1, 3, 5].map((i) => parseInt(data.color.slice(i, i + 2), 16));
  host.style.setProperty("--ink", data.color);
  const shape = JSON.stringify([data.layers, data.heads, data.tokens]);
  if (shape !== state.shape) {
    state.shape = shape;
    build(state);
  }
  update(state);
  state.observer.observe(host);
}
