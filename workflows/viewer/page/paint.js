// File values to colours, by what the run's description says of a layer.

import { NOTHING, TILE } from "/rasters.js";

const STEPS = 512;

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function packed([red, green, blue]) {
  return (255 << 24) | (blue << 16) | (green << 8) | red; // little-endian RGBA, as canvases hold it
}

/** STEPS colours between the stops of a ramp. */
function ramp(stops) {
  const colours = stops.map(rgb);
  return Int32Array.from({ length: STEPS }, (_, step) => {
    const at = (step / (STEPS - 1)) * (colours.length - 1);
    const low = Math.min(Math.floor(at), colours.length - 2);
    return packed(colours[low].map((value, channel) => Math.round(value + (colours[low + 1][channel] - value) * (at - low))));
  });
}

/** The function that turns one file value into a packed colour, 0 where nothing is shown. */
function colourOf(paint) {
  if (paint.kind === "ramp") {
    const table = ramp(paint.stops);
    const gain = (paint.scale * (STEPS - 1)) / (paint.high - paint.low);
    const start = (paint.low * (STEPS - 1)) / (paint.high - paint.low);
    return (value) => table[Math.max(0, Math.min(STEPS - 1, Math.round(value * gain - start)))];
  }
  const table = new Map(paint.classes.map(([code, , colour]) => [code, packed(rgb(colour))]));
  const known = (code) => table.get(code) ?? 0;
  if (paint.kind === "mask") return (value) => known(value & paint.mask);
  if (paint.kind === "reasons") return (value) => known(value & paint.blinding ? 2 : value ? 1 : 0);
  return known;
}

/** Values of a tile as a canvas. */
export function painter(paint) {
  const colour = colourOf(paint);
  return (values) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = TILE;
    const context = canvas.getContext("2d");
    const image = context.createImageData(TILE, TILE);
    const pixels = new Int32Array(image.data.buffer);
    values.forEach((value, index) => {
      if (value !== NOTHING && value !== paint.nodata) pixels[index] = colour(value);
    });
    context.putImageData(image, 0, 0);
    return canvas;
  };
}
