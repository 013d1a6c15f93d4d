"use strict";
// Each figure is drawn when it can be seen: inside closed details a plot has no width to fill.
let specs = [];
const config = {
  displaylogo: false,
  responsive: true,
  modeBarButtons: [["toImage", "zoom2d", "resetScale2d"]],
};
const narrow = () => window.innerWidth < 560;

function draw(place) {
  if (place.dataset.drawn || !window.Plotly) return;
  place.dataset.drawn = "yes";
  const spec = specs[Number(place.dataset.figure)];
  // On a touch screen a drag should scroll the page.
  if (narrow()) spec.layout.dragmode = false;
  place.dataset.height = spec.layout.height; // plotly changes the layout that it is given
  Plotly.newPlot(place, spec.data, spec.layout, config);
  showWholeLegend(place);
}

// plotly gives a legend half of the figure and lets the rest scroll, which paper cannot: the figure grows instead.
function showWholeLegend(place) {
  const { legend, height } = place._fullLayout;
  const hidden = legend ? Math.ceil(legend._height - legend._effHeight) : 0;
  if (hidden > 0) Plotly.relayout(place, { height: height + hidden, "legend.maxheight": legend._height + 1 });
}

function drawVisible() {
  document.querySelectorAll(".plot").forEach((place) => {
    if (place.offsetParent !== null) draw(place);
  });
}

// plotly's script and the figures stand in the page as gzip in base64. Without DecompressionStream (before 2023) the
// tables remain.
async function unpacked(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function unpack() {
  specs = JSON.parse(await unpacked("figures"));
  const script = document.createElement("script");
  script.textContent = await unpacked("plotly");
  document.head.append(script);
}

function start() {
  drawVisible();
  document.addEventListener("toggle", drawVisible, true);
}

unpack().then(start, () => {
  const note = document.createElement("p");
  note.textContent = "This browser is too old to draw the figures; the tables have every number.";
  document.querySelector("main").prepend(note);
});

// Two figures or three panels fit beside each other on A4: 96 pixels an inch, less the margins of the style sheet.
const paperWidth = (place) => (place.closest(".panels") ? 212 : place.closest(".whole-row") ? 672 : 324);
const resize = (places, layout) => {
  document.querySelectorAll(places).forEach((place) => {
    const height = Number(place.dataset.height);
    Plotly.relayout(place, { height, "legend.maxheight": null, ...layout(place) });
    showWholeLegend(place);
  });
};
const resizeForPaper = (places) => resize(places, (place) => ({ width: paperWidth(place), autosize: false }));

// On paper nothing unfolds later.
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details.printed:not([open])").forEach((part) => {
    part.open = true;
    part.dataset.unfolded = "yes";
  });
  drawVisible();
  resizeForPaper(".plot[data-drawn]");
  // Long names leave a figure little room: it takes both columns.
  document.querySelectorAll(".figures:not(.panels) .plot[data-drawn]").forEach((place) => {
    const { width, _size } = place._fullLayout;
    place.closest("figure").classList.toggle("whole-row", _size.w < width / 2);
  });
  resizeForPaper(".whole-row .plot");
});
window.addEventListener("afterprint", () => {
  resize(".plot[data-drawn]", () => ({ width: null, autosize: true }));
  document.querySelectorAll("details[data-unfolded]").forEach((part) => {
    part.open = false;
    delete part.dataset.unfolded;
  });
});
