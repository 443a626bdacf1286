// The page: two layers of a run side by side under a swipe, and the values of a pixel.

import { extentOf, gridsOf, pixelAt, projectionOf } from "/grids.js";
import { painter } from "/paint.js";
import { element, fillList, legendOf, valuesTable } from "/panel.js";
import { readTile, TILE } from "/rasters.js";

const byId = (name) => document.getElementById(name);
const status = (text) => { byId("status").textContent = text; };
const FIRST = "first tile"; // in the browser's own timeline, for whoever measures
const SIDES = ["left", "right"];

/** Tiles of a layer on a zone's grid. */
function sourceOf(layer, grid) {
  const paint = painter(layer.paint);
  const units = new Map(grid.units.map((unit) => [unit.number, unit]));
  const places = layer.units.filter(([number]) => units.has(number)).map(([number, band]) => {
    const unit = units.get(number);
    const path = layer.file.split("/").map(encodeURIComponent).join("/");
    return { unit, band, address: new URL(`/units/${encodeURIComponent(unit.id)}/${path}.tif`, location.href).href };
  });
  const loader = async (z, x, y) => {
    const factor = grid.factors[z];
    const tile = paint(await readTile(places, x * TILE * factor, y * TILE * factor, factor));
    if (!performance.getEntriesByName(FIRST).length) performance.mark(FIRST);
    return tile;
  };
  return new ol.source.ImageTile({
    loader, projection: grid.zone, tileGrid: grid.tiles, tileSize: TILE, wrapX: false, interpolate: false, transition: 0,
  });
}

/** The layers of one side, one a zone, that show on their side of the swipe alone. */
function sideOf(side, grids) {
  return grids.map(() => {
    const layer = new ol.layer.Tile({ preload: 0 });
    layer.on("prerender", (event) => {
      const [width, height] = event.frameState.size;
      const at = (width * byId("swipe").value) / 100;
      const [from, to] = side === "left" ? [0, at] : [at, width];
      const corners = [[from, 0], [to, 0], [to, height], [from, height]];
      const { context } = event;
      context.save();
      context.beginPath();
      corners.map((corner) => ol.render.getRenderPixel(event, corner)).forEach(([x, y]) => context.lineTo(x, y));
      context.closePath();
      context.clip();
    });
    layer.on("postrender", (event) => event.context.restore());
    return layer;
  });
}

function start(run) {
  const grids = gridsOf(run);
  const projection = projectionOf(run);
  const whole = extentOf(grids, projection);
  const pixel = grids[0].pixel;
  const sides = Object.fromEntries(SIDES.map((side) => [side, sideOf(side, grids)]));
  const marked = new ol.source.Vector();
  const outline = [["#fff", 5], ["#000", 2]].map(
    ([color, width]) => new ol.style.Style({ stroke: new ol.style.Stroke({ color, width }) }),
  );
  const map = new ol.Map({
    target: "map",
    layers: [...SIDES.flatMap((side) => sides[side]), new ol.layer.Vector({ source: marked, style: outline })],
    controls: ol.control.defaults.defaults({ attribution: false }).extend([new ol.control.ScaleLine()]),
    view: new ol.View({ projection, minResolution: pixel / 32, showFullExtent: true, enableRotation: false }),
  });
  const fit = () => map.getView().fit(whole, { padding: [12, 12, 12, 12] });
  fit();

  const choose = (side) => {
    const layer = run.layers[byId(side).value];
    grids.forEach((grid, number) => sides[side][number].setSource(sourceOf(layer, grid)));
    byId(`${side}-name`).textContent = layer.title;
    const shown = SIDES.map((one) => run.layers[byId(one).value]).filter((one) => one !== undefined);
    const alike = new Set(shown.map((one) => JSON.stringify(one.paint))).size === 1;
    byId("legend").replaceChildren(...(alike ? [legendOf(layer, "Both")] : shown.map((one) => legendOf(one, one.title))));
  };
  const [left, right] = firstPair(run);
  fillList(byId("left"), run.layers, left);
  fillList(byId("right"), run.layers, right);
  for (const side of SIDES) {
    choose(side);
    byId(side).addEventListener("change", () => choose(side));
    byId(`${side}-opacity`).addEventListener("input", (event) => {
      for (const layer of sides[side]) layer.setOpacity(Number(event.target.value));
    });
  }
  const swipe = () => {
    const share = byId("swipe").value;
    byId("line").style.left = `${share}%`;
    byId("left-name").style.right = `calc(${100 - share}% + .5rem)`;
    byId("right-name").style.left = `calc(${share}% + .5rem)`;
    map.render();
  };
  byId("swipe").addEventListener("input", swipe);

  const read = async (place) => {
    const found = pixelAt(grids, projection, place);
    marked.clear();
    if (found === null) {
      byId("values").replaceChildren(element("p", {}, "No unit of the run lies there."));
      return;
    }
    marked.addFeature(new ol.Feature(new ol.geom.Polygon([found.corners])));
    const asked = new URLSearchParams({ unit: found.unit, row: found.row, column: found.column });
    const answer = await ask(`/values?${asked}`);
    if (answer !== null) byId("values").replaceChildren(...valuesTable(answer));
  };
  map.on("singleclick", (event) => read(event.coordinate));
  byId("centre").addEventListener("click", () => read(map.getView().getCenter()));
  byId("whole").addEventListener("click", fit);
  byId("pixels").addEventListener("click", () => map.getView().setResolution(pixel));
  map.on("loadstart", () => { byId("map").dataset.state = "loading"; });
  map.on("loadend", () => { byId("map").dataset.state = "idle"; });
  return map;
}

/** The index rule beside the delivered map, where both are there; else the first two maps. */
function firstPair(run) {
  const at = (file) => run.layers.findIndex((layer) => layer.file === file);
  const maps = run.layers.flatMap((layer, number) => (layer.file.startsWith("methods/") ? [number] : []));
  const delivered = Math.max(0, at(`methods/${run.delivered}`));
  const rule = at("methods/ndwi");
  const other = rule >= 0 && rule !== delivered ? rule : maps.find((number) => number !== delivered) ?? delivered;
  return [other, delivered];
}

async function ask(address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
    return await answer.json();
  } catch {
    status("The viewer's server does not answer: start `overbank view` again.");
    return null;
  }
}

const run = await ask("/run.json");
if (run !== null) {
  document.title = `${run.name} · overbank`;
  byId("name").textContent = run.name;
  const what = run.legend === "flood" ? "Flood" : "Water (no reference tells flood from permanent water)";
  byId("about").textContent = `${what} at ${run.at}; delivered: ${run.delivered}`;
  globalThis.overbankMap = start(run);
}
