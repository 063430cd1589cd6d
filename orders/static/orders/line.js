// A shopper's place in a sale's line, computed here from the public JSON that everybody gets: see inventory/room.py.
// sluice.js asks for that JSON and tells of each answer by the event "sale:said".
(() => {
  "use strict";

  const root = document.querySelector("[data-sale]");
  const panel = document.querySelector("[data-line]");
  if (!root || !root.querySelector("form.buy")) return; // not logged in, or over

  // The same arithmetic as place_of in inventory/room.py; all products stay below 2^53.
  function placeOf(number, before, seed) {
    if (number >= before) return number;
    let half = 1;
    while (4 ** half < before) half += 1;
    const side = 2 ** half;
    const drop = 2 ** (32 - half);
    do {
      let left = Math.floor(number / side);
      let right = number % side;
      for (const key of seed) {
        const mixed = Math.floor(((right * 2654435761 + key * 40503) % 4294967296) / drop);
        [left, right] = [right, (left + mixed) % side];
      }
      number = left * side + right;
    } while (number >= before);
    return number;
  }

  const spell = (seconds) => (seconds < 90 ? `${Math.max(1, Math.ceil(seconds))} s` : `${Math.ceil(seconds / 60)} min`);
  const number = panel ? Number(panel.dataset.number) : -1;
  const joined = panel !== null && panel.dataset.word === "joined";
  let pace = null; // turns a second, as observed
  let last = null; // {at, serving}
  let promised = null; // when we said it would be our turn, in milliseconds of this device's clock

  function write(title, text) {
    for (const [part, words] of [["title", title], ["text", text]]) {
      const element = panel.querySelector(`[data-line-${part}]`);
      if (element.textContent !== words) element.textContent = words;
    }
  }

  function observe(room, at) {
    if (last && at > last.at && room.serving >= last.serving) {
      const now = ((room.serving - last.serving) * 1000) / (at - last.at);
      pace = pace === null ? now : 0.7 * pace + 0.3 * now;
    }
    last = { at, serving: room.serving };
  }

  // A time is kept unless it has become clearly wrong, and it never grows without a word.
  function eta(ahead, room, at) {
    const rate = Math.max(pace ?? room.turns_per_s, room.turns_per_s / 20, 0.01);
    const until = at + (1000 * ahead) / rate;
    let slower = false;
    if (promised === null || until < promised) promised = until;
    else if (until > promised + Math.max(5000, 0.25 * (promised - at))) {
      slower = true;
      promised = until;
    }
    const text = `About ${spell((promised - at) / 1000)}. You keep this place if you reload or come back.`;
    return slower ? `It goes slower than we thought. ${text}` : text;
  }

  function show(said) {
    const { room, state } = said;
    const mode = room ? room.mode : "";
    if (mode !== (panel ? panel.dataset.line : "")) {
      // The operator switched the room: the page is another one now. Not everybody asks for it at once.
      if (!show.again) show.again = setTimeout(() => location.reload(), 3000 * Math.random());
      return;
    }
    if (!panel || !joined || mode !== "on") return;
    const at = Date.now();
    if (state === "upcoming") {
      const many = room.joined === 1 ? "You are the first" : `${room.joined.toLocaleString()} shoppers are`;
      write("You are in", `${many} in the line. At the start all places are drawn at random: being early is no advantage now.`);
      return;
    }
    if (state === "paused") {
      last = promised = null; // a line that stands still says nothing of its pace
      write("The line stands still", "This sale is paused. Everybody keeps the place they have, and nobody's turn runs out meanwhile.");
      return;
    }
    observe(room, at);
    const ahead = placeOf(number, room.before, room.seed) + 1 - room.serving;
    const turn = ahead <= 0;
    for (const form of root.querySelectorAll("form.buy")) form.hidden = !turn;
    for (const form of panel.querySelectorAll("form")) form.hidden = turn;
    if (state === "sold_out") {
      write("Sold out", "A unit that nobody pays for goes back on sale. You keep your place, and this page tells you.");
    } else if (turn) {
      if (promised !== 0) document.querySelector("[data-say]").textContent = "It is your turn.";
      promised = 0;
      write("It is your turn", `Order within ${room.turn_s} seconds; then your turn goes to the next.`);
    } else {
      write(`${ahead.toLocaleString()} before you`, eta(ahead, room, at));
    }
  }

  root.addEventListener("sale:said", (event) => show(event.detail));
})();
