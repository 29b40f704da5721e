"use strict";
// Draws each figure from the JSON beside it. In a narrow window the legend goes below the plot.
// Of several like things, the figures of the one that is chosen are shown, and drawn then.
(() => {
  const NARROW = 640;
  const WIDE = 900;
  const LEAST_SCALE = 0.65;
  const CONFIG = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    showEditInChartStudio: false,
    plotlyServerURL: "",
  };

  // The names of panels come as close as the panels, and break where they would meet.
  function namedFor(annotations, width) {
    const columns = new Set(annotations.filter((own) => own.xref === "paper").map((own) => own.x));
    const letters = (0.65 * width) / Math.max(1, columns.size) / 6;
    return annotations.map((own) => ({
      ...own,
      text: own.text?.length > letters ? own.text.replaceAll(", ", ",<br>") : own.text,
      font: { ...own.font, size: 11 },
    }));
  }

  const isAxis = (name) => /^[xy]axis\d*$/.test(name);

  function axesFor(layout) {
    const narrowed = (axis) => ({
      ...axis,
      tickfont: { ...axis.tickfont, size: 11 },
      title: { ...axis.title, font: { ...axis.title?.font, size: 12 } },
    });
    const own = Object.entries(layout).filter(([name]) => isAxis(name));
    return Object.fromEntries(own.map(([name, axis]) => [name, narrowed(axis)]));
  }

  function layoutFor(plot, width) {
    if (width >= NARROW) return { ...plot.layout, autosize: true };
    const listed = plot.data.filter((trace) => trace.showlegend !== false);
    const names = plot.layout.showlegend === false ? [] : listed.map((trace) => trace.name || "");
    const widest = 70 + 7 * Math.max(0, ...names.map((name) => name.length));
    const title = plot.layout.legend?.title;
    const rows =
      Math.ceil(names.length / Math.max(1, Math.floor(width / widest))) + (title?.text ? 1 : 0);
    const [above, below] = [plot.layout.margin?.t ?? 52, 64 + 22 * rows];
    // rows of panels, and names beside them, keep their shape; several panels, room between them
    const least = plot.layout.yaxis2 ? LEAST_SCALE : 0;
    const scale = plot.layout.meta?.keeps_height ? 1 : Math.max(least, width / WIDE);
    const area = Math.max(300, (plot.layout.height - above - 60) * scale);
    return {
      ...plot.layout,
      ...axesFor(plot.layout),
      annotations: namedFor(plot.layout.annotations ?? [], width),
      autosize: true,
      height: above + area + below,
      margin: { l: 56, r: 12, t: above, b: 64 },
      legend: {
        ...plot.layout.legend,
        // at the foot of all, below labels of whatever height
        ...{ orientation: "h", x: 0, xref: "container", y: 0, yref: "container", yanchor: "bottom" },
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
