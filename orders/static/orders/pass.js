// Buys over the API, with a pass that the page earns while its shopper waits for the start. The form works without it:
// on a browser without workers, and whenever no pass could be had, it is sent as it is.
(() => {
  "use strict";

  const sale = document.querySelector("[data-sale]");
  const form = document.querySelector("form.buy");
  if (!sale || !form || !window.Worker || !window.crypto?.subtle) return;

  const api = sale.dataset.url;
  const button = form.querySelector("button[data-buy]");
  const told = document.querySelector("[data-told]");
  const RENEW_MS = 10 * 60 * 1000;
  const ATTEMPTS = 12;
  const COME_BACK = [408, 425, 429, 500, 502, 503, 504];

  const pause = (seconds) => new Promise((wake) => setTimeout(wake, 1000 * seconds));
  const json = (headers) => ({ "Content-Type": "application/json", ...headers });

  function solve(puzzle) {
    return new Promise((found, failed) => {
      const worker = new Worker(form.dataset.worker);
      worker.onmessage = ({ data }) => { worker.terminate(); found(data); };
      worker.onerror = (error) => { worker.terminate(); error.preventDefault(); failed(error); };
      worker.postMessage(puzzle);
    });
  }

  async function earn() {
    const puzzle = await fetch(`${api}/challenge`, { cache: "no-store" });
    if (!puzzle.ok) throw new Error(`no puzzle: ${puzzle.status}`);
    const altcha = await solve(await puzzle.json());
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const earned = await fetch(`${api}/pass`, {
      method: "POST", headers: json({ "X-CSRFToken": token }), body: JSON.stringify({ altcha }),
    });
    if (!earned.ok) throw new Error(`no pass: ${earned.status}`);
    const { pass, expires_at: expires } = await earned.json();
    return { pass, until: 1000 * expires };
  }

  // One at a time, and again only when it failed or grew old. This device's clock may be off: the server's word counts
  // at the order, where an old pass is renewed.
  let earning = null;
  function pass(anew = false) {
    if (!earning || anew) {
      earning = earn().catch(() => { earning = null; return null; });
    }
    return earning;
  }
  async function keepAPass() {
    const held = await pass();
    if (held && held.until - Date.now() < RENEW_MS) pass(true);
  }
  if (sale.dataset.state !== "ended") {
    keepAPass();
    setInterval(keepAPass, 60 * 1000);
  }

  function rest(message) {
    told.textContent = message;
    told.hidden = false;
    button.removeAttribute("aria-busy");
    button.disabled = false;
    button.textContent = button.dataset.open;
  }

  // The same key at every attempt: whatever became of the last one, there is one order.
  async function buy(held) {
    const wish = new FormData(form);
    const body = JSON.stringify({ quantity: Number(wish.get("quantity")) });
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const headers = json({
        "Sale-Pass": held.pass, "Idempotency-Key": wish.get("idempotency_key"), "Idempotency-Attempt": String(asked += 1),
      });
      let answer = null;
      let said = {};
      try {
        answer = await fetch(`${api}/orders`, { method: "POST", headers, body });
        said = await answer.json();
      } catch {
        // Offline, or an answer cut short: nobody knows, so ask again.
      }
      if (answer?.status === 202 && said.order_id) return location.assign(`/orders/${said.order_id}`);
      if (answer?.status === 200) return rest(said.message);
      const code = said.error?.code;
      if (code === "pass_expired" || code === "bad_pass") {
        held = await pass(true);
        if (!held) break;
      } else if (answer && !COME_BACK.includes(answer.status)) {
        return rest(said.error?.message ?? "This did not work. Try again.");
      } else {
        const after = Number(answer?.headers.get("Retry-After")) || 1;
        await pause(Math.min(10, after) * (0.5 + Math.random()));
      }
    }
    return rest("No answer yet. Press again: you won't buy twice.");
  }

  let asked = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    told.hidden = true;
    const held = await pass();
    if (held) await buy(held);
    else form.submit();
  });
})();
