// One chart: mounted once, then updated with each new figure. Streamlit calls the default export
// whenever the data changes.

const CONFIG = {
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "toImage"],
  // Without a pointer that hovers, Plotly's toolbar would always lie on the titles.
  displayModeBar: matchMedia("(hover: none)").matches ? false : "hover",
};

const RETRY_MS = 3000;
const NEAR = "700px"; // charts this far above and below the visible part are drawn

function loadPlotly(url) {
  // One promise per page load. Separate from window.Plotly, which st.plotly_chart replaces.
  window.gptLabPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.gptLabPlotly = undefined; // so that the next draw tries again
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
  const { figure, description } = state.data; // the newest: it may have changed while plotly.js was loading
  if (!figure || !host.isConnected) return;
  host.setAttribute("aria-label", description);
  // Parsed each time: Plotly writes the user's zoom and legend choices into its input, and would
  // read them as the figure's own when it is drawn again in another theme.
  const { data, layout } = JSON.parse(figure);
  host.style.minHeight = `${layout.height ?? 420}px`; // reserves its space before it is drawn
  if (!state.isNear) return; // drawn when it is scrolled near
  state.Plotly = Plotly;
  const text = getComputedStyle(host).getPropertyValue("--st-text-color");
  for (const trace of data) if (trace.type === "heatmap") trace.textfont = { ...trace.textfont, color: text };
  await Plotly.react(host, data, inThePagesColours(layout, host), CONFIG);
}

// Saves the chart as shown, with its zoom and hidden lines, but dark on white, as on paper.
function saveAs(host, state, format) {
  const layout = { ...host.layout, paper_bgcolor: "#fff", plot_bgcolor: "#fff" };
  // A font that other machines have too: text is measured here, but drawn where the file is opened.
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
  // One drawing at a time: calls overlap when the browser is slow. A waiting drawing uses the newest
  // data, so no second one has to wait.
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
        const isNear = places.at(-1).isIntersecting; // the newest of several entries
        const comes = isNear && !state.isNear;
        state.isNear = isNear;
        if (comes) redraw();
      },
      { root: host.closest('[data-testid="stMain"]'), rootMargin: NEAR },
    );
    state.sight.observe(host);
    // A change of theme starts a transition of the text colour, of 1 ms (live_chart.css).
    host.addEventListener("transitionend", (event) => {
      if (event.target === host && event.propertyName === "color") redraw();
    });
  }
  redraw();
  // Called when the component is removed, and also before each next call.
  return () =>
    setTimeout(() => {
      if (host.isConnected || !host.liveChart) return;
      state.observer.disconnect();
      state.sight.disconnect();
      state.Plotly?.purge(host);
      delete host.liveChart;
    });
}
