// What stands beside the map: the lists of layers, the legend, the values of a pixel. Text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A strip of colours, as attributes: the page allows no style of its own. */
function strip(colours) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${colours.length} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("shape-rendering", "crispEdges");
  svg.setAttribute("aria-hidden", "true");
  colours.forEach((colour, index) => {
    const part = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ x: index, width: 1.02, height: 1, fill: colour })) part.setAttribute(key, value);
    svg.append(part);
  });
  return svg;
}

export function fillList(list, layers, chosen) {
  for (const title of new Set(layers.map((layer) => layer.group))) {
    const group = element("optgroup", { label: title });
    layers.forEach((layer, number) => {
      if (layer.group === title) group.append(element("option", { value: number }, layer.title));
    });
    list.append(group);
  }
  list.value = chosen;
}

export function legendOf(layer, name) {
  const title = element("p", {}, name);
  const { paint } = layer;
  if (paint.kind !== "ramp") {
    const rows = paint.classes.map(([, meaning, colour]) => element("li", {}, strip([colour]), element("span", {}, meaning)));
    return element("div", {}, title, element("ul", { class: "legend" }, ...rows));
  }
  const ends = [paint.low, paint.high].map((value) => element("b", {}, `${value} ${paint.unit}`.trim()));
  const scale = element("div", { class: "ramp" }, strip(paint.stops), element("span", {}, ...ends));
  return element("div", {}, title, scale);
}

/** What every layer says of a pixel. */
export function valuesTable(found) {
  const latitude = `${Math.abs(found.latitude).toFixed(5)}° ${found.latitude < 0 ? "S" : "N"}`;
  const longitude = `${Math.abs(found.longitude).toFixed(5)}° ${found.longitude < 0 ? "W" : "E"}`;
  const where = element("p", {}, `${latitude}, ${longitude}; unit ${found.unit}, row ${found.row}, column ${found.column}`);
  const tables = found.sections.map(({ title, rows }) => {
    const body = rows.map(({ label, text, layer, band, value }) =>
      element("tr", { "data-layer": layer, "data-band": band, "data-value": value },
        element("th", { scope: "row" }, label), element("td", {}, text)),
    );
    return element("table", {}, element("caption", {}, title), element("tbody", {}, ...body));
  });
  return [where, ...tables];
}
