"use strict";

// Renews the cells of a sale's page in the operator's room. Texts come from the server and are written as text.
(() => {
  const root = document.querySelector("[data-sale-room]");
  if (!root || !window.live) return;
  const banner = root.querySelector("[data-banner]");
  const cells = new Map([...root.querySelectorAll("[data-tile]")].map((cell) => [cell.dataset.tile, cell]));

  const put = (node, text) => {
    if (node && node.textContent !== text) node.textContent = text;
  };

  function say(sentence) {
    put(banner, sentence);
    banner.hidden = !sentence;
  }

  function show(told) {
    for (const [key, { text, word, note, level }] of Object.entries(told.cells)) {
      const cell = cells.get(key);
      if (!cell) continue;
      put(cell.querySelector("[data-text]"), text);
      put(cell.querySelector("[data-word]"), word);
      put(cell.querySelector("[data-note]"), note);
      cell.dataset.level = level;
    }
    root.toggleAttribute("data-stale", Boolean(told.banner));
    say(told.banner);
  }

  function state({ state: now, since }) {
    root.toggleAttribute("data-stale", now !== "live");
    if (now === "logged out") say("You are not logged in any more. Reload the page to log in.");
    if (now === "silent") say(`The web server does not answer since ${since.toLocaleTimeString()}; the numbers below are from then.`);
    if (now === "live") say("");
  }

  window.live({ stream: root.dataset.stream, source: root.dataset.source, every_ms: 2000, onData: show, onState: state });
})();
