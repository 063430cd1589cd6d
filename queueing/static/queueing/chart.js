"use strict";

// Two plots with one cursor: produced against consumed, and lag. They hold what this page has seen, five minutes of it.
window.queueChart = (section) => {
  const WINDOW_S = 300;
  const points = []; // {at (s), lines: {group: [lag, produced, consumed]}}
  const select = section.querySelector("[data-group]");
  const summary = section.querySelector("[data-summary]");
  const sync = uPlot.sync("queue");
  const number = new Intl.NumberFormat("en");
  let plots = [];

  const colour = (name) => getComputedStyle(section).getPropertyValue(name).trim();
  const short = (value) =>
    value >= 1e6 ? `${+(value / 1e6).toFixed(1)}M` : value >= 1e3 ? `${+(value / 1e3).toFixed(1)}k` : String(value);
  const read = (self, value) => (value == null ? "—" : number.format(value));

  function axes() {
    const axis = {
      stroke: colour("--chart-text"),
      grid: { stroke: colour("--chart-grid"), width: 1 },
      ticks: { show: false },
      font: "12px Inter, sans-serif",
    };
    return [
      { ...axis, grid: { show: false }, space: 70 },
      { ...axis, size: 48, values: (self, values) => values.map(short) },
    ];
  }

  function options(node, series, bands) {
    return {
      width: node.clientWidth,
      height: 190,
      series: [{ value: (self, at) => (at == null ? "—" : new Date(at * 1000).toLocaleTimeString()) }, ...series],
      bands,
      axes: axes(),
      cursor: { sync: { key: sync.key }, points: { size: 7 } },
      scales: {
        x: { range: () => [newest() - WINDOW_S, newest()] },
        y: { range: (self, low, high) => [0, Math.max(4, (high || 0) * 1.1)] },
      },
    };
  }

  function draw() {
    plots.forEach((plot) => plot.destroy());
    const [rates, lag] = section.querySelectorAll("[data-plot]");
    const line = (label, name, more) => ({
      label,
      stroke: colour(name),
      width: 2,
      points: { show: false },
      value: read,
      ...more,
    });
    plots = [
      new uPlot(
        options(
          rates,
          [line("produced/s", "--produced", { dash: [6, 4] }), line("consumed/s", "--consumed")],
          [{ series: [1, 2], fill: colour("--chart-gap") }],
        ),
        data()[0],
        rates,
      ),
      new uPlot(options(lag, [line("lag", "--lag", { fill: colour("--lag-fill") })]), data()[1], lag),
    ];
  }

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
        ? "Drawn from what this page has seen since it was opened."
        : `What this page has seen, ${seconds} s of it: lag of ${who} between ` +
          `${number.format(Math.min(...lags))} and ${number.format(Math.max(...lags))}, ` +
          `now ${number.format(lags[lags.length - 1])}.`;
  }

  function refresh() {
    data().forEach((lines, index) => plots[index].setData(lines));
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
    add({ at_ms: atMs, lines }) {
      if (points.length && atMs / 1000 <= newest()) return; // the same sample again
      points.push({ at: atMs / 1000, lines });
      while (points[0].at < newest() - WINDOW_S) points.shift();
      refresh();
    },
  };
};
