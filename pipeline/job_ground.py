"""What a job may say of the ground: rasters, ids of ancillary collections of its catalog, and words."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

CollectionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Id of an ancillary collection: no dot and no slash, so that it is no path."""
GROUND_EXAMPLES = {
    "reference_water": "jrc-gsw",
    "elevation": "cop-dem-glo-30",
    "drainage": "glo-30-hand",
    "land_cover": "esa-worldcover",
}
"""By field that names a raster or an ancillary collection of the catalog: such a collection."""
GROUND_FIELDS = tuple(GROUND_EXAMPLES)
COMPUTED, NO_DRAINAGE = "computed", "none"
"""What `drainage` may say beside these."""
