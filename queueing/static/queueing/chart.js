"use strict";

// Two plots with one cursor: produced against consumed, and lag with the limits at which consumers are added and taken
// away. They begin with what the queue remembers, or a past run, and go on with what the page is told.
window.queueChart = (section, ask) => {
  const AT_LEAST_S = 60; // a page just opened is not a spike at the right edge
  const SPAN_S = { "last=minutes": 300, "last=hour": 3600 };
  const HEIGHT = 170;
  const PARTITION_EVERY_MS = 2000; // what the page is told has no partitions: those are asked for
  const [UP, DOWN] = [Number(section.dataset.up), Number(section.dataset.down)];
  const node = (name) => section.querySelector(`[data-${name}]`);
  const [range, group, partition] = [node("range"), node("group"), node("partition")];
  const summary = node("summary");
  const sync = uPlot.sync("queue");
  const number = new Intl.NumberFormat("en");
  let points = []; // {at (s), lines: {name: [lag, produced, consumed]}}
  let steps = []; // {id, at_ms, group, direction, …}, the oldest first
  let plots = [];
  let asked = 0;
  let timer = null;

  const live = () => range.value in SPAN_S;
  const name = () => (partition.value ? `${group.value}/${partition.value}` : group.value);
  const colour = (property) => getComputedStyle(section).getPropertyValue(property).trim();
  const short = (value) =>
    value >= 1e6 ? `${+(value / 1e6).toFixed(1)}M` : value >= 1e3 ? `${+(value / 1e3).toFixed(1)}k` : String(value);
  const clock = (at, options) => new Date(at * 1000).toLocaleTimeString([], { hourCycle: "h23", ...options });
  const oldest = () => (points.length ? points[0].at : Date.now() / 1000);
  const newest = () => (points.length ? points[points.length - 1].at : Date.now() / 1000);

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

  function begins() {
    if (!live()) return oldest();
    return Math.max(newest() - SPAN_S[range.value], Math.min(oldest(), newest() - AT_LEAST_S));
  }

  function options(place, { series, bands = [], top, draw = [] }) {
    return {
      width: place.clientWidth,
      height: HEIGHT,
      series: [{}, ...series],
      bands,
      legend: { show: false }, // the captions above the plots read out what the cursor points at
      hooks: { setCursor: [(plot) => readOut(plot.cursor.idx)], draw },
      axes: axes(),
      cursor: { sync: { key: sync.key }, points: { size: 7 }, drag: { setScale: false } },
      scales: {
        x: { range: () => [begins(), newest()] },
        y: { range: (self, low, high) => [0, top(high || 0)] },
      },
    };
  }

  function draw() {
    plots.forEach((plot) => plot.destroy());
    const [rates, lag] = section.querySelectorAll("[data-plot]");
    const line = (property, more) => ({ stroke: colour(property), width: 2, points: { show: false }, spanGaps: true, ...more });
    plots = [
      new uPlot(
        options(rates, {
          series: [line("--produced", { dash: [6, 4] }), line("--consumed")],
          bands: [
            { series: [1, 2], fill: colour("--grows"), dir: -1 },
            { series: [2, 1], fill: colour("--drains"), dir: -1 },
          ],
          top: (high) => Math.max(4, high * 1.1),
        }),
        data()[0],
        rates,
      ),
      new uPlot(
        options(lag, {
          series: [line("--lag", { fill: colour("--lag-fill") })],
          // The lower line is always to be seen, and the upper one as soon as the lag is on its way there.
          top: (high) => (high > UP / 3 ? Math.max(UP, high) : Math.max(DOWN, high)) * 1.12,
          draw: [drawLimits, drawSteps],
        }),
        data()[1],
        lag,
      ),
    ];
  }

  function drawLimits(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = `${11 * devicePixelRatio}px Inter, sans-serif`;
    ctx.lineWidth = devicePixelRatio;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    let above = -Infinity;
    for (const [limit, property, means] of [
      [UP, "--red", "add consumers"],
      [DOWN, "--amber", "take away"],
    ]) {
      const y = plot.valToPos(limit, "y", true);
      if (y < bbox.top) continue;
      ctx.strokeStyle = ctx.fillStyle = colour(property);
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      if (y - above < 14 * devicePixelRatio) continue; // one name over the other could not be read
      ctx.fillText(`${number.format(limit)}: ${means}`, bbox.left + 4 * devicePixelRatio, y - 4 * devicePixelRatio);
      above = y;
    }
    ctx.restore();
  }

  const shownSteps = () => {
    const [from, to] = [begins() * 1000, newest() * 1000];
    return steps.filter(
      (step) =>
        step.at_ms >= from && step.at_ms <= to && (group.value === "all" || step.group === group.value) && step.direction !== "hold",
    );
  };

  function drawSteps(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.textAlign = "center";
    ctx.textBaseline = "alphabetic";
    ctx.lineWidth = devicePixelRatio;
    ctx.font = `${11 * devicePixelRatio}px Inter, sans-serif`;
    for (const step of shownSteps()) {
      const x = plot.valToPos(step.at_ms / 1000, "x", true);
      ctx.strokeStyle = ctx.fillStyle = colour(step.direction === "down" ? "--consumed" : "--produced");
      ctx.globalAlpha = 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + 12 * devicePixelRatio);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.fillText(step.direction === "down" ? "▼" : "▲", x, bbox.top + 9 * devicePixelRatio);
    }
    ctx.restore();
  }

  // The point under the cursor, or the newest.
  function readOut(index) {
    const point = points[index ?? points.length - 1];
    if (!point) return;
    section.querySelectorAll("[data-value]").forEach((place) => {
      const value = point.lines[name()]?.[Number(place.dataset.value)];
      const unit = place.dataset.value === "0" ? "" : "/s";
      place.textContent = value == null ? "—" : number.format(value >= 10 ? Math.round(value) : value) + unit;
    });
    section.querySelectorAll("[data-moment]").forEach((place) => (place.textContent = clock(point.at)));
  }

  function data() {
    const of = (index) => points.map((point) => point.lines[name()]?.[index] ?? null);
    const at = points.map((point) => point.at);
    return [
      [at, of(1), of(2)],
      [at, of(0)],
    ];
  }

  function describe() {
    const seconds = points.length ? Math.round(newest() - points[0].at) : 0;
    const lags = data()[1][1].filter((lag) => lag != null);
    const who = group.options[group.selectedIndex].text + (partition.value ? `, ${partition.value}` : "");
    const scaled = shownSteps().length;
    summary.textContent =
      seconds < 2 || !lags.length
        ? "Nothing is drawn yet."
        : `${live() ? "The last" : "The run's"} ${seconds} s: lag of ${who} between ` +
          `${number.format(lags.reduce((a, b) => Math.min(a, b)))} and ${number.format(lags.reduce((a, b) => Math.max(a, b)))}, ` +
          `${live() ? "now" : "at the end"} ${number.format(lags[lags.length - 1])}; ` +
          `consumers changed ${scaled === 1 ? "once" : `${scaled} times`}.`;
  }

  function refresh() {
    data().forEach((lines, index) => plots[index].setData(lines));
    readOut(plots[0].cursor.idx);
    describe();
  }

  // What the queue remembers of what is chosen. The answer to an older question is thrown away.
  async function load() {
    clearTimeout(timer);
    const mine = (asked += 1);
    const place = partition.value ? `&place=${encodeURIComponent(name())}` : "";
    const told = await ask(`?${range.value}${place}`);
    if (mine !== asked) return;
    if (told?.history) begin(told);
    if (partition.value && live() && !document.hidden) timer = setTimeout(load, PARTITION_EVERY_MS);
  }

  function begin({ history: { first_s: first, step_s: step, lines }, steps: found, partitions }) {
    const names = Object.keys(lines);
    points = (lines[names[0]]?.[0] ?? []).map((_, n) => ({
      at: first + (n + 1) * step, // a rate is of the whole step, so it stands at its end
      lines: Object.fromEntries(names.map((each) => [each, lines[each].map((of) => of[n])])),
    }));
    remember(found);
    offer(partitions[group.value] ?? []);
    refresh();
  }

  function remember(found) {
    const known = new Set(steps.map((step) => step.id));
    steps = [...steps, ...found.filter((step) => !known.has(step.id))].sort((a, b) => a.at_ms - b.at_ms).slice(-1000);
  }

  function offer(partitions) {
    node("partitions").hidden = partitions.length < 2;
    const there = [...partition.options].slice(1).map((option) => option.value);
    if (there.join() === partitions.join()) return;
    const chosen = partition.value;
    partition.replaceChildren(partition.options[0], ...partitions.map((each) => new Option(each, each)));
    partition.value = partitions.includes(chosen) ? chosen : "";
  }

  // Arrow keys move the cursor of both plots; Home and End go to the edges, Escape to now.
  function onKey(event) {
    const last = points.length - 1;
    const from = plots[0].cursor.idx ?? last;
    const many = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: from - many, ArrowRight: from + many, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to === null) return plots[0].setCursor({ left: -10, top: -10 }, true, true);
    const at = points[Math.min(last, Math.max(0, to))].at;
    plots[0].setCursor({ left: plots[0].valToPos(at, "x"), top: HEIGHT / 3 }, true, true); // and the other plot's
  }

  range.addEventListener("change", () => {
    if (!live()) offer([]);
    load();
  });
  group.addEventListener("change", () => {
    partition.value = "";
    load();
  });
  partition.addEventListener("change", load);
  document.addEventListener("visibilitychange", () => document.hidden || load());
  section.querySelectorAll("[data-plot]").forEach((place) => place.addEventListener("keydown", onKey));
  section.hidden = false;
  draw();
  new ResizeObserver(() => {
    section.querySelectorAll("[data-plot]").forEach((place, index) => plots[index].setSize({ width: place.clientWidth, height: HEIGHT }));
  }).observe(section);
  // The theme switch changes a class of <html>; the canvas has to be told.
  let theme = document.documentElement.className;
  new MutationObserver(() => {
    if (document.documentElement.className === theme) return;
    theme = document.documentElement.className;
    draw();
  }).observe(document.documentElement, { attributeFilter: ["class"] });

  return {
    load,
    add({ at_ms: atMs, lines }) {
      if (!live() || partition.value) return;
      if (points.length && atMs / 1000 <= newest()) return; // the same sample again
      points.push({ at: atMs / 1000, lines });
      while (points[0].at < newest() - SPAN_S[range.value]) points.shift();
      refresh();
    },
    remember,
  };
};
