"use strict";

// One box that ticks all of the page's. Without a script it stays hidden and each is ticked by hand.
const all = document.querySelector("[data-select-all]");
if (all) {
  const boxes = [...document.querySelectorAll('input[name="letter"]')];
  all.hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  boxes.forEach((box) =>
    box.addEventListener("change", () => {
      const ticked = boxes.filter((one) => one.checked).length;
      all.checked = ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }),
  );
}
