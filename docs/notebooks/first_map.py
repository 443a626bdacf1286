# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A first map
#
# A flood whose truth is known, from scenes to a map in QGIS's hands. Everything below was run when this page was built.

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
from matplotlib.colors import BoundaryNorm, ListedColormap

from workflows import compare, map_flood, open_map, plan, simulate

work = Path(mkdtemp())
simulate(work, 256, 1)  # scenes of three sensors before and during a flood, as a catalog on this disk
print((work / "job.yaml").read_text())

# %% [markdown]
# ## Look before you run
#
# A plan reads no pixel. It says which scenes there are, and which sensor is missing.

# %%
job = work / "job.yaml"
planned = plan(job)
for scene in planned.during:
    print(f"{scene.time:%Y-%m-%d %H:%M}  {scene.sensor}")
print(len(planned.units), "unit; missing:", planned.missing or "nothing")

# %% [markdown]
# ## Map
#
# The layers of a run are lazy arrays with a CRS, units and the meanings of their codes.

# %%
run = map_flood(job, work / "run")
flood = run["flood_class"]
print(flood)
print(flood.attrs["flag_meanings"])

# %%
colours = ListedColormap(["#f5f1e6", "#2166ac", "#1b9e77", "#9ecae1", "#bdbdbd"])
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
flood.plot(ax=left, cmap=colours, norm=BoundaryNorm(range(6), 5), add_colorbar=False)
left.set_title("dry, open water, flooded plants, permanent, not seen")
run["flood_probability"].plot(ax=right, cmap="cividis")
right.set_title("probability of flood")
for axes in (left, right):
    axes.set_aspect("equal")
    axes.set_axis_off()

# %% [markdown]
# ## Why a pixel is what it is
#
# Evidence is in nats: how much likelier a look is over water than over dry ground, as a logarithm.

# %%
evidence = run["evidence"]
row, column = divmod(int((flood == 2).values.argmax()), flood.sizes["x"])
for band in evidence.band.values:
    print(f"{band:40s} {float(evidence.sel(band=band)[row, column]):+6.2f} nat")

# %% [markdown]
# ## Held against the truth

# %%
scores = compare(work / "run", work / "truth.tif")["methods"]
for name, one in scores.items():
    print(f"{name:16s} {one['area_km2']:5.2f} km²   true {one['true_area_km2']:.2f}   IoU {one['flood_iou']:.3f}")

# %% [markdown]
# The files themselves lie in `run/units/*/`: Cloud-Optimized GeoTIFFs with colours, and a STAC item.

# %%
open_map(work / "run", "flood_class", "ndwi").rio.to_raster(work / "ndwi.tif")  # any layer, as a file of its own
assert (work / "ndwi.tif").is_file()
