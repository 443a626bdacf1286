"""Run by QGIS's own Python, not by the tests': opens a review, tells how it looks, and gives two verdicts.

    qgis_verdicts.py REVIEW.gpkg

Prints one JSON record.
"""

from __future__ import annotations

import json
import sys

from qgis.core import QgsApplication, QgsVectorLayer


def main(path: str) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsVectorLayer(f"{path}|layername=review", "review", "ogr")
    fields = layer.fields()
    verdict = fields.indexOf("verdict")
    form = layer.editFormConfig()
    told = {
        "categories": [one.value() for one in layer.renderer().categories()],
        "widget": layer.editorWidgetSetup(verdict).type(),
        "choices": [value for one in layer.editorWidgetSetup(verdict).config()["map"] for value in one.values()],
        "open": [field.name() for number, field in enumerate(fields) if not form.readOnly(number)],
    }
    layer.startEditing()
    for feature, word in zip(list(layer.getFeatures())[:2], ("flood", "dry"), strict=False):
        layer.changeAttributeValue(feature.id(), verdict, word)
    told["saved"] = layer.commitChanges()
    print(json.dumps(told))
    del layer
    application.exitQgis()


if __name__ == "__main__":
    main(sys.argv[1])
