// Grids of the zones, the projection of the view, and which pixel lies at a place.

import { TILE } from "/rasters.js";

const DEGREES = "EPSG:4326";
const PLAIN = "overbank:plain";
const METRES_A_DEGREE = 111319.49079327358;

/** One grid a zone: where its units lie in pixels, and the tiles that cover them. */
export function gridsOf(run) {
  return run.zones.map((zone) => {
    const units = run.units.map((unit, number) => ({ ...unit, number })).filter((unit) => unit.zone === zone);
    const pixel = units[0].transform[0];
    const left = Math.min(...units.map((unit) => unit.transform[2]));
    const top = Math.max(...units.map((unit) => unit.transform[5]));
    for (const unit of units) {
      unit.column = Math.round((unit.transform[2] - left) / pixel);
      unit.row = Math.round((top - unit.transform[5]) / pixel);
    }
    const columns = Math.max(...units.map((unit) => unit.column + unit.shape[1]));
    const rows = Math.max(...units.map((unit) => unit.row + unit.shape[0]));
    const extent = [left, top - rows * pixel, left + columns * pixel, top];
    const steps = Math.max(0, Math.ceil(Math.log2(Math.max(columns, rows) / TILE)));
    const factors = Array.from({ length: steps + 1 }, (_, step) => 2 ** (steps - step));
    const resolutions = factors.map((factor) => factor * pixel);
    const tiles = new ol.tilegrid.TileGrid({ extent, origin: [left, top], resolutions, tileSize: TILE });
    return { zone, units, pixel, left, top, extent, factors, tiles };
  });
}

/** The view's projection: the zone's own, so that pixels stay square; of several, metres about the run's middle. */
export function projectionOf(run) {
  if (run.zones.length === 1) return ol.proj.get(run.zones[0]);
  const plain = new ol.proj.Projection({ code: PLAIN, units: "m" });
  ol.proj.addProjection(plain);
  const across = METRES_A_DEGREE * Math.cos((run.plain.latitude * Math.PI) / 180);
  const wrapped = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
  const there = ([longitude, latitude]) => [
    wrapped(longitude - run.plain.longitude) * across,
    (latitude - run.plain.latitude) * METRES_A_DEGREE,
  ];
  const back = ([x, y]) => [wrapped(x / across + run.plain.longitude), y / METRES_A_DEGREE + run.plain.latitude];
  ol.proj.addCoordinateTransforms(DEGREES, plain, there, back);
  for (const zone of run.zones) {
    const out = (place) => there(ol.proj.transform(place, zone, DEGREES));
    ol.proj.addCoordinateTransforms(zone, plain, out, (place) => ol.proj.transform(back(place), DEGREES, zone));
  }
  return plain;
}

/** What all grids cover, in the view's projection. */
export function extentOf(grids, projection) {
  const whole = ol.extent.createEmpty();
  for (const grid of grids) ol.extent.extend(whole, ol.proj.transformExtent(grid.extent, grid.zone, projection, 8));
  return whole;
}

/** The unit, row and column at a place of the view, with the pixel's corners there; null where no unit lies. */
export function pixelAt(grids, projection, place) {
  for (const grid of grids) {
    const [x, y] = ol.proj.transform(place, projection, grid.zone);
    const column = Math.floor((x - grid.left) / grid.pixel);
    const row = Math.floor((grid.top - y) / grid.pixel);
    const holds = ({ column: first, row: top, shape: [height, width] }) =>
      column >= first && column < first + width && row >= top && row < top + height;
    const unit = grid.units.find(holds);
    if (unit === undefined) continue;
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]].map(([right, down]) =>
      ol.proj.transform([grid.left + (column + right) * grid.pixel, grid.top - (row + down) * grid.pixel], grid.zone, projection),
    );
    return { unit: unit.id, row: row - unit.row, column: column - unit.column, corners };
  }
  return null;
}
