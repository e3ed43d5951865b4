"""What the start of an attempt finds out once and hands to every worker."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from rkd_online.inference.settings import EngineSettings
from rkd_online.spec.job import JobSpec
from rkd_online.spec.precision import Precision
from rkd_online.spec.resources import VllmScorer
from rkd_online.types import TokenIds
from rkd_online.weights.transfer import Transfer

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class JobSetup:
    """A job with its models found and checked. Picklable; the same for all workers."""

    job: str
    attempt: int
    spec: JobSpec
    policy: Path
    teachers: dict[str, Path]
    """By the fields of ``spec.teachers``."""
    end_token_ids: tuple[int, ...]
    context_length: int
    """Longest sequence of the job, in tokens: what it asks for, or what its models take."""
    probe_ids: TokenIds
    weights_folder: Path
    transfer: Transfer

    def generator_settings(self, model: Path) -> EngineSettings:
        """An engine that samples ``model``, the policy or a teacher."""
        generator = self.spec.resources.generator
        return self._engine(
            model,
            precision=self.spec.precision.generator,
            tensor_parallel=generator.tensor_parallel,
            threads=generator.threads,
        )

    def teacher_settings(self, model: Path, scorer: VllmScorer) -> EngineSettings:
        """An engine that scores with a teacher."""
        return self._engine(
            model,
            precision=self.spec.precision.scorer,
            tensor_parallel=scorer.tensor_parallel,
            threads=self.spec.resources.scorer.threads,
            candidates=self.spec.candidates,
        )

    def _engine(
        self,
        model: Path,
        *,
        precision: Precision,
        tensor_parallel: int,
        threads: int,
        candidates: int = 0,
    ) -> EngineSettings:
        resources = self.spec.resources
        return EngineSettings(
            model=model,
            precision=precision,
            tensor_parallel=tensor_parallel,
            threads=threads,
            end_token_ids=self.end_token_ids,
            context_length=self.context_length,
            max_sequences=resources.generator.max_sequences,
            kv_cache_bytes=resources.generator.kv_cache_mib << 20,
            device=resources.device,
            transfer=self.transfer,
            kv_on_update=self.spec.rollout.kv_on_update,
            start_seconds=resources.timeout_seconds,
            candidates=candidates,
        )


def weights_folder(run: Path) -> Path:
    """Where the versions of the run in folder ``run`` lie: in memory, and no other run's."""
    place = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:12]
    return SHARED_MEMORY / f"rkd-{os.getuid()}" / f"{run.name}-{place}"
