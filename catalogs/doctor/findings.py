"""What the doctor finds: one record, and one table of every kind of finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator

from catalogs.hrefs import shown
from catalogs.records import Encoding, Record

Severity = Literal["note", "warning", "fault", "unusable"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "fault", "unusable")
"""note: nothing is wrong, the map knows less or is slower · warning: read rightly all the same, but look at it ·
fault: read as declared, numbers or places would be wrong · unusable: the file or the scene is taken out."""


class Kind(Record):
    """One kind of finding: what holds of it wherever it is found."""

    title: str
    severity: Severity
    action: str
    """What the pipeline does about it."""


HEADER_WINS = "reads by the file's header, never by the item; the map is right, other tools may misplace the scene"
LEFT_OUT = "leaves the item out of the search, and names it"
TAKEN_OUT = "takes the file out; a scene that cannot do without it goes too, and its pixels are not observed by it"

KINDS: dict[str, Kind] = {
    # Of the item alone.
    "broken-item": Kind(title="Not a STAC item that can be used", severity="unusable", action=LEFT_OUT),
    "broken-times": Kind(title="Times missing, unreadable or reversed", severity="unusable", action=LEFT_OUT),
    "broken-footprint": Kind(title="Geometry missing or not GeoJSON", severity="unusable", action=LEFT_OUT),
    "unknown-baseline": Kind(
        title="Sentinel-2 without processing baseline: its offset is unknown", severity="unusable", action=LEFT_OUT
    ),
    "refused-address": Kind(title="An address that is not on the allowlist", severity="unusable", action=LEFT_OUT),
    "unknown-collection": Kind(
        title="A collection that no YAML describes", severity="warning", action="leaves the item out of the search"
    ),
    "time-format": Kind(
        title="A time that is not RFC 3339", severity="note", action="reads it as UTC where it names no zone"
    ),
    "footprint-repaired": Kind(
        title="A geometry that has to be repaired",
        severity="warning",
        action="cuts it at ±180°, leaves empty parts out, or takes the bounding box where nothing can be read",
    ),
    "footprint-off": Kind(
        title="Bounding box and geometry disagree",
        severity="warning",
        action="goes by the geometry; a search API may go by the box, and miss or add the scene",
    ),
    "schema-fault": Kind(
        title="A property of a wrong type, or one that its extension does not know",
        severity="warning",
        action="does not use the property, or reads it as what it is",
    ),
    "missing-platform": Kind(
        title="No satellite named",
        severity="note",
        action="takes it from a Sentinel-1 id, else the name of the mission: satellites are not told apart",
    ),
    "missing-angle": Kind(
        title="Radar without an angle of each pixel",
        severity="note",
        action="takes the angle of another pass of the same track; else derives it from orbit and footprint; where "
        'these do not agree, weighs with all angles of the mode: weaker evidence, flagged "unknown angle"',
    ),
    "borrowed-angle": Kind(
        title="Angle of each pixel taken from another pass of the same track",
        severity="note",
        action="uses it: on one track the angle of a place stays the same to a hundredth of a degree",
    ),
    "missing-nodata": Kind(
        title="No value is declared to mean nodata",
        severity="note",
        action="takes NaN, and zero of radar, as not observed; looks for other fill in the pixels",
    ),
    "type-against-encoding": Kind(
        title="The declared number type cannot hold the declared encoding",
        severity="warning",
        action="looks at the pixels, and corrects what they leave no doubt about",
    ),
    "inconsistent-grid": Kind(
        title="proj:transform, proj:shape and proj:bbox contradict each other", severity="warning", action=HEADER_WINS
    ),
    "radar-geometry": Kind(
        title="In radar geometry: ground control points and no map projection",
        severity="note",
        action="places it by its control points, and calibrates by its annotation",
    ),
    "no-annotation": Kind(
        title="In radar geometry, and the item names no annotation and calibration",
        severity="unusable",
        action=TAKEN_OUT,
    ),
    "stray-metadata": Kind(
        title="Metadata assets of a radar product that lead to another kind of file",
        severity="note",
        action="reads the file that lies beside the measurement, by the layout of the product",
    ),
    "invented-transform": Kind(
        title="proj:transform of a file that has only ground control points",
        severity="fault",
        action="ignores it: only the control points are right",
    ),
    "expired-signature": Kind(
        title="An address whose signature has expired",
        severity="fault",
        action="signs again when reading where the catalog has a token service; else the file is unreadable",
    ),
    "duplicate-pass": Kind(
        title="The same pass twice", severity="warning", action="uses one of them, and names the other"
    ),
    "mixed-satellites": Kind(
        title="Several satellites of one mission in a window",
        severity="note",
        action="keeps looks, noise and thresholds by scene; a step between satellites is not corrected",
    ),
    # Of the file's header.
    "unreadable": Kind(
        title="A file that cannot be read: gone, refused, cut short or broken", severity="unusable", action=TAKEN_OUT
    ),
    "no-crs": Kind(
        title="Neither a coordinate reference system nor control points", severity="unusable", action=TAKEN_OUT
    ),
    "wrong-crs": Kind(
        title="The item names another coordinate reference system than the file", severity="fault", action=HEADER_WINS
    ),
    "stale-transform": Kind(
        title="The item's proj:transform is not that of the file", severity="fault", action=HEADER_WINS
    ),
    "stale-shape": Kind(title="The item's proj:shape is not that of the file", severity="warning", action=HEADER_WINS),
    "half-pixel-grid": Kind(
        title="Item and file differ by half a pixel (corner against centre)", severity="warning", action=HEADER_WINS
    ),
    "nodata-differs": Kind(
        title="Item and file name different nodata values",
        severity="warning",
        action="takes both as not observed",
    ),
    "type-differs": Kind(
        title="Another number type than the item says",
        severity="warning",
        action="reads the file's type; what it holds is judged by the pixels",
    ),
    "slow-file": Kind(
        title="No tiles or no overviews", severity="note", action="reads it, slowly where it lies behind a network"
    ),
    # Of the pixels, in a coarse look.
    "no-data-seen": Kind(
        title="Nothing but fill in the coarse look", severity="warning", action="maps what data there is, if any"
    ),
    "zero-filled": Kind(
        title="Radar filled with zeros that no nodata declares",
        severity="warning",
        action='takes zeros as "outside swath", never as water',
    ),
    "undeclared-fill": Kind(
        title="A constant fill that no nodata declares",
        severity="fault",
        action="takes the value as nodata of this layer",
    ),
    "nodata-never-occurs": Kind(
        title="The declared nodata never occurs while another fill does",
        severity="warning",
        action="takes both as not observed",
    ),
    "decibel-as-power": Kind(title="dB declared as something else", severity="fault", action="reads the layer as dB"),
    "power-as-decibel": Kind(
        title="Linear power declared as something else", severity="fault", action="reads the layer as linear power"
    ),
    "amplitude-as-power": Kind(
        title="Amplitude numbers declared as power or dB; their calibration is unknown",
        severity="unusable",
        action=TAKEN_OUT,
    ),
    "unknown-scale": Kind(
        title="Radar numbers that are neither power nor amplitude nor dB",
        severity="unusable",
        action=TAKEN_OUT,
    ),
    "scaled-reflectance": Kind(
        title="Reflectance from 0 to 1 declared as digital numbers",
        severity="fault",
        action="reads the layer with scale 1 and offset 0",
    ),
    "offset-suspect": Kind(
        title="The darkest pixels suggest an offset that is missing or applied twice",
        severity="warning",
        action="reads as declared: dark water and bright desert differ as much, so only a person can tell",
    ),
    "band-shift": Kind(
        title="Bands of one acquisition that lie half a pixel apart",
        severity="warning",
        action="reads each band where its header says; indices are blurred by half a pixel",
    ),
    "band-header-shift": Kind(
        title="A band whose header is a fraction of a pixel off while its picture lies on those of the others",
        severity="fault",
        action="puts the band onto the grid of the others",
    ),
    "angle-out-of-range": Kind(
        title="Angles that no imaging radar has (radians, hundredths or another thing)",
        severity="fault",
        action="takes the angle of those pixels as unknown",
    ),
    "unknown-mask-values": Kind(
        title="Mask values that its scheme does not know",
        severity="warning",
        action="takes pixels of such a value as not observed",
    ),
}
"""By code, every kind of finding; docs/catalogs.md lists the same."""


class Correction(Record):
    """How a layer is read instead of as declared; only what is not None changes."""

    encoding: Encoding | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: tuple[float, ...] = ()
    """Further values that mean "not observed"."""
    shift: tuple[float, float] | None = None


class Finding(Record):
    """One thing that is not as it should be."""

    code: str
    """Of `KINDS`."""
    thing: str
    """Id of the item or acquisition."""
    found: str
    expected: str
    layer: str = ""
    """Which layer of the acquisition, or asset of the item; empty where it is about the whole."""
    href: Annotated[str, AfterValidator(shown)] = ""
    """The file, where it is about one, as it may be shown: findings are kept and passed on."""
    correction: Correction | None = None
    """How the pipeline reads the layer instead."""

    @property
    def kind(self) -> Kind:
        """Title, severity and what the pipeline does."""
        return KINDS[self.code]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    def __str__(self) -> str:
        place = f"{self.thing}, {self.layer}" if self.layer else self.thing
        told = f"{place}: {self.code}: found {self.found}; expected {self.expected}"
        return f"{told}. The pipeline {self.kind.action}"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, the worst first, then by code and thing."""
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda f: (-SEVERITIES.index(f.severity), f.code, f.thing, f.layer))
    )


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The worst severity; None where there is no finding."""
    return max((finding.severity for finding in findings), key=SEVERITIES.index, default=None)


def kinds_table() -> str:
    """`KINDS` as a Markdown table, the worst first: what docs/catalogs.md holds."""
    rows = sorted(KINDS.items(), key=lambda row: (-SEVERITIES.index(row[1].severity), row[0]))
    head = "| code | severity | what was found | what the pipeline does |\n|---|---|---|---|\n"
    return head + "".join(f"| `{code}` | {k.severity} | {k.title} | {k.action} |\n" for code, k in rows)
