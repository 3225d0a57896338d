// A range input whose value follows the server's, except while the user moves it.

const PAUSE_MS = 150; // a drag is reported when it rests
const ANSWER_MS = 3000; // after a move, older positions are ignored for so long at most

function show(state, step) {
  state.bar.value = step;
  state.bar.style.setProperty("--done", `${(100 * step) / Math.max(1, state.bar.max)}%`);
  const name = state.names[step] ?? Number(step).toLocaleString("en");
  state.output.textContent = name;
  state.bar.setAttribute("aria-valuetext", name);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector(".seek-bar");
  let state = host.seekBar;
  if (!state) {
    state = host.seekBar = { bar: host.querySelector("input"), output: host.querySelector("output") };
    state.bar.addEventListener("input", () => {
      state.wanted = Number(state.bar.value);
      state.until = Date.now() + ANSWER_MS;
      show(state, state.wanted);
      clearTimeout(state.timer);
      state.timer = setTimeout(() => state.report(state.wanted), PAUSE_MS);
    });
  }
  state.names = data.names;
  state.report = (step) => setTriggerValue("moved", step);
  state.bar.max = data.last_step;
  state.bar.setAttribute("aria-label", data.label);
  if (state.wanted === data.step || Date.now() > state.until) state.wanted = undefined;
  if (state.wanted === undefined) show(state, data.step);
}
