// The pages work without this file. With it: countdowns tick on the server's clock, the buy button wakes at the
// start, and a click is never sent twice. Nothing is inline and nothing is evaluated.
(() => {
  "use strict";

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const milliseconds = (value) => (typeof value === "number" ? value : Date.parse(value));

  // ---- The server's clock. `offset` is what to add to this device's, which may be minutes off.
  // The page was made between its request and its first byte: take the middle, as for every later answer.
  let offset = 0;
  const made = document.querySelector("[data-now]");
  const [load] = performance.getEntriesByType("navigation");
  if (made && load) {
    offset = Number(made.dataset.now) - performance.timeOrigin - (load.requestStart + load.responseStart) / 2;
  }
  const now = () => Date.now() + offset;
  // An answer may come from a cache and be a second old, which makes its clock late and never early: the furthest
  // ahead is the freshest. A bigger difference means that this device's clock was set, or slept.
  function settle(sample) {
    offset = Math.abs(sample - offset) > 2000 ? sample : Math.max(sample, offset);
  }

  // ---- Countdowns. `spell` in config/templatetags/sluice.py says the same.
  const two = (number) => String(number).padStart(2, "0");
  function spell(seconds) {
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;
    const clock = `${seconds < 3600 ? "" : `${two(hours)}:`}${two(minutes)}:${two(seconds % 60)}`;
    return days ? `${days} d ${clock}` : clock;
  }

  // A ticking clock read aloud every second would be unbearable: only these moments are spoken, and then the start.
  const SPOKEN = new Map([
    [60, "One minute left."],
    [10, "Ten seconds left."],
  ]);
  function say(text) {
    const line = document.querySelector("[data-say]");
    if (line && line.textContent !== text) line.textContent = text;
  }

  function tick() {
    for (const timer of all("[data-until]")) {
      const left = Math.max(0, Math.ceil((Number(timer.dataset.until) - now()) / 1000));
      const text = spell(left);
      if (timer.textContent === text) continue;
      timer.textContent = text;
      timer.classList.toggle("soon", left <= 60);
      if (SPOKEN.has(left) && timer.hasAttribute("data-spoken")) say(SPOKEN.get(left));
    }
    if (sale) sale.judge();
  }

  // ---- A sale's page: state by the server's clock between two answers, by the server's word at each.
  function follow(root) {
    const edges = { starts: Number(root.dataset.startsAt), ends: Number(root.dataset.endsAt) };
    let gate = root.dataset.gate; // open | paused | sold_out, while the sale lasts
    let shown = "";
    let again = 0;

    function stateNow() {
      if (now() < edges.starts) return "upcoming";
      if (now() >= edges.ends) return "ended";
      return gate;
    }

    function judge() {
      const state = stateNow();
      if (state === shown) return;
      const before = shown;
      shown = state;
      root.dataset.state = state;
      for (const part of all("[data-when]", root)) part.hidden = !part.dataset.when.split(" ").includes(state);
      for (const button of all("button[data-buy]", root)) {
        button.disabled = state !== "open";
        button.textContent = button.dataset[state.replace("_o", "O")] ?? button.textContent;
      }
      // What was said of the last state, such as that nothing can be ordered, is not true any more.
      for (const told of all("[data-told]", root)) told.hidden = true;
      if (before && state === "open") say(before === "paused" ? "The sale goes on." : "The sale is open.");
      if (state === "paused") say("This sale is paused.");
      if (state === "sold_out") say("Sold out.");
      // Everybody's countdown ends in the same instant: spread the question over a second.
      if (before) again = later(ask, 1000 * Math.random());
    }

    function notify(text) {
      for (const line of all("[data-notice]", root)) {
        if (line.textContent !== text) line.textContent = text;
        line.hidden = !text;
      }
    }

    const later = (what, after) => {
      clearTimeout(again);
      return setTimeout(what, after);
    };

    async function ask() {
      clearTimeout(again);
      let after = 5000;
      try {
        const sent = Date.now();
        const answer = await fetch(root.dataset.url, { cache: "no-store" });
        const got = Date.now();
        if (answer.ok) {
          const body = await answer.json();
          settle(milliseconds(body.now) + (got - sent) / 2 - got);
          gate = ["paused", "sold_out"].includes(body.state) ? body.state : "open";
          notify(body.notice ?? "");
          // An operator may have moved the sale since this page was made.
          edges.starts = milliseconds(body.starts_at);
          edges.ends = milliseconds(body.ends_at);
          for (const timer of all("[data-edge]", root)) timer.dataset.until = edges[timer.dataset.edge];
          after = body.poll_after_ms ?? after;
          judge();
          root.dispatchEvent(new CustomEvent("sale:said", { detail: body }));
        }
      } catch {
        // Offline, or the shop restarts: the countdown goes on by the last offset, and the next try may succeed.
      }
      if (stateNow() !== "ended" && !document.hidden) again = later(ask, after);
    }

    ask();
    return { judge, ask };
  }

  const root = document.querySelector("[data-sale]");
  const sale = root ? follow(root) : null;

  // Timers sleep in a hidden tab and a laptop's clock may be set while it sleeps: ask again on waking.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && sale) sale.ask();
    tick();
  });
  // Back to a page kept in memory: its key is spent and its numbers are old.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // ---- One click, one order: the button rests as soon as the form is on its way.
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button[data-once]");
    if (!button) return;
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.once || button.textContent;
  });

  // ---- A part that asks for itself again and again is put in place only if it reads otherwise than before: the
  // keyboard's focus stays where it is, and nothing flickers.
  function essence(part) {
    const copy = part.cloneNode(true);
    for (const time of all("time", copy)) time.textContent = time.dateTime;
    for (const timer of all("[data-until]", copy)) timer.textContent = timer.dataset.until;
    return copy.textContent.replace(/\s+/g, " ");
  }
  document.addEventListener("htmx:beforeSwap", (event) => {
    const before = event.detail.target;
    if (!before.hasAttribute("data-live") || !event.detail.shouldSwap) return;
    const after = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").body.firstElementChild;
    if (after && essence(after) === essence(before)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    localise(document);
    tick();
    const headline = event.detail.elt.querySelector?.("h1");
    if (headline) say(headline.textContent);
  });

  // ---- Instants in the reader's own time zone.
  function localise(part) {
    for (const time of all("time[data-local]", part)) {
      time.title = time.textContent;
      time.textContent = new Intl.DateTimeFormat(undefined, {
        dateStyle: "medium", timeStyle: time.dataset.local,
      }).format(new Date(time.dateTime));
      time.removeAttribute("data-local");
    }
  }

  localise(document);
  tick();
  setInterval(tick, 200);
})();
