"""What is done about findings: layers are read as they are, and what cannot be read is taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalogs.collection import POLARIZATIONS, REFLECTANCES
from catalogs.doctor.findings import Finding
from catalogs.records import Acquisition, RasterLayer


def cured(scene: Acquisition, findings: Iterable[Finding]) -> Acquisition | None:
    """The acquisition as it is to be read; None where too little is left of it.

    A lost polarization, band or angle leaves the rest of its slice. A lost mask takes the slice away: without it radar
    shadow would be read as water, and cloud as land. So does a lost date where pixels of a later day must not be read.
    """
    names = {scene.id, *scene.slices}
    own = [finding for finding in findings if finding.thing in names]
    lost = {(finding.thing, finding.layer) for finding in own if finding.severity == "unusable"}
    needed = {"", "mask"} if scene.usable_until is None else {"", "mask", "date"}
    gone = {thing for thing, layer in lost if layer in needed}
    layers: dict[str, tuple[RasterLayer, ...]] = {}
    for name, rasters in scene.layers.items():
        things = [(thing_of(scene, raster), raster) for raster in rasters]
        kept = [(thing, raster) for thing, raster in things if not gone & {thing, scene.id}]
        layers[name] = tuple(
            cured_raster(thing, name, raster, own) for thing, raster in kept if (thing, name) not in lost
        )
    left = scene.model_copy(update={"layers": {name: rasters for name, rasters in layers.items() if rasters}})
    return left.model_copy(update={"slices": _slices(left)}) if _is_enough(left) else None


def cured_raster(thing: str, name: str, raster: RasterLayer, findings: Iterable[Finding]) -> RasterLayer:
    """A layer with the corrections of its own findings; `thing` is the item that it is of."""
    changes: dict[str, object] = {}
    nodata = list(raster.nodata)
    for finding in findings:
        correction = finding.correction
        if correction is None or (finding.thing, finding.layer) != (thing, name):
            continue
        changes |= correction.model_dump(exclude={"nodata"}, exclude_none=True)
        nodata += [value for value in correction.nodata if value not in nodata]
    return raster.model_copy(update=changes | {"nodata": tuple(nodata)})


def thing_of(scene: Acquisition, raster: RasterLayer) -> str:
    """Id of the item that a raster of an acquisition is of: what a finding of it names."""
    return raster.item or scene.id


def _slices(scene: Acquisition) -> tuple[str, ...]:
    """The slices of which a measurement is left."""
    measured = {raster.item for name in (*POLARIZATIONS, *REFLECTANCES) for raster in scene.layers.get(name, ())}
    return tuple(name for name in scene.slices if name in measured or measured == {""})


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
        lender = lenders.get(_track(scene)) if scene.angle_source in ("pass", "mode") else None
        if lender is None:
            lent.append(scene)
            continue
        lent.append(scene.model_copy(update={"layers": scene.layers | {"angle": lender.layers["angle"]}}))
        found = f"no angle layer; that of {lender.id}, relative orbit {lender.relative_orbit}"
        findings.append(Finding(code="borrowed-angle", thing=scene.id, found=found, expected="its own"))
    return tuple(lent), tuple(findings)


def _track(scene: Acquisition) -> tuple[str, int | None, str | None, str | None]:
    return scene.sensor, scene.relative_orbit, scene.orbit_direction, scene.look_side
