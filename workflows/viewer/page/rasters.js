// The run's rasters, read by range at the resolution that is looked at. Values stay file values.

export const NOTHING = -2147483648;
export const TILE = 256;
const OPEN_AT_ONCE = 64;
const BLOCKS = { blockSize: 65536, cacheSize: 64 }; // few requests of some size; of a file at most 4 MB are kept
const opened = new Map();

/** Images of a raster, the full resolution first. The last ones used stay open. */
function open(address) {
  let images = opened.get(address);
  opened.delete(address);
  if (images === undefined) {
    images = GeoTIFF.fromUrl(address, BLOCKS).then(all);
    images.catch(() => opened.delete(address));
  }
  opened.set(address, images);
  if (opened.size > OPEN_AT_ONCE) opened.delete(opened.keys().next().value);
  return images;
}

async function all(file) {
  const images = [];
  for (let number = 0; number < (await file.getImageCount()); number += 1) images.push(await file.getImage(number));
  return images;
}

/** The coarsest image that is not coarser than asked; `factor` is full-resolution pixels to one of the tile. */
function levelFor(images, factor) {
  const full = images[0].getWidth();
  const fits = images.filter((image) => full / image.getWidth() <= factor * 1.01);
  return fits.reduce((best, image) => (image.getWidth() < best.getWidth() ? image : best), images[0]);
}

/** For each of a tile's pixels, which pixel of `length` it shows, or -1; `held` of them are stored. */
function picks(first, factor, length, held) {
  return Int32Array.from({ length: TILE }, (_, index) => {
    const pixel = first + (index + 0.5) * factor;
    return pixel < 0 || pixel >= length ? -1 : Math.min(held - 1, Math.floor((pixel * held) / length));
  });
}

function span(indexes) {
  const inside = indexes.filter((index) => index >= 0);
  return inside.length ? [inside.reduce((a, b) => Math.min(a, b)), inside.reduce((a, b) => Math.max(a, b)) + 1] : null;
}

/**
 * File values of a tile over all units that touch it, TILE x TILE, NOTHING where no unit lies.
 * `column`, `row`: the tile's first pixel on its zone's grid at full resolution.
 */
export async function readTile(places, column, row, factor) {
  const values = new Int32Array(TILE * TILE).fill(NOTHING);
  await Promise.all(
    places.map(async ({ unit, address, band }) => {
      const [height, width] = unit.shape;
      const reach = TILE * factor;
      const apart = unit.column >= column + reach || unit.column + width <= column;
      if (apart || unit.row >= row + reach || unit.row + height <= row) return;
      const image = levelFor(await open(address), factor);
      const columns = picks(column - unit.column, factor, width, image.getWidth());
      const rows = picks(row - unit.row, factor, height, image.getHeight());
      const [across, down] = [span(columns), span(rows)];
      if (across === null || down === null) return;
      const window = [across[0], down[0], across[1], down[1]];
      const [found] = await image.readRasters({ window, samples: [band] });
      const stride = across[1] - across[0];
      for (let y = 0; y < TILE; y += 1) {
        if (rows[y] < 0) continue;
        const start = (rows[y] - down[0]) * stride - across[0];
        for (let x = 0; x < TILE; x += 1) {
          if (columns[x] >= 0) values[y * TILE + x] = found[start + columns[x]];
        }
      }
    }),
  );
  return values;
}
