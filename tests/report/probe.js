// What a reader of an open page sees: its texts, its figures, and what is wrong with them.
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const box = (element) => element.getBoundingClientRect();
  const isShown = (element) => box(element).width > 0 && box(element).height > 0;
  const SCROLLED = ".scroll, figure, pre";
  const MARKS = [
    ".trace path", ".trace image", ".hm image", ".points path", ".bars path", ".shapelayer path",
    ".textpoint text", ".barlayer path", ".scatterlayer path", ".heatmaplayer image", "canvas",
  ].join(", ");
  const TEXTS = ".xtitle, .ytitle, .annotation-text, .legendtext, .legendtitletext, .cbtitle";
  const TICKS = ".xtick text, .ytick text";

  const overlap = (a, b, slack) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;

  function collisions(plot) {
    const texts = all(TEXTS, plot).filter(isShown);
    const others = [...texts, ...all(TICKS, plot).filter(isShown)];
    const found = [];
    texts.forEach((text, i) => {
      others.slice(i + 1).forEach((other) => {
        if (!text.contains(other) && overlap(box(text), box(other), 3)) {
          found.push(text.textContent + " | " + other.textContent);
        }
      });
    });
    return found;
  }

  function figureOf(plot) {
    const figure = plot.closest("figure");
    const [title, caption] = [figure.querySelector("h3"), figure.querySelector("figcaption")];
    const svg = plot.querySelector(".main-svg");
    const sizes = all("text", plot).filter(isShown).map((t) => parseFloat(getComputedStyle(t).fontSize));
    return {
      name: plot.id.slice("figure-".length),
      marks: all(MARKS, plot).filter(isShown).length,
      isApart: box(title).bottom <= box(plot).top + 1 && box(plot).bottom <= box(caption).top + 1,
      isInside: Boolean(svg) && box(svg).height <= box(plot).height + 1,
      smallest: Math.min(...sizes),
      collisions: collisions(plot),
    };
  }

  const width = document.documentElement.clientWidth;
  const bold = (span) => /bold|italic|baseline-shift|font-size/.test(span.getAttribute("style") || "");
  return {
    title: document.title,
    heading: document.querySelector("h1").textContent,
    summary: document.querySelector(".summary")?.textContent ?? "",
    claims: all(".claims tbody th, .facts tbody th").map((name) => name.textContent),
    texts: [document.body.innerText, ...all("svg text").map((text) => text.textContent)].join("\n"),
    overflow: document.documentElement.scrollWidth - width,
    cut: all("main *")
      .filter((e) => isShown(e) && !e.closest("svg") && box(e).right > width + 1)
      .filter((e) => !e.parentElement.closest(SCROLLED))
      .map((e) => e.tagName + " " + e.textContent.slice(0, 60)),
    figures: all(".plot").filter((plot) => !plot.closest("[hidden]")).map(figureOf),
    images: all("main img").map((image) => image.complete && image.naturalWidth > 0),
    foreign: all("*")
      .filter((e) => Array.from(e.attributes).some((a) => a.name.startsWith("on")))
      .concat(all("iframe, object, embed, form, script[src], b, i, img:not([src^='data:'])"))
      .concat(all("svg a, .main-svg script"))
      .map((e) => e.outerHTML.slice(0, 120)),
    styled: all("svg tspan").filter(bold).map((span) => span.textContent),
    scripts: all("script").length,
  };
})()
