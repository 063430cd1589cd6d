"use strict";

// The consumers of each group, and what the autoscaler did. Rows are renewed where they stand, so that a button keeps the
// focus; every text is written as text.
window.queueCrews = (section) => {
  const put = (node, text) => {
    if (node && node.textContent !== text) node.textContent = text;
  };

  function row(crew, { name }, columns, mayOperate) {
    const made = document.createElement("tr");
    made.className = "inner";
    made.dataset.consumer = name;
    const head = document.createElement("th");
    head.scope = "row";
    const dot = document.createElement("span");
    dot.className = "dot";
    head.append(dot, ` ${name}`);
    made.append(head);
    for (let n = 0; n < columns; n += 1) made.insertCell().className = n > 1 ? "number" : "";
    if (mayOperate) {
      const button = document.createElement("button");
      button.setAttribute("form", `crew-${crew}`);
      button.name = "act";
      button.value = `drain:${name}`;
      button.className = "quiet-button small";
      button.textContent = "Drain";
      button.setAttribute("aria-label", `Drain ${name}`);
      const cell = made.insertCell();
      cell.className = "number";
      cell.append(button);
    }
    return made;
  }

  function renew(place, crew) {
    const part = (name) => place.querySelector(`[data-crew-${name}]`);
    put(part("number"), crew.number);
    put(part("reason"), crew.reason);
    put(part("held"), crew.held);
    part("held").hidden = !crew.held;
    const [release, pause] = [part("release"), part("pause")];
    if (release) release.hidden = !crew.held;
    if (pause) {
      pause.value = crew.paused ? "resume" : "pause";
      put(pause.firstChild, crew.paused ? "Resume " : "Pause ");
    }
    const there = new Map([...place.querySelectorAll("[data-consumer]")].map((each) => [each.dataset.consumer, each]));
    for (const consumer of crew.rows) {
      const of = there.get(consumer.name) ?? place.appendChild(row(crew.group, consumer, consumer.cells.length, Boolean(pause)));
      there.delete(consumer.name);
      const dot = of.querySelector(".dot");
      dot.dataset.state = consumer.state;
      put(dot, consumer.state);
      consumer.cells.forEach((text, n) => put(of.cells[n + 1], text));
    }
    for (const gone of there.values()) gone.remove();
  }

  const places = new Map([...section.querySelectorAll("[data-crew]")].map((place) => [place.dataset.crew, place]));
  return (crews) => crews.forEach((crew) => places.has(crew.group) && renew(places.get(crew.group), crew));
};

window.queueTimeline = (list, empty) => {
  const clock = (atMs) =>
    new Date(atMs).toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const times = () => list.querySelectorAll("time[data-at]").forEach((time) => (time.textContent = clock(Number(time.dataset.at))));

  function item({ id, at_ms: atMs, group, direction, text, reason }) {
    const made = document.createElement("li");
    made.dataset.step = id;
    made.dataset.direction = direction;
    const time = document.createElement("time");
    time.dataset.at = atMs;
    const who = document.createElement("b");
    who.textContent = group;
    const why = document.createElement("span");
    why.className = "note";
    why.textContent = reason;
    made.append(time, " ", who, ` ${text} `, why);
    return made;
  }

  times();
  return (steps) => {
    const newest = list.firstElementChild?.dataset.step;
    if (!steps.length || steps[0].id === newest) return;
    list.replaceChildren(...steps.map(item));
    times();
    empty.hidden = true;
  };
};
