"""Tables of docs/physics.md on the forward models: `python -m benchmarks.forward_models`.

Two-scale water by wind and against CMOD5.N (xsarsea, of the `dev` extra), C minus L by class, a stand dry and flooded,
the spread between soil models, and how well moisture could be known.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import soil_permittivity, water_permittivity
from harmonization.scattering.canopy import OPAQUE_CROWN, canopy
from harmonization.scattering.identifiability import Channel, SoilModel, moisture_deviation
from harmonization.scattering.soil import dubois_1995, oh_1992, oh_2004
from harmonization.scattering.two_scale import two_scale

C, L = 5.405, 1.2575
ANGLE = 38.5
WIND = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0])


def decibel(power: Any) -> Any:
    return 10.0 * np.log10(power)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(one if isinstance(one, str) else f"{float(one):.1f}" for one in row) + " |")


def cmod5n(angle: NDArray[np.float64], wind: NDArray[np.float64]) -> NDArray[np.float64]:
    """dB at C-VV, mean power over the directions of the wind, (angle, wind)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from xsarsea.windspeed import get_model

        direction = np.arange(0.0, 360.0, 5.0)
        power = get_model("gmf_cmod5n")(angle[:, None, None], wind[None, :, None], direction[None, None, :])
    return np.asarray(decibel(np.asarray(power).mean(axis=-1)))


def water() -> None:
    fresh = {frequency: water_permittivity(frequency, 20.0) for frequency in (C, L)}
    found = {frequency: two_scale(frequency, fresh[frequency], WIND, ANGLE) for frequency in (C, L)}
    rows = [
        (f"{band}-{polarization}", *decibel(found[frequency][polarization]))
        for band, frequency in (("C", C), ("L", L))
        for polarization in ("VV", "HH", "HV")
    ]
    rows.append(("CMOD5.N (C-VV)", *cmod5n(np.array([ANGLE]), WIND)[0]))
    table("Open water at 38.5 degrees, two-scale, dB by wind", ["", *(f"{wind:g} m/s" for wind in WIND)], rows)
    angle = np.array([30.0, 35.0, 38.5, 40.0, 45.0])
    sea = water_permittivity(C, 20.0, 35.0)
    error = decibel(two_scale(C, sea, WIND, angle[:, None])["VV"]) - cmod5n(angle, WIND)
    trusted = error[1:, 2:]
    print(f"\nAgainst CMOD5.N, 35 to 45 degrees, 3 to 15 m/s: rms {np.sqrt(np.mean(trusted**2)):.2f} dB;", end=" ")
    print(f"30 to 45, 1 to 15: {np.sqrt(np.mean(error**2)):.2f}, largest {np.abs(error).max():.2f}")


def offsets() -> None:
    soils = [
        decibel(oh_1992(C, soil_permittivity(C, moisture), rough, ANGLE)["VV"])
        - decibel(oh_1992(L, soil_permittivity(L, moisture), rough, ANGLE)["HH"])
        for moisture in (0.08, 0.2, 0.35)
        for rough in (0.005, 0.01, 0.02)
    ]
    wind = np.array([3.0, 5.0, 10.0])
    at_c, at_l = (two_scale(f, water_permittivity(f, 20.0), wind, ANGLE)[p] for f, p in ((C, "VV"), (L, "HH")))
    forest_c = canopy(C, "VV", OPAQUE_CROWN["C-VV"], 0.4, ANGLE)
    forest_l = canopy(L, "HH", OPAQUE_CROWN["L-HH"], 0.4, ANGLE)
    rows = [
        ("bare soil", f"{min(soils):+.1f} to {max(soils):+.1f}"),
        *(
            (f"water, {speed:g} m/s", f"{decibel(c / low):+.1f}")
            for speed, c, low in zip(wind, at_c, at_l, strict=True)
        ),
        ("forest", f"{decibel(forest_c.dry / forest_l.dry):+.1f}"),
        ("flooded forest", f"{decibel(forest_c.flooded / forest_l.flooded):+.1f}"),
    ]
    table("C-VV minus L-HH at 38.5 degrees, dB", ["class", "offset"], rows)


def stand() -> None:
    rows = []
    for depth in (0.1, 0.3, 0.5, 1.0):
        at_l = canopy(L, "HH", OPAQUE_CROWN["L-HH"], depth, ANGLE)
        at_c = canopy(C, "VV", OPAQUE_CROWN["C-VV"], depth, ANGLE)
        rows.append((f"{depth}", *(decibel(power) for power in (*at_l, *at_c))))
    table("A stand by its depth at L, dB", ["tau_L", "L-HH dry", "flooded", "C-VV dry", "flooded"], rows)


def soils() -> None:
    rows = []
    for band, frequency in (("C", C), ("L", L)):
        permittivity = soil_permittivity(frequency, 0.2)
        models = {
            "Oh 1992": oh_1992(frequency, permittivity, 0.01, ANGLE),
            "Oh 2004": oh_2004(frequency, 0.2, 0.01, ANGLE),
            "Dubois 1995": dubois_1995(frequency, permittivity, 0.01, ANGLE),
        }
        for name, power in models.items():
            rows.append((band, name, *(decibel(power[one]) if one in power else "–" for one in ("HH", "VV", "HV"))))
    table("Bare soil, s = 1 cm, moisture 0.2, 38.5 degrees, dB", ["band", "model", "HH", "VV", "HV"], rows)


def moisture() -> None:
    at_c: list[Channel] = [(C, "VV"), (C, "HV")]
    at_l: list[Channel] = [(L, "HH"), (L, "HV")]
    models: list[SoilModel] = ["oh_1992", "oh_2004"]
    rows = [
        (
            name,
            *(f"{moisture_deviation(seen, 0.2, 0.01, ANGLE, noise, model):.3f}" for seen in (at_c, at_l, at_c + at_l)),
        )
        for model in models
        for noise, name in ((1.0, f"{model}, 1 dB"), (2.5, f"{model}, 2.5 dB"))
    ]
    table("Least deviation of moisture (m3/m3) at 0.2, s = 1 cm", ["model, noise", "C", "L", "C and L"], rows)


def main() -> None:
    for section in (water, offsets, stand, soils, moisture):
        section()


if __name__ == "__main__":
    main()
