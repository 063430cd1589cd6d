"use strict";

// Two plots with one cursor: produced against consumed, and lag. They begin with the last five minutes, second by second,
// as the queue remembers them, and go on with what this page sees.
window.queueChart = (section) => {
  const WINDOW_S = 300;
  const AT_LEAST_S = 60; // a page just opened is not a spike at the right edge
  const points = []; // {at (s), lines: {group: [lag, produced, consumed]}}
  const select = section.querySelector("[data-group]");
  const summary = section.querySelector("[data-summary]");
  const sync = uPlot.sync("queue");
  const number = new Intl.NumberFormat("en");
  let plots = [];

  const colour = (name) => getComputedStyle(section).getPropertyValue(name).trim();
  const short = (value) =>
    value >= 1e6 ? `${+(value / 1e6).toFixed(1)}M` : value >= 1e3 ? `${+(value / 1e3).toFixed(1)}k` : String(value);
  const clock = (at, options) => new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23", ...options });

  function axes() {
    const axis = {
      stroke: colour("--chart-text"),
      grid: { stroke: colour("--chart-grid"), width: 1 },
      ticks: { show: false },
      font: "12px Inter, sans-serif",
    };
    return [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        size: 28,
        values: (self, moments) => moments.map((at) => clock(at, { hour: "2-digit", minute: "2-digit", second: "2-digit" })),
      },
      { ...axis, size: 48, values: (self, values) => values.map(short) },
    ];
  }

  function options(node, series, bands) {
    return {
      width: node.clientWidth,
      height: 190,
      series: [{}, ...series],
      bands,
      legend: { show: false }, // the captions above the plots read out what the cursor points at
      hooks: { setCursor: [(plot) => readOut(plot.cursor.idx)] },
      axes: axes(),
      cursor: { sync: { key: sync.key }, points: { size: 7 } },
      scales: {
        x: { range: () => [Math.max(newest() - WINDOW_S, Math.min(oldest(), newest() - AT_LEAST_S)), newest()] },
        y: { range: (self, low, high) => [0, Math.max(4, (high || 0) * 1.1)] },
      },
    };
  }

  function draw() {
    plots.forEach((plot) => plot.destroy());
    const [rates, lag] = section.querySelectorAll("[data-plot]");
    const line = (name, more) => ({ stroke: colour(name), width: 2, points: { show: false }, spanGaps: true, ...more });
    plots = [
      new uPlot(
        options(
          rates,
          [line("--produced", { dash: [6, 4] }), line("--consumed")],
          [{ series: [1, 2], fill: colour("--chart-gap") }],
        ),
        data()[0],
        rates,
      ),
      new uPlot(options(lag, [line("--lag", { fill: colour("--lag-fill") })]), data()[1], lag),
    ];
  }

  // The point under the cursor, or the newest.
  function readOut(index) {
    const point = points[index ?? points.length - 1];
    if (!point) return;
    section.querySelectorAll("[data-value]").forEach((node) => {
      const value = point.lines[select.value]?.[Number(node.dataset.value)];
      const unit = node.dataset.value === "0" ? "" : "/s";
      node.textContent = value == null ? "—" : number.format(value >= 10 ? Math.round(value) : value) + unit;
    });
    section.querySelectorAll("[data-moment]").forEach((node) => (node.textContent = clock(point.at)));
  }

  const oldest = () => (points.length ? points[0].at : Date.now() / 1000);
  const newest = () => (points.length ? points[points.length - 1].at : Date.now() / 1000);

  function data() {
    const of = (index) => points.map((point) => point.lines[select.value]?.[index] ?? null);
    const at = points.map((point) => point.at);
    return [
      [at, of(1), of(2)],
      [at, of(0)],
    ];
  }

  function describe() {
    const seconds = points.length ? Math.round(newest() - points[0].at) : 0;
    const lags = data()[1][1].filter((lag) => lag != null);
    const who = select.options[select.selectedIndex].text;
    summary.textContent =
      seconds < 2
        ? "Nothing is drawn yet."
        : `The last ${seconds} s: lag of ${who} between ` +
          `${number.format(Math.min(...lags))} and ${number.format(Math.max(...lags))}, ` +
          `now ${number.format(lags[lags.length - 1])}.`;
  }

  function refresh() {
    data().forEach((lines, index) => plots[index].setData(lines));
    readOut(plots[0].cursor.idx);
    describe();
  }

  select.addEventListener("change", refresh);
  section.hidden = false;
  draw();
  new ResizeObserver(() => {
    const [rates, lag] = section.querySelectorAll("[data-plot]");
    [rates, lag].forEach((node, index) => plots[index].setSize({ width: node.clientWidth, height: 190 }));
  }).observe(section);
  // The theme switch changes a class of <html>; the canvas has to be told.
  let theme = document.documentElement.className;
  new MutationObserver(() => {
    if (document.documentElement.className === theme) return;
    theme = document.documentElement.className;
    draw();
  }).observe(document.documentElement, { attributeFilter: ["class"] });

  return {
    begin({ first_s: first, lines }) {
      const names = Object.keys(lines);
      if (!names.length) return;
      for (let n = 0; n < lines[names[0]][0].length; n += 1) {
        // A rate is of the whole second, so it stands at its end.
        points.push({ at: first + n + 1, lines: Object.fromEntries(names.map((name) => [name, lines[name].map((of) => of[n])])) });
      }
      refresh();
    },
    add({ at_ms: atMs, lines }) {
      if (points.length && atMs / 1000 <= newest()) return; // the same sample again
      points.push({ at: atMs / 1000, lines });
      while (points[0].at < newest() - WINDOW_S) points.shift();
      refresh();
    },
  };
};
