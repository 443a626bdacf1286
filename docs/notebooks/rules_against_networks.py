# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Rules against networks
#
# The same flood by two rules, by the sum of evidence, and by networks that correct it within a bound. Where do they
# differ, and who is right? Simulated floods say so; on real ones look at the disagreement first.

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import rioxarray

from workflows import demo, open_map

work = Path(mkdtemp())
methods = ["ndwi", "radar_threshold", "physics", "early", "late"]
summary = demo(work, 256, 2, methods=methods)
for name, one in summary["methods"].items():
    told = "  ".join(f"{score} {one[score]:.3f}" for score in ("flood_iou", "precision", "recall"))
    print(f"{name:16s} {told}   observed {one['observed_share']:.0%}")

# %% [markdown]
# A rule sees one sensor: what clouds or leaves hide from it is missing, and counts here as "not flood".

# %%
truth = rioxarray.open_rasterio(work / "catalog" / "truth.tif").squeeze("band", drop=True)
names = list(summary["methods"])
figure, panels = plt.subplots(1, len(names) + 1, figsize=(3 * (len(names) + 1), 3.2))
panels[0].imshow(np.isin(truth, (1, 2)), cmap="Blues")
panels[0].set_title("truth")
for panel, name in zip(panels[1:], names, strict=True):
    panel.imshow(open_map(work / "run", "flood_class", name).isin([1, 2]), cmap="Blues")
    panel.set_title(name)
for panel in panels:
    panel.set_axis_off()

# %% [markdown]
# ## Where a rule and a network disagree

# %%
rule = open_map(work / "run", "flood_class", "radar_threshold")
network = open_map(work / "run", "flood_class", "early")
both = (rule < 4) & (network < 4)
wet = {"rule": rule.isin([1, 2]), "network": network.isin([1, 2])}
true = truth.isin([1, 2]).reindex_like(rule, method="nearest")
for name, other in (("rule", "network"), ("network", "rule")):
    where = (wet[name] & ~wet[other] & both).values
    right = float(true.values[where].mean()) if where.any() else float("nan")
    print(f"only the {name:8s} {int(where.sum()):6d} pixels, {right:.0%} of them flooded in truth")

# %% [markdown]
# ## When not to trust a network
#
# `overbank stress` makes floods worse step by step (more speckle, wind, snow, a sensor gone) and says where a rule
# overtakes a network. Networks here learned from simulated floods alone: on ground unlike those trust `physics`.
