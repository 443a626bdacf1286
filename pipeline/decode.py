"""One acquisition to a bundle on a GeoBox: file values → power or reflectance on the native grid → aligned."""

from __future__ import annotations

from collections.abc import Mapping

from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition
from harmonization.bundle import Bundle
from pipeline.decode_optical import decode_optical
from pipeline.decode_radar import Elevation, Priors, decode_radar
from pipeline.science import Science


def decode(
    scene: Acquisition,
    box: GeoBox,
    science: Science,
    looks: float,
    noise_db: Mapping[str, float],
    elevation: Elevation = (),
    priors: Priors | None = None,
) -> Bundle:
    """The bundle of one acquisition on a GeoBox; where the scene does not reach, NaN and "outside swath".

    `looks`, `noise_db`, `priors`: of the prepare stage (radar). `elevation` places products in radar geometry; others
    ignore it. Errors of reading name the file.
    """
    if scene.kind == "radar":
        return decode_radar(scene, box, science, looks, noise_db, elevation, priors)
    return decode_optical(scene, box, science)
