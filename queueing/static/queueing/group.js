"use strict";

// One group's page: its numbers and consumers as they are told, its partitions asked for now and then.
(() => {
  const PARTITIONS_EVERY_MS = 5000;

  const root = document.querySelector("[data-source]");
  const banner = root?.querySelector("[data-banner]");
  const byPartition = root?.querySelector("[data-by-partition]");
  if (!byPartition) return;
  const showCrews = window.queueCrews(root.querySelector("[data-crews]"));
  const cells = [...root.querySelectorAll("[data-tile]")];

  function say(sentence) {
    banner.textContent = sentence;
    banner.hidden = !sentence;
  }

  window.live({
    stream: root.dataset.stream,
    source: root.dataset.source,
    onData(sample) {
      root.toggleAttribute("data-stale", sample.stale);
      say(sample.banner);
      for (const cell of cells) {
        const told = sample.cells[cell.dataset.tile];
        if (!told) continue;
        cell.querySelector("[data-text]").textContent = told.text;
        const word = cell.querySelector("[data-word]");
        if (word) word.textContent = told.word;
        cell.dataset.level = told.level;
      }
      showCrews(sample.crews);
    },
    onState({ state, since }) {
      root.toggleAttribute("data-stale", state !== "live");
      if (state === "silent")
        say(`The web server does not answer since ${since.toLocaleTimeString()}; the numbers below are from then.`);
      if (state === "logged out") say("You are not logged in any more. Reload the page to log in.");
    },
  });

  // The table as the server writes it: its text is escaped there. A form on this page is not touched.
  setInterval(async () => {
    if (document.hidden || byPartition.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { redirect: "manual", signal: AbortSignal.timeout(PARTITIONS_EVERY_MS) });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const table = page.querySelector("[data-by-partition] tbody");
      if (table) byPartition.querySelector("tbody")?.replaceWith(table);
    } catch {
      // Told by the connection, which asks the same server.
    }
  }, PARTITIONS_EVERY_MS);
})();
