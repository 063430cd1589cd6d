"use strict";

// Renews the funnel once a second. Texts come from the server and are written as text.
(() => {
  const root = document.querySelector("[data-funnel]");
  const banner = root.querySelector("[data-banner]");
  const [WIDTH, HEIGHT] = [100, 24];
  let told = "";

  const put = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  function say(sentence) {
    put(banner, sentence);
    banner.hidden = !sentence;
  }

  function showRow(row) {
    const line = root.querySelector(`[data-row="${row.key}"]`);
    put(line.querySelector("[data-now]"), row.now);
    put(line.querySelector("[data-minutes]"), row.minutes);
    put(line.querySelector("[data-sum]"), row.sale);
    put(line.querySelector("[data-share]"), row.share);
    put(line.querySelector("[data-limit]"), row.limit);
    put(line.querySelector("[data-peak]"), row.peak);
    line.querySelector("[data-bar]").value = row.bar;
    // Each line on a scale of its own: the note below it says what its highest point is.
    window.drawLine(line.querySelector("[data-line]"), row.line, WIDTH, HEIGHT);
  }

  function showLatency(latency) {
    const line = root.querySelector(`[data-latency="${latency.key}"]`);
    line.querySelectorAll("[data-cell]").forEach((cell, at) => put(cell, latency.cells[at]));
    put(line.querySelector("[data-answers]"), latency.answers);
  }

  function showReasons(reasons) {
    root.querySelector("[data-reasons]").replaceChildren(
      ...reasons.map(({ label, now, minutes, sale }) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = label;
        row.append(head);
        for (const text of [now, minutes, sale]) {
          const cell = row.insertCell();
          cell.className = "number";
          cell.textContent = text;
        }
        return row;
      }),
    );
    root.querySelector("[data-nobody]").hidden = reasons.length > 0;
  }

  function show(funnel) {
    told = funnel.banner;
    say(told);
    root.toggleAttribute("data-stale", funnel.stale);
    put(root.querySelector("[data-sale]"), funnel.sale);
    funnel.rows.forEach(showRow);
    funnel.latencies.forEach(showLatency);
    showReasons(funnel.reasons);
  }

  function showState({ state, since }) {
    root.toggleAttribute("data-stale", state !== "live");
    if (state === "logged out") say("You are not logged in any more. Reload the page to log in.");
    else if (state === "silent") say(`The web server does not answer since ${since.toLocaleTimeString()}; the numbers below are from then.`);
    else say(told);
  }

  window.live({
    stream: root.dataset.stream,
    source: root.dataset.source,
    every_ms: 2000,
    onData: show,
    onState: showState,
  });
})();
