// The human check, off the page's own thread: the number that makes SHA-256(salt + number) the challenge (ALTCHA).
"use strict";

onmessage = async ({ data: puzzle }) => {
  const wanted = Uint8Array.from(puzzle.challenge.match(/../g), (pair) => parseInt(pair, 16));
  const text = new TextEncoder();
  for (let number = 0; number <= puzzle.maxnumber; number += 1) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(puzzle.salt + number)));
    if (digest.every((byte, at) => byte === wanted[at])) {
      const { algorithm, challenge, salt, signature } = puzzle;
      postMessage(btoa(JSON.stringify({ algorithm, challenge, number, salt, signature })));
      return;
    }
  }
  throw new Error("a puzzle without a solution");
};
