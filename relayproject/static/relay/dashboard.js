// The home page, refreshed every two seconds. The server has made and escaped the HTML of each
// part; only a part that has changed is replaced, so nothing flickers and a selection survives.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const home = document.getElementById("relay-home");
  const target = document.getElementById("relay-chart");
  const note = document.getElementById("relay-chart-note");
  const shown = new Map();
  let range = "minutes";
  let latest = JSON.parse(document.getElementById("relay-chart-data").textContent);
  let plot = null;

  // A canvas does not know light-dark(): an element that has the colour says which of the two it is.
  function colour(name) {
    target.style.color = `var(${name})`;
    return getComputedStyle(target).color;
  }

  const height = () => (window.innerWidth < 768 ? 170 : 230);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium", hourCycle: "h23" });
  const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3, notation: "compact" });

  function data(chart) {
    return [chart.rates.map((_, i) => chart.first + (i + 1) * chart.width), chart.rates];
  }

  function draw() {
    if (plot) plot.destroy();
    plot = null;
    target.replaceChildren();
    note.hidden = latest !== null;
    note.textContent = latest === null ? "Redis does not answer, so nobody knows how much is stored." : "";
    if (latest === null) return;
    const axis = {
      stroke: colour("--body-quiet-color"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: colour("--hairline-color"), width: 1 },
      ticks: { show: false },
    };
    plot = new uPlot(
      {
        width: target.clientWidth,
        height: height(),
        padding: [12, 20, 0, 0],
        legend: { show: true },
        cursor: { y: false, points: { size: 7 } },
        scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.15, 1)] } },
        axes: [
          { ...axis, values: (_, times) => times.map((t) => clock.format(t * 1000)), space: 70 },
          { ...axis, values: (_, rates) => rates.map((n) => number.format(n)), size: 46 },
        ],
        series: [
          { label: "until", value: (_, t) => (t === null ? "–" : exact.format(t * 1000)) },
          {
            label: "messages per second",
            stroke: colour("--relay-line"),
            fill: colour("--relay-fill"),
            width: 2,
            points: { show: false },
            value: (_, n) => (n === null ? "–" : number.format(n)),
          },
        ],
      },
      data(latest),
      target,
    );
    target.plot = plot; // For tests: a canvas cannot be read.
  }

  function show(state) {
    for (const [name, html] of Object.entries(state.parts)) {
      if (shown.get(name) === html) continue;
      shown.set(name, html);
      home.querySelector(`[data-part="${name}"]`).innerHTML = html;
    }
    document.getElementById("relay-empty").hidden = !state.is_empty;
    const redraw = (state.chart === null) !== (latest === null);
    latest = state.chart;
    if (plot && !redraw) plot.setData(data(latest));
    else draw();
    home.classList.remove("stale");
  }

  async function refresh() {
    try {
      const answer = await fetch(`${home.dataset.state}?range=${range}`, { headers: { Accept: "application/json" } });
      if (answer.redirected) return window.location.reload(); // Logged out meanwhile.
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
    } catch {
      home.classList.add("stale");
    }
    home.dataset.refreshed = String(Number(home.dataset.refreshed || 0) + 1);
  }

  async function keepFresh() {
    for (;;) {
      await new Promise((wake) => setTimeout(wake, EVERY_MS));
      if (!document.hidden) await refresh();
    }
  }

  for (const button of home.querySelectorAll("[data-range]")) {
    button.addEventListener("click", () => {
      range = button.dataset.range;
      for (const other of home.querySelectorAll("[data-range]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      refresh();
    });
  }
  for (const part of home.querySelectorAll("[data-part]")) shown.set(part.dataset.part, part.innerHTML.trim());
  new ResizeObserver(() => plot && plot.setSize({ width: target.clientWidth, height: height() })).observe(target);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  keepFresh();
})();
