"""Why pixels of a radar acquisition say nothing: its mask layer, and the day they were taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition
from harmonization.bundle import Flags
from harmonization.reasons import Reason
from pipeline.mosaic import mosaic
from pipeline.read import read_linear, read_window

FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
""""Date" layers count days from it."""
MASKS: dict[str, dict[int, Reason]] = {
    # JAXA: the mosaic's mask and the ScanSAR L2.2 summary (BitValues).
    "palsar-mosaic": {0: Reason.OUTSIDE_SWATH, 100: Reason.LAYOVER, 150: Reason.RADAR_SHADOW},
    "palsar-scansar": {
        0: Reason.OUTSIDE_SWATH,
        2: Reason.LAYOVER,
        3: Reason.RADAR_SHADOW,
        5: Reason.OUTSIDE_SWATH,
    },
    "opera-rtc": {
        1: Reason.RADAR_SHADOW,
        2: Reason.LAYOVER,
        3: Reason.RADAR_SHADOW | Reason.LAYOVER,
        255: Reason.OUTSIDE_SWATH,
    },
}
"""What the values of a radar mask mean; all others are valid."""


def mask_reasons(scene: Acquisition, box: GeoBox) -> Flags:
    """(y, x) bits of `Reason` from the mask layer of a product; none where it has no such layer."""
    reasons = np.zeros(box.shape.yx, dtype=np.uint16)
    if "mask" not in scene.layers or scene.mask_scheme not in MASKS:
        return reasons
    mask = mosaic([read_window(raster, box) for raster in scene.layers["mask"]], box, "mask")
    reasons[np.isnan(mask)] = Reason.OUTSIDE_SWATH
    for value, reason in MASKS[scene.mask_scheme].items():
        reasons[mask == value] |= np.uint16(reason)
    return reasons


def late_reasons(scene: Acquisition, box: GeoBox) -> Flags:
    """Where a mosaic has no sample of the window that is asked for: "no scene" there."""
    if scene.usable_until is None:
        return np.zeros(box.shape.yx, dtype=np.uint16)
    days = mosaic([read_linear(raster, box) for raster in scene.layers["date"]], box, "mask")
    late = days > last_whole_day(scene.usable_until)
    return np.where(late, np.uint16(Reason.NO_SCENE), np.uint16(0)).astype(np.uint16)


def last_whole_day(moment: datetime) -> int:
    """Days since 1970-01-01 of the last day that is over at a moment; 23:59:59 counts as the end of a day."""
    return (moment + timedelta(seconds=1) - FIRST_DAY).days - 1
