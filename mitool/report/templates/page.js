"use strict";
// Draws each figure from the JSON beside it. In a narrow window the legend goes below the plot.
// Of several like things, the figures of the one that is chosen are shown, and drawn then.
(() => {
  const NARROW = 640;
  const WIDE = 900;
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    showEditInChartStudio: false,
    plotlyServerURL: "",
  };

  function layoutFor(plot, width) {
    if (width >= NARROW) return { ...plot.layout, autosize: true };
    const listed = plot.data.filter((trace) => trace.showlegend !== false);
    const names = plot.layout.showlegend === false ? [] : listed.map((trace) => trace.name || "");
    const widest = 70 + 7 * Math.max(0, ...names.map((name) => name.length));
    const title = plot.layout.legend?.title;
    const rows =
      Math.ceil(names.length / Math.max(1, Math.floor(width / widest))) + (title?.text ? 1 : 0);
    const [above, below] = [plot.layout.margin?.t ?? 52, 64 + 22 * rows];
    // rows of panels, and names beside them, keep their shape
    const scale = plot.layout.meta?.keeps_height ? 1 : width / WIDE;
    const area = Math.max(300, (plot.layout.height - above - 60) * scale);
    // the names of panels come as close as these
    const named = (text) => ({ ...text, font: { ...text.font, size: 11 } });
    return {
      ...plot.layout,
      annotations: plot.layout.annotations?.map(named),
      autosize: true,
      height: above + area + below,
      margin: { l: 56, r: 12, t: above, b: below },
      legend: {
        ...plot.layout.legend,
        ...{ orientation: "h", x: 0, y: -56 / area, yanchor: "top" },
        title: { ...title, side: "top" },
      },
    };
  }

  // Numbers in the cells of heatmaps have no room in a narrow window.
  function dataFor(plot, width) {
    if (width >= NARROW) return plot.data;
    const crowded = (trace) => plot.data.length > 1 || trace.x.length > 8 || trace.y.length > 16;
    return plot.data.map((trace) =>
      trace.texttemplate && trace.type === "heatmap" && crowded(trace)
        ? { ...trace, texttemplate: "" }
        : trace,
    );
  }

  // A plot that says how wide it must be is scrolled where there is less room.
  function widthFor(plot, holder) {
    const room = holder.parentElement.clientWidth;
    const least = plot.layout.meta?.least_width ?? 0;
    holder.style.width = least > room ? least + "px" : "";
    return Math.max(least, room);
  }

  function draw(holder) {
    const plot = JSON.parse(document.getElementById(holder.id + "-data").textContent);
    const width = widthFor(plot, holder);
    const layout = layoutFor(plot, width);
    holder.style.height = layout.height + "px";
    return Plotly.react(holder, dataFor(plot, width), layout, CONFIG);
  }

  // A plot has no size to be drawn in before it is shown.
  const plotsIn = (element) =>
    Array.from(element.querySelectorAll(".plot")).filter((holder) => !holder.closest("[hidden]"));

  function choose(chosen) {
    const place = window.scrollY;
    for (const choice of document.querySelectorAll(".choice:not([hidden])")) {
      if (choice === chosen) return;
      plotsIn(choice).forEach((holder) => Plotly.purge(holder));
      choice.hidden = true;
    }
    chosen.hidden = false;
    plotsIn(chosen).forEach(draw);
    window.scrollTo(0, place);
  }

  const isNarrow = () => plotsIn(document)[0].parentElement.clientWidth < NARROW;
  let narrow = isNarrow();
  plotsIn(document).forEach(draw);
  window.addEventListener("resize", () => {
    if (isNarrow() === narrow) return;
    narrow = !narrow;
    plotsIn(document).forEach(draw);
  });
  document.getElementById("chooser")?.addEventListener("change", (event) => {
    choose(document.getElementById(event.target.value));
  });
})();
