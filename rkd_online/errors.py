"""The errors a user can meet.

One base class and a few kinds. Every message names what is wrong, the value that was found and what
to change. They carry nothing but their message, so they survive pickling between processes.
"""


class RkdError(Exception):
    """Base of every error that this project raises on purpose."""


class SpecError(RkdError):
    """What the user asked for cannot run: the field, its value and what is allowed."""


class ModelError(RkdError):
    """A model or tokenizer folder cannot be used as asked."""


class TaskError(RkdError):
    """A task, dataset or reward cannot be built or read."""


class TrainingError(RkdError):
    """An update went wrong (a non-finite loss, say); no weights of it were published."""


class WeightSyncError(RkdError):
    """A generator does not run the weights that the learner published."""


class CheckpointError(RkdError):
    """A checkpoint could not be written or read; earlier ones are untouched."""


class RecordError(RkdError):
    """What a run has to leave behind could not be written, or is in use by another run."""


class ClusterError(RkdError):
    """Ray, one of its actors, or something waited for did not answer."""


class ObjectStoreError(ClusterError):
    """The object store did not answer, refused, or its address is none."""


class ObjectStoreSetupError(ObjectStoreError):
    """The object store cannot be used as it is set up: whoever tries again meets the same."""


class TooLargeError(ClusterError):
    """The whole cluster, empty, could not hold the job."""


class ServiceError(RkdError):
    """The control plane refused or could not be reached."""
