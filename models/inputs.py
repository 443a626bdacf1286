"""What a network is given: channels by modality, where each was observed, and what physics made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Bundle, Evidence, RadarBundle
from harmonization.evidence import combine
from harmonization.optical.indices import mndwi, ndwi
from harmonization.reasons import BLINDING
from harmonization.wavelength import harmonize
from models.contract import DATED, sensor_of

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Kind = TypeVar("Kind", bound=np.generic)

_RADAR = ("evidence_water", "evidence_vegetation", "copol_db", "crosspol_db", "copol_change_db")
CHANNELS: dict[str, tuple[str, ...]] = {
    "c_band": _RADAR,
    "l_band": _RADAR,
    "optical": ("evidence_water", "evidence_vegetation", "ndwi", "mndwi"),
    "terrain": ("height_above_drainage", "slope"),
}
"""Channels of each modality that `assemble` makes by default, in order."""
CONTEXT = ("terrain",)
"""Modalities that see no water."""
OPTIONAL_CHANNELS: dict[str, tuple[str, ...]] = {"c_band": ("harmonized_db",), "l_band": ("harmonized_db",)}
"""Channels that a contract may ask for beyond these; "harmonized_db" is C-VV-equivalent sigma0 at 38.5 degrees, present
where "<modality>_harmonized" says that it is valid."""

FLOOR_DB = -40.0
"""Power at or below this (dB), zero and negative samples included, reads as this."""
_POLARIZATIONS = {
    "C": (("VV", "HH"), ("VH", "HV")),
    "L": (("HH", "VV"), ("HV", "VH")),
}
"""By band: co-polarizations and cross-polarizations, the preferred first."""


@dataclass(frozen=True, eq=False)
class ModelInput:
    """One window of one place. What was not observed is left out, or False in its presence."""

    modalities: Mapping[str, Float]
    """By modality: (channel, y, x) in physical units, not normalised; NaN is not observed. "c_band@1" is the look of
    "c_band" before, "c_band@2" the one before that: any number, each with the channels of its sensor."""
    presence: Mapping[str, Mask]
    """(y, x) True where observed: by modality; "<modality>_before": where the change channel is known;
    "<modality>_harmonized": where the harmonized level is valid."""
    parts: Mapping[str, Float]
    """By modality: (state, y, x) nats it adds to the log-odds of each state : dry (open water, flooded vegetation).
    Earlier looks and what is no sensor have none: they add nothing."""
    prior: Float
    """(state,) or (state, y, x) log-odds of the prior."""
    channels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHANNELS)
    """By modality: the names of its channels, in order."""

    def __post_init__(self) -> None:
        shape = self.shape
        for name, values in self.modalities.items():
            if name not in self.presence or name not in self.channels:
                raise ValueError(f"Modality {name!r} lacks its presence or its names.")
            _expect(f"modality {name!r}", values.shape, (len(self.channels[name]), *shape))
        for name, nats in self.parts.items():
            _expect(f"part {name!r}", nats.shape, (self.states, *shape))
        for name, mask in self.presence.items():
            _expect(f"presence {name!r}", mask.shape, shape)
        if self.prior.ndim != 1:
            _expect("prior", self.prior.shape, (self.states, *shape))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        for array in (*self.modalities.values(), *self.presence.values(), self.prior):
            if array.ndim > 1:
                return int(array.shape[-2]), int(array.shape[-1])
        raise ValueError("No modality, and a prior without rows and columns: give the prior as (2, y, x).")

    @property
    def states(self) -> int:
        """How many states besides dry."""
        return int(self.prior.shape[0])

    @property
    def physics(self) -> Float:
        """(state, y, x) log-odds without a network: the prior plus each modality's part where it is present."""
        prior = self.prior if self.prior.ndim == 3 else self.prior[:, None, None]
        everywhere = np.broadcast_to(prior, (self.states, *self.shape)).astype(np.float32)
        zero = np.float32(0.0)
        told = [name for name in self.modalities if name in self.parts]
        parts = (np.where(self.presence[name], self.parts[name], zero) for name in told)
        return combine(everywhere, parts)

    def without(self, hidden: Mapping[str, Mask | bool]) -> ModelInput:
        """Return a copy where a modality, and what hangs on it ("<modality>_before", "<modality>@1"), is absent."""
        presence = dict(self.presence)
        for name, mask in hidden.items():
            for other in presence:
                if other == name or other.startswith((f"{name}_", f"{name}{DATED}")):
                    presence[other] = presence[other] & ~np.asarray(mask)
        return replace(self, presence=presence)

    def only(self, modalities: Collection[str]) -> ModelInput:
        """Return a copy without the other modalities and their presence; the physics is then that of these alone."""
        left_out = tuple(name for name in self.modalities if name not in modalities)
        hanging = tuple(f"{name}_" for name in left_out)
        return replace(
            self,
            modalities={name: values for name, values in self.modalities.items() if name not in left_out},
            presence={n: mask for n, mask in self.presence.items() if n not in left_out and not n.startswith(hanging)},
            parts={name: nats for name, nats in self.parts.items() if name in modalities},
        )

    def window(self, row: int, column: int, height: int, width: int) -> ModelInput:
        """Return `height` x `width` pixels from (row, column) on; what lies outside the array is absent."""
        at = (row, column, height, width)
        prior = self.prior if self.prior.ndim == 1 else _cut(self.prior, at, 0.0)
        return ModelInput(
            modalities={name: _cut(values, at, np.nan) for name, values in self.modalities.items()},
            presence={name: _cut(mask, at, False) for name, mask in self.presence.items()},
            parts={name: _cut(values, at, 0.0) for name, values in self.parts.items()},
            prior=prior,
            channels=self.channels,
        )


@dataclass(frozen=True, eq=False)
class Look:
    """What one modality saw, and its own view of the place before."""

    evidence: Evidence
    bundle: Bundle
    before: Bundle | None = None
    """The same sensor before the event, on the same grid; None where there is none."""
    before_evidence: Evidence | None = None
    """What that look alone says."""


def with_earlier_looks(channels: Mapping[str, tuple[str, ...]], looks: int) -> dict[str, tuple[str, ...]]:
    """The same with so many earlier looks of every sensor, each with the channels of its sensor."""
    sensors = {name: names for name, names in channels.items() if name not in CONTEXT}
    earlier = {f"{name}{DATED}{n}": names for n in range(1, looks + 1) for name, names in sensors.items()}
    return {**channels, **earlier}


def assemble(
    looks: Mapping[str, Look],
    parts: Mapping[str, Float],
    prior: Float,
    channels: Mapping[str, tuple[str, ...]] = CHANNELS,
    terrain: Float | None = None,
) -> ModelInput:
    """Stack channels from the records of each modality that is there.

    Args:
        looks: by modality ("c_band", "l_band", "optical"); one that is left out is absent.
        parts: by modality, (2, y, x) nats: what it adds to the fused log-odds, after decay and doubt.
        prior: (2,) or (2, y, x) log-odds; the latter is needed where `looks` is empty.
        channels: by modality, those that are wanted, in order: of `CHANNELS` (the default) and `OPTIONAL_CHANNELS`;
            "c_band@1" asks for the look before that of "c_band" too.
        terrain: (2, y, x) metres above drainage and degrees of slope, NaN where not known.

    Raises:
        ValueError: an unknown modality or channel, or arrays that are not on one grid.
    """
    wanted = {**CHANNELS, **channels}
    _refuse_unknown(looks, wanted)
    modalities: dict[str, Float] = {}
    presence: dict[str, Mask] = {}
    for name, look in looks.items():
        _add_look(name, look, prior, wanted[name], modalities, presence)
        earlier = f"{name}{DATED}1"
        if earlier in wanted and look.before is not None and look.before_evidence is not None:
            past = Look(look.before_evidence, look.before)
            _add_look(earlier, past, prior, wanted[earlier], modalities, presence)
    if terrain is not None and "terrain" in channels:
        modalities["terrain"] = np.asarray(terrain, dtype=np.float32)
        presence["terrain"] = np.asarray(np.isfinite(terrain).any(axis=0))
    added = {name: np.asarray(parts[name], dtype=np.float32) for name in looks}
    return ModelInput(modalities, presence, added, prior, wanted)


def _add_look(
    name: str,
    look: Look,
    prior: Float,
    channels: tuple[str, ...],
    modalities: dict[str, Float],
    presence: dict[str, Mask],
) -> None:
    """Add the channels of one look, and where they were observed."""
    made = _evidence_channels(look) | _measured(look)
    if "harmonized_db" in channels:
        made["harmonized_db"] = _harmonized(look, prior)
    seen = look.evidence.observed & ~_blinded(look.evidence.reasons) & ~_blinded(look.bundle.reasons)
    first, second = CHANNELS[sensor_of(name)][2:4]
    presence[name] = seen & (np.isfinite(made[first]) | np.isfinite(made[second]))
    values = np.stack([made[channel] for channel in channels]).astype(np.float32)
    modalities[name] = np.where(presence[name], values, np.float32(np.nan))
    if isinstance(look.bundle, RadarBundle):
        presence[f"{name}_before"] = presence[name] & np.isfinite(made["copol_change_db"])
    if "harmonized_db" in made:
        presence[f"{name}_harmonized"] = presence[name] & np.isfinite(made["harmonized_db"])


def _refuse_unknown(looks: Mapping[str, Look], channels: Mapping[str, tuple[str, ...]]) -> None:
    known = [name for name in CHANNELS if name not in CONTEXT]
    unknown = sorted(set(looks) - set(known))
    if unknown:
        raise ValueError(f"Unknown modality {', '.join(unknown)}; known: {', '.join(known)}.")
    for name in looks:
        offered = (*CHANNELS[name], *OPTIONAL_CHANNELS.get(name, ()))
        strange = [channel for channel in channels[name] if channel not in offered]
        if strange:
            raise ValueError(f"Unknown channel {', '.join(strange)} of {name!r}; known: {', '.join(offered)}.")


def decibels(power: Float) -> Float:
    """10 log10 of linear power, not below `FLOOR_DB`; NaN stays NaN."""
    floor = np.float32(10.0 ** (FLOOR_DB / 10.0))
    return np.asarray(10.0 * np.log10(np.maximum(power, floor)), dtype=np.float32)


def _evidence_channels(look: Look) -> dict[str, Float]:
    return dict(zip(("evidence_water", "evidence_vegetation"), look.evidence.held, strict=True))


def _measured(look: Look) -> dict[str, Float]:
    """The channels beyond the evidence, by name, (y, x)."""
    bundle = look.bundle
    if not isinstance(bundle, RadarBundle):
        return _indices(bundle.reflectance, look.evidence.observed.shape)
    co, cross = (_first(bundle.power, names) for names in _POLARIZATIONS[bundle.band])
    nothing = np.full(look.evidence.observed.shape, np.nan, dtype=np.float32)
    copol = nothing if co is None else decibels(bundle.power[co])
    crosspol = nothing if cross is None else decibels(bundle.power[cross])
    change = nothing
    if isinstance(look.before, RadarBundle) and co is not None and co in look.before.power:
        before = np.where(_blinded(look.before.reasons), np.float32(np.nan), decibels(look.before.power[co]))
        change = copol - before
    return {"copol_db": copol, "crosspol_db": crosspol, "copol_change_db": change}


def _harmonized(look: Look, prior: Float) -> Float:
    """C-VV-equivalent sigma0 at the reference angle in dB, (y, x); NaN where it is not valid."""
    assert isinstance(look.bundle, RadarBundle)
    found = harmonize(look.bundle, prior)
    return np.where(found.valid, found.level, np.float32(np.nan))


def _indices(reflectance: Mapping[str, Float], shape: tuple[int, ...]) -> dict[str, Float]:
    nothing = np.full(shape, np.nan, dtype=np.float32)
    green, infrared, shortwave = (reflectance.get(band, nothing) for band in ("green", "nir", "swir1"))
    return {"ndwi": ndwi(green, infrared), "mndwi": mndwi(green, shortwave)}


def _first(power: Mapping[str, Float], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in power), None)


def _blinded(reasons: NDArray[np.uint16]) -> Mask:
    return np.asarray((reasons & np.uint16(BLINDING)) != 0)


def _expect(what: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"The {what} has shape {found}, but {expected} is expected.")


def _cut(array: NDArray[Kind], at: tuple[int, int, int, int], outside: float) -> NDArray[Kind]:
    """Cut (row, column, height, width) out of the last two axes; what lies outside becomes `outside`."""
    row, column, height, width = at
    cut = np.full((*array.shape[:-2], height, width), outside, dtype=array.dtype)
    rows, columns = array.shape[-2:]
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + height, rows), min(column + width, columns)
    if top < bottom and left < right:
        cut[..., top - row : bottom - row, left - column : right - column] = array[..., top:bottom, left:right]
    return cut
