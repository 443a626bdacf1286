"""What can go wrong on the way, said so that the next step is clear."""

from __future__ import annotations

from catalogs.errors import without_secrets


class PipelineError(Exception):
    """Base of all errors of the flow: the message names the thing, what was found, and the remedy; no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


class JobError(PipelineError):
    """A mistake in a job file, found before any pixel is read."""


class NoSceneError(JobError):
    """A flood window for which the catalog has no scene, or none yet."""


class SceneError(PipelineError):
    """Scenes of a job that cannot be read, none of them."""


class RunError(PipelineError):
    """A run folder that is not what a verb needs."""


class ReferenceFileError(PipelineError):
    """A reference map that cannot be compared with."""


class DatasetError(PipelineError):
    """A data set that is not where or what it should be, or a score that it cannot give."""


class ReviewError(PipelineError):
    """An edited review that does not fit the run it is applied to."""


class MissingPartError(PipelineError):
    """Something that set-up fetches and that is not there."""


class ZoneError(PipelineError):
    """Zones, or what is exposed in them, that cannot be counted."""
