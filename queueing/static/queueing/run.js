"use strict";

// A run over dead letters: its bar moves by itself. When there is something to answer, or it has ended, the page is
// loaded anew. Closing it changes nothing.
const run = document.querySelector("[data-at-work]");
if (run) {
  const EVERY_MS = 1000;
  const bar = run.querySelector("[data-run-bar]");
  const said = run.querySelector("[data-run-said]");
  const note = run.querySelector("[data-run-note]");

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(run.dataset.run, { headers: { Accept: "application/json" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const facts = await answer.json();
      if (facts.state !== run.dataset.runState) {
        location.reload();
        return;
      }
      said.textContent = facts.said;
      note.textContent = facts.note;
      if (bar) {
        bar.max = Math.max(1, facts.total);
        bar.value = facts.moved;
      }
    } catch {
      note.textContent = "How far it is, is not known right now. It goes on by itself.";
    }
  };
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
