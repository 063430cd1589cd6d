"use strict";

// Renews the numbers the page came with, every second. Texts come from the server and are written as text.
(() => {
  const POLL_MS = 2000;
  const GIVE_UP_MS = 8000;
  const STALE_S = 6;

  const root = document.querySelector("[data-source]");
  if (!root) return;
  const banner = root.querySelector("[data-banner]");
  const pause = root.querySelector("[data-pause]");
  const chart = window.queueChart(root.querySelector("[data-chart]"), ask);
  const showCrews = window.queueCrews(root.querySelector("[data-crews]"));
  const showTimeline = window.queueTimeline(root.querySelector("[data-timeline]"), root.querySelector("[data-no-steps]"));
  const cells = new Map([...root.querySelectorAll("[data-tile]")].map((cell) => [cell.dataset.tile, cell]));
  let sampledAt = performance.now() - 1000 * Number(root.dataset.age);
  let connection = null;
  let paused = false;

  const put = (node, text) => {
    if (node && node.textContent !== text) node.textContent = text;
  };

  function renew(cell, { text, level, word, note }) {
    put(cell.querySelector("[data-text]"), text);
    put(cell.querySelector("[data-word]"), word);
    put(cell.querySelector("[data-note]"), note);
    cell.dataset.level = level;
  }

  function say(sentence) {
    put(banner, sentence);
    banner.hidden = !sentence;
  }

  function show(sample) {
    const unseen = Object.keys(sample.cells).some((key) => !cells.has(key));
    // Redis was away when this page was made, so its table is empty: the server writes the rows.
    if (unseen) return location.reload();
    for (const [key, cell] of Object.entries(sample.cells)) renew(cells.get(key), cell);
    sampledAt = performance.now() - 1000 * sample.age_s;
    root.toggleAttribute("data-stale", sample.stale);
    say(sample.banner);
    showCrews(sample.crews);
    showTimeline(sample.steps);
    chart.remember(sample.steps);
    if (sample.point) chart.add(sample.point);
  }

  function told({ state, since }) {
    root.toggleAttribute("data-stale", state !== "live");
    if (state === "silent")
      say(`The web server does not answer since ${since.toLocaleTimeString()}; the numbers below are from then.`);
    if (state === "logged out") say("You are not logged in any more. Reload the page to log in.");
  }

  // Between two samples the age goes on.
  setInterval(() => {
    const age = (performance.now() - sampledAt) / 1000;
    const cell = cells.get("age");
    if (cell.dataset.level === "unknown") return;
    const whole = Math.round(age);
    const text = age < 9.95 ? `${age.toFixed(1)} s` : whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
    put(cell.querySelector("[data-text]"), text);
    if (age > STALE_S) root.toggleAttribute("data-stale", true);
  }, 500);

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    put(pause, paused ? "Go on" : "Hold still");
    if (paused) connection?.hold();
    else connection?.goOn();
  });

  // What the queue remembers, for the chart. Without it the chart draws what this page is told.
  async function ask(what) {
    try {
      const answer = await fetch(root.dataset.history + what, { redirect: "manual", signal: AbortSignal.timeout(GIVE_UP_MS) });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null; // told by the connection, which asks the same server
    }
  }

  async function begin() {
    await chart.load();
    connection = window.live({
      stream: root.dataset.stream,
      source: root.dataset.source,
      every_ms: POLL_MS,
      onData: show,
      onState: told,
    });
    if (paused) connection.hold();
  }

  begin();
})();
