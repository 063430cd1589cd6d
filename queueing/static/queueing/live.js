"use strict";

// What the server tells a page again and again: by an open stream, or asked for where there is none.
//
// live({stream, source, every_ms, onData, onState}) → {hold(), goOn()}
//   stream    address of server-sent events (queueing/console/stream.py); without it, or where it is refused, it polls
//   source    address of the same JSON for one request, asked for every `every_ms`
//   onData    called with what was told
//   onState   called when it changes: {state: "live" | "silent" | "logged out", since}: since when nothing was heard
//
// A page that nobody looks at hears nothing and costs nothing; it catches up when it is looked at.
window.live = ({ stream, source, every_ms: everyMs = 2000, onData, onState = () => {} }) => {
  const GIVE_UP_MS = 8000;
  const SILENT_MS = 5000; // so long nothing came: the page says so
  const STUCK_MS = 12_000; // and then the connection is thought dead
  const STREAM_AGAIN_MS = 60_000;

  let events = null;
  let timer = null;
  let asking = null;
  let held = false;
  let heardAt = new Date();
  let openedAt = 0;
  let noStreamUntil = stream && "EventSource" in window ? 0 : Infinity;
  let state = "live";

  const wanted = () => !held && !document.hidden;

  function tell(next) {
    if (next === state) return;
    state = next;
    onState({ state, since: heardAt });
  }

  function heard(data) {
    heardAt = new Date();
    tell("live");
    onData(data);
  }

  function listen() {
    openedAt = Date.now();
    events = new EventSource(stream);
    events.onmessage = ({ data }) => heard(JSON.parse(data));
    events.onerror = () => {
      // Refused: there is no stream, or one is not logged in, which a poll finds out. Else it comes again by itself.
      if (events?.readyState === EventSource.CLOSED) instead();
    };
  }

  function instead() {
    noStreamUntil = Date.now() + STREAM_AGAIN_MS;
    begin();
  }

  function close() {
    events?.close();
    events = null;
    clearTimeout(timer);
    timer = null;
    asking?.abort();
    asking = null;
  }

  async function poll() {
    const mine = new AbortController();
    asking = mine;
    const late = setTimeout(() => mine.abort(), GIVE_UP_MS);
    try {
      const answer = await fetch(source, {
        redirect: "manual",
        headers: { Accept: "application/json" },
        signal: mine.signal,
      });
      if (answer.type === "opaqueredirect") {
        tell("logged out");
        return close();
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const data = await answer.json();
      if (asking === mine) heard(data);
    } catch {
      if (asking === mine) tell("silent");
    } finally {
      clearTimeout(late);
    }
    if (asking !== mine) return; // closed meanwhile
    if (state === "live" && Date.now() >= noStreamUntil) listen();
    else timer = setTimeout(begin, everyMs);
  }

  function begin() {
    close();
    if (wanted() && state !== "logged out") poll(); // which finds out whether there is somebody to listen to
  }

  setInterval(() => {
    if (!wanted() || !events) return;
    const quietMs = Date.now() - Math.max(heardAt, openedAt);
    if (quietMs > SILENT_MS) tell("silent");
    if (quietMs > STUCK_MS) instead();
  }, 1000);

  document.addEventListener("visibilitychange", begin);
  begin();

  return {
    hold() {
      held = true;
      close();
    },
    goOn() {
      held = false;
      begin();
    },
  };
};
