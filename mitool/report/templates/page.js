"use strict";
// Draws each figure from the JSON beside it. In a narrow window the legend goes below the plot.
(() => {
  const NARROW = 640;
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    showEditInChartStudio: false,
    plotlyServerURL: "",
  };

  function layoutFor(plot, width) {
    if (width >= NARROW) return { ...plot.layout, autosize: true };
    const names = plot.layout.showlegend === false ? [] : plot.data.map((trace) => trace.name || "");
    const widest = 70 + 7 * Math.max(0, ...names.map((name) => name.length));
    const rows = Math.ceil(names.length / Math.max(1, Math.floor(width / widest)));
    const [above, area, below] = [plot.layout.margin?.t ?? 52, 300, 64 + 22 * rows];
    return {
      ...plot.layout,
      autosize: true,
      height: above + area + below,
      margin: { l: 56, r: 12, t: above, b: below },
      legend: { ...plot.layout.legend, orientation: "h", x: 0, y: -56 / area, yanchor: "top" },
    };
  }

  function draw(holder) {
    const plot = JSON.parse(document.getElementById(holder.id + "-data").textContent);
    const layout = layoutFor(plot, holder.clientWidth);
    holder.style.height = layout.height + "px";
    return Plotly.react(holder, plot.data, layout, CONFIG);
  }

  const holders = Array.from(document.querySelectorAll(".plot"));
  const isNarrow = () => holders.length > 0 && holders[0].clientWidth < NARROW;
  let narrow = isNarrow();
  holders.forEach(draw);
  window.addEventListener("resize", () => {
    if (isNarrow() === narrow) return;
    narrow = !narrow;
    holders.forEach(draw);
  });
})();
