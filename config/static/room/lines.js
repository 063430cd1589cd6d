"use strict";

// Small lines of the last seconds, drawn into an SVG with the paths .fill and .edge.
window.drawLine = (svg, points, width, height) => {
  const peak = Math.max(1, ...points);
  const at = points.map((value, n) => {
    const x = width - (points.length - 1 - n);
    return `${x} ${(height - 1 - (value / peak) * (height - 2)).toFixed(1)}`;
  });
  if (at.length < 2) return;
  const edge = `M${at.join("L")}`;
  svg.querySelector(".edge").setAttribute("d", edge);
  svg.querySelector(".fill").setAttribute("d", `${edge}L${width} ${height}L${width - points.length + 1} ${height}Z`);
};
