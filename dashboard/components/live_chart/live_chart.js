// One chart: mounted once, then handed each new figure. Streamlit calls the default export
// whenever the data has changed.

const CONFIG = {
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "toImage"],
};

const RETRY_MS = 3000;
const NEAR = "700px"; // so far above and below what one sees, charts are drawn

function loadPlotly(url) {
  // One promise per page load. Kept apart from window.Plotly, which st.plotly_chart replaces.
  window.gptLabPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.gptLabPlotly = undefined; // so that it can be tried again
      reject(new Error("plotly.js could not be loaded"));
    };
    document.head.append(script);
  });
  return window.gptLabPlotly;
}

function inThePagesColours(layout, host) {
  const style = getComputedStyle(host);
  const text = style.getPropertyValue("--st-text-color") || style.color;
  const grid = style.getPropertyValue("--st-border-color");
  const background = style.getPropertyValue("--st-background-color");
  const themed = {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, color: text, family: style.getPropertyValue("--st-font") || style.fontFamily },
    hoverlabel: { bgcolor: background, bordercolor: grid, font: { color: text } },
  };
  for (const name of Object.keys(layout).filter((name) => /^[xy]axis/.test(name))) {
    themed[name] = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, ...layout[name] };
  }
  return themed;
}

async function draw(host, state) {
  host.classList.toggle("preload", !state.data.figure);
  const Plotly = await loadPlotly(state.data.plotly);
  const { figure, description } = state.data; // the newest: more may have come meanwhile
  if (!figure || !host.isConnected) return;
  host.setAttribute("aria-label", description);
  // Anew each time: plotly writes the user's zoom and legend choices into what it is given, and
  // would take them for the figure's own when the same figure is drawn again in another theme.
  const { data, layout } = JSON.parse(figure);
  host.style.minHeight = `${layout.height ?? 420}px`; // its place, whether it is drawn yet or not
  if (!state.isNear) return; // it is drawn when somebody comes near it
  state.Plotly = Plotly;
  const text = getComputedStyle(host).getPropertyValue("--st-text-color");
  for (const trace of data) if (trace.type === "heatmap") trace.textfont = { ...trace.textfont, color: text };
  await Plotly.react(host, data, inThePagesColours(layout, host), CONFIG);
}

// The chart as one sees it, zoom and hidden lines included, but dark on white, as on paper.
function saveAs(host, state, format) {
  const layout = { ...host.layout, paper_bgcolor: "#fff", plot_bgcolor: "#fff" };
  // A font that whoever opens the picture has: others are measured here and drawn narrower there.
  layout.font = { ...layout.font, color: "#1d2524", family: "Arial, sans-serif" };
  if (state.data.title) {
    layout.title = { text: state.data.title, x: 0.99, xanchor: "right", y: 0.98, yanchor: "top", font: { size: 15 } };
    layout.margin = { ...layout.margin, t: (layout.margin?.t ?? 40) + 30 };
  }
  for (const name of Object.keys(layout).filter((name) => /^[xy]axis/.test(name))) {
    layout[name] = { ...layout[name], gridcolor: "#dcdfd7", linecolor: "#dcdfd7", zerolinecolor: "#dcdfd7" };
  }
  const size = { width: 1200, height: Math.max(600, host.layout.height ?? 0) };
  state.Plotly.downloadImage({ data: host.data, layout }, { format, ...size, scale: 2, filename: state.data.save_as });
}

function offerPictures(host, state, place) {
  place.hidden = !state.data.save_as;
  if (place.childElementCount) return;
  for (const format of ["png", "svg"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Save as ${format.toUpperCase()}`;
    button.addEventListener("click", () => state.Plotly && saveAs(host, state, format));
    place.append(button);
  }
}

export default function ({ data, parentElement }) {
  const host = parentElement.querySelector(".live-chart");
  const state = (host.liveChart ??= { drawing: Promise.resolve() });
  // One drawing after another: calls overlap when the browser is slow. What comes while one waits
  // for its turn is drawn by that one.
  const redraw = () => {
    if (state.waits) return;
    state.waits = true;
    const begin = () => {
      state.waits = false;
      return draw(host, state);
    };
    state.drawing = state.drawing.then(begin).catch(retry);
  };
  const retry = (error) => {
    console.error(error);
    if (host.isConnected) setTimeout(redraw, RETRY_MS);
  };
  state.data = data;
  offerPictures(host, state, parentElement.querySelector(".live-chart-save"));
  if (!state.observer) {
    state.observer = new ResizeObserver(() => {
      if (state.Plotly && host.isConnected) state.Plotly.Plots.resize(host);
    });
    state.observer.observe(host);
    state.sight = new IntersectionObserver(
      (places) => {
        const isNear = places.at(-1).isIntersecting; // the newest, where there were several
        const comes = isNear && !state.isNear;
        state.isNear = isNear;
        if (comes) redraw();
      },
      { root: host.closest('[data-testid="stMain"]'), rootMargin: NEAR },
    );
    state.sight.observe(host);
    // The text's colour passes over within a millisecond when the theme changes (live_chart.css).
    host.addEventListener("transitionend", (event) => {
      if (event.target === host && event.propertyName === "color") redraw();
    });
  }
  redraw();
  // Called when the component goes, and also when the next call takes this one's place.
  return () =>
    setTimeout(() => {
      if (host.isConnected || !host.liveChart) return;
      state.observer.disconnect();
      state.sight.disconnect();
      state.Plotly?.purge(host);
      delete host.liveChart;
    });
}
