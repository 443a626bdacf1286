"""What is done about findings: layers are read as they are, and what cannot be read is taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalogs.findings import Finding
from catalogs.records import Acquisition, RasterLayer


def cured(scene: Acquisition, findings: Iterable[Finding]) -> Acquisition | None:
    """The acquisition as it is to be read; None where too little is left of it.

    A lost polarization, band or angle leaves the rest. A lost mask takes the whole away: without it radar shadow
    would be read as water, and cloud as land.
    """
    own = [finding for finding in findings if finding.thing == scene.id]
    if any(finding.severity == "unusable" and not finding.layer for finding in own):
        return None
    lost = {(f.layer, f.href) for f in own if f.severity == "unusable"}
    if any(layer == "mask" for layer, _ in lost):
        return None
    layers = {
        name: tuple(cured_raster(name, raster, own) for raster in rasters if (name, raster.href) not in lost)
        for name, rasters in scene.layers.items()
    }
    left = scene.model_copy(update={"layers": {name: rasters for name, rasters in layers.items() if rasters}})
    return left if _is_enough(left) else None


def cured_raster(name: str, raster: RasterLayer, findings: Iterable[Finding]) -> RasterLayer:
    """A layer with the corrections of its own findings."""
    changes: dict[str, object] = {}
    nodata = list(raster.nodata)
    for finding in findings:
        correction = finding.correction
        if correction is None or (finding.layer, finding.href) != (name, raster.href):
            continue
        changes |= correction.model_dump(exclude={"nodata"}, exclude_none=True)
        nodata += [value for value in correction.nodata if value not in nodata]
    return raster.model_copy(update=changes | {"nodata": tuple(nodata)})


def _is_enough(scene: Acquisition) -> bool:
    """Whether anything can be measured: a polarization, or the two bands that every water index needs."""
    return bool(scene.polarizations) if scene.kind == "radar" else {"green", "nir"} <= set(scene.layers)


def with_borrowed_angles(scenes: Sequence[Acquisition]) -> tuple[tuple[Acquisition, ...], tuple[Finding, ...]]:
    """The acquisitions, those without any angle of each pixel with the angle layer of the same track where one has it.

    A satellite keeps to its track within some hundred metres, so the angle of a place is the same from pass to pass.
    """
    lenders = {_track(scene): scene for scene in scenes if scene.angle_source == "layer" and scene.relative_orbit}
    lent, findings = [], []
    for scene in scenes:
        lender = lenders.get(_track(scene)) if scene.angle_source == "mode" else None
        if lender is None:
            lent.append(scene)
            continue
        lent.append(scene.model_copy(update={"layers": scene.layers | {"angle": lender.layers["angle"]}}))
        found = f"no angle layer; that of {lender.id}, relative orbit {lender.relative_orbit}"
        findings.append(Finding(code="borrowed-angle", thing=scene.id, found=found, expected="its own"))
    return tuple(lent), tuple(findings)


def _track(scene: Acquisition) -> tuple[str, int | None, str | None, str | None]:
    return scene.sensor, scene.relative_orbit, scene.orbit_direction, scene.look_side
