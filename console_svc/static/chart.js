// The pace as a chart.
"use strict";

(() => {
  const place = document.getElementById("pace-chart");
  let plot = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const zone = document.getElementById("zone")?.dataset.zone;
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  const numbers = (text) => text.split(",").map((one) => (one ? Number(one) : null)); // null is a gap

  function read() {
    const { times, done, undone } = document.getElementById("pace-data").dataset;
    return [numbers(times), numbers(done), numbers(undone)];
  }

  function draw() {
    plot?.destroy();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    plot = new uPlot(
      {
        width: place.clientWidth,
        height: 150,
        legend: { show: false },
        cursor: { y: false, points: { show: false } },
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [{ ...axis, space: 70, size: 26, incrs: [60, 120, 300], values: (_, times) => times.map((at) => clock.format(at * 1000)) }, { ...axis, size: 38 }],
        series: [
          {},
          { label: "completed", stroke: colour("--good"), width: 2, fill: colour("--good-ground") },
          { label: "undone", stroke: colour("--undo"), width: 2 },
        ],
      },
      read(),
      place,
    );
  }

  draw();
  document.addEventListener("console:patched", ({ detail }) => detail.includes("live_pace") && plot.setData(read()));
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 150 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
