"use strict";

// Renews the fault room: each group's backlog, and which faults act. Texts come from the server and are written as text.
(() => {
  const LAST_S = 120;
  const HEIGHT = 28;
  const root = document.querySelector("[data-faults]");
  if (!root) return;
  const banner = root.querySelector("[data-banner]");
  const template = root.querySelector("[data-template]");
  const rows = new Map([...root.querySelectorAll("tr[data-group]")].map((row) => [row.dataset.group, row]));
  const lags = new Map();
  const ends = new Map(); // id of an acting fault → when it ends, by performance.now()
  let drawnAt = 0;

  const put = (node, text) => {
    if (node && node.textContent !== text) node.textContent = text;
  };

  function say(sentence) {
    put(banner, sentence);
    banner.hidden = !sentence;
  }

  function draw(group) {
    const row = rows.get(group);
    const points = lags.get(group) ?? [];
    window.drawLine(row.querySelector("[data-line]"), points, LAST_S, HEIGHT);
    const peak = Math.max(0, ...points);
    put(row.querySelector("[data-peak]"), peak ? `at most ${peak.toLocaleString("en")}` : "");
  }

  function showBacklog({ group, points, lag, level, cells, why }, stale) {
    const row = rows.get(group);
    for (const [name, text] of Object.entries(cells)) put(row.querySelector(`[data-cell="${name}"]`), text);
    put(row.querySelector("[data-lag]"), lag);
    row.querySelector("[data-lag]").dataset.level = level;
    put(row.querySelector("[data-why]"), why);
    if (stale) return;
    lags.set(group, [...(lags.get(group) ?? []), points].slice(-LAST_S));
    draw(group);
  }

  function entry(one, id) {
    const item = template.content.firstElementChild.cloneNode(true);
    item.dataset.id = id;
    put(item.querySelector("[data-said]"), one.said);
    put(item.querySelector("[data-by]"), one.by);
    for (const name of ["kind", "group", "id"]) {
      const field = item.querySelector(`input[name="${name}"]`);
      if (field) field.value = one[name];
    }
    return item;
  }

  function showActing(acting) {
    root.querySelector("[data-unknown]").hidden = acting !== null;
    if (acting === null) return;
    ends.clear();
    for (const list of root.querySelectorAll("[data-acting]")) {
      const { kind } = list.closest("[data-kind]").dataset;
      const here = new Map(acting.filter((one) => one.kind === kind).map((one) => [`${kind}/${one.group}/${one.id}`, one]));
      for (const item of [...list.children]) if (!here.has(item.dataset.id)) item.remove();
      for (const [id, one] of here) {
        let item = [...list.children].find((known) => known.dataset.id === id);
        if (!item) list.append((item = entry(one, id)));
        put(item.querySelector("[data-did]"), one.did);
        ends.set(id, performance.now() + 1000 * one.left_s);
      }
    }
    countDown();
  }

  function countDown() {
    for (const item of root.querySelectorAll("[data-acting] > li")) {
      const left = Math.max(0, (ends.get(item.dataset.id) ?? 0) - performance.now());
      if (ends.has(item.dataset.id)) put(item.querySelector("[data-left]"), `${Math.ceil(left / 1000)} s`);
    }
  }

  function show(now) {
    // Redis was away when this page was made, so its table is empty: the server writes the rows.
    if (now.groups.some(({ group }) => !rows.has(group))) return location.reload();
    root.toggleAttribute("data-stale", now.stale);
    say(now.banner);
    const point = performance.now() - drawnAt > 900; // a poll and a stream may both tell of the same second
    if (point) drawnAt = performance.now();
    for (const backlog of now.groups) showBacklog(backlog, now.stale || !point);
    showActing(now.acting);
  }

  function onState({ state, since }) {
    root.toggleAttribute("data-stale", state !== "live");
    if (state === "logged out") say("You are not logged in any more. Reload the page to log in.");
    if (state === "silent") say(`The web server does not answer since ${since.toLocaleTimeString()}; the numbers below are from then.`);
  }

  // The lines begin with what the queue remembers; without that, with what this page sees.
  async function begin() {
    try {
      const answer = await fetch(root.dataset.history, { redirect: "manual", signal: AbortSignal.timeout(5000) });
      const { lines = {} } = answer.ok ? await answer.json() : {};
      for (const [group, [lag]] of Object.entries(lines)) {
        if (!rows.has(group)) continue;
        lags.set(group, lag.slice(-LAST_S));
        draw(group);
      }
    } catch {
      // Told by what follows, which asks the same server.
    }
    window.live({ stream: root.dataset.stream, source: root.dataset.source, every_ms: 2000, onData: show, onState });
  }

  setInterval(countDown, 250);
  begin();
})();
