"""Seeded random fields: what the maps of the simulator are woven from."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from harmonization.simulate.grid import Grid


def random_stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for every purpose, so that a change in one draw moves no other."""
    return np.random.default_rng([seed, crc32(purpose.encode())])


def smooth_field(stream: np.random.Generator, shape: tuple[int, int], scale: float) -> NDArray[np.float64]:
    """Gaussian random field of mean 0 and deviation 1, smoothed over `scale` cells (standard deviation);
    periodic."""
    spectrum = fft.rfft2(stream.standard_normal(shape))
    vertical = fft.fftfreq(shape[0])[:, None]
    horizontal = fft.rfftfreq(shape[1])[None, :]
    spectrum *= np.exp(-2.0 * (np.pi * scale) ** 2 * (vertical**2 + horizontal**2))
    spectrum[0, 0] = 0.0
    field = np.asarray(fft.irfft2(spectrum, s=shape))
    return np.asarray(field / field.std())


def field_parcels(stream: np.random.Generator, grid: Grid, length: float, width: float) -> NDArray[np.int64]:
    """Number of the farm field of every cell: strips of `length` by `width` metres at a random bearing;
    (rows, columns)."""
    bearing = stream.uniform(0.0, np.pi)
    easting, northing = grid.centres()
    bend = 0.3 * width * smooth_field(stream, grid.shape, 6.0 * length / grid.pixel)
    along = easting * np.cos(bearing) + northing * np.sin(bearing) + bend
    across = northing * np.cos(bearing) - easting * np.sin(bearing) + bend
    strip = np.floor(across / width).astype(np.int64)
    strip -= strip.min()
    shift = stream.uniform(0.0, length, strip.max() + 1)
    place = np.floor((along + shift[strip]) / length).astype(np.int64)
    return np.asarray(strip * (np.ptp(place) + 1) + place - place.min())
