"""The actors of a job with their memory, as its ``resources`` have them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rkd_online.spec.algorithm import reference_of
from rkd_online.spec.job import JobSpec
from rkd_online.spec.model_files import BYTES
from rkd_online.spec.resources import VllmScorer
from rkd_online.spec.sizing.engine import EngineCase, engine_moments, kv_bytes_per_token
from rkd_online.spec.sizing.learner import LearnerCase, learner_moments, micro_batch
from rkd_online.spec.sizing.parts import MIB, Actor, moment
from rkd_online.spec.sizing.process import in_process
from rkd_online.spec.sizing.scorer import scorer_moments
from rkd_online.spec.sizing.shape import FLOAT32, Shape
from rkd_online.spec.sizing.source import Sized
from rkd_online.spec.sizing.work import Work, worst

VERSIONS: Final = 3
"""Files of weights in shared memory: one that is written, and ``weights/files.py``'s two."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A job with the shapes of its models, and its longest sequences."""

    spec: JobSpec
    models: Mapping[str, Sized]

    @property
    def policy(self) -> Shape:
        """The shape of the policy."""
        return self.models["policy"].shape

    @property
    def work(self) -> Work:
        """A step of sequences as long as they may be."""
        known = [one.shape.context for one in self.models.values() if one.shape.context]
        return worst(self.spec, min(known, default=None))

    @property
    def cpu(self) -> bool:
        """Whether it computes on a CPU."""
        return self.spec.resources.device == "cpu"

    @property
    def reference(self) -> bool:
        """Whether the learner keeps a frozen policy."""
        phases = self.spec.phases_in_turn
        return any(reference_of(one.algorithm).type != "none" for one in phases)

    def actors(self) -> list[Actor]:
        """All of them."""
        found = [self.learner(), *self.scorers(), *self.generators()]
        if self.cpu:
            found = [in_process(one, engine=self._is_engine(one)) for one in found]
        return [*found, *self._transit()]

    def learner(self) -> Actor:
        """The ranks of the learner."""
        one = self.spec.resources.learner
        return Actor(
            "learner",
            "resources.learner",
            self.models["policy"].reference,
            one.ranks,
            one.gpus,
            learner_moments(self.learner_case()),
        )

    def learner_case(self) -> LearnerCase:
        """How the policy is updated."""
        optimizer, ranks = self.spec.optimizer, self.spec.resources.learner.ranks
        work = self.work
        return LearnerCase(
            self.policy,
            ranks,
            micro_batch(optimizer.micro_batch_tokens, optimizer.minibatches, ranks, work),
            BYTES[self.spec.precision.learner],
            again=optimizer.activation_checkpointing,
            reference=self.reference,
            cpu=self.cpu,
            work=work,
        )

    def scorers(self) -> Iterator[Actor]:
        """Those of each teacher."""
        one = self.spec.resources.scorer
        for field, teacher in self.spec.teachers.items():
            shape = self.models[field].shape
            narrow = BYTES[self.spec.precision.scorer]
            if isinstance(teacher.scorer, VllmScorer):
                gpus = teacher.scorer.tensor_parallel
                found = engine_moments(self._engine(shape, gpus, narrow, scores=True))
            else:
                found = scorer_moments(shape, narrow, self.work, self.spec.candidates)
            yield Actor("scorer", field, teacher.model, one.count, one.gpus, found)

    def generators(self) -> Iterator[Actor]:
        """The policy's, and the engine that measures each teacher in the place of the first."""
        one = self.spec.resources.generator
        narrow = BYTES[self.spec.precision.generator]
        for name, model in self.models.items():
            policy = name == "policy"
            case = self._engine(model.shape, one.tensor_parallel, narrow, swaps=policy)
            yield Actor(
                "generator",
                "resources.generator" if policy else f"{name} in evaluations",
                model.reference,
                one.count if policy else 0,
                one.gpus,
                engine_moments(case),
            )

    def caches(self) -> Iterator[tuple[str, int, float]]:
        """Every engine's model with the bytes of its cache, and those of one longest sequence."""
        one, precision = self.spec.resources.generator, self.spec.precision
        size, longest = one.kv_cache_mib * MIB, self.work.longest
        for name, model in self.models.items():
            each = kv_bytes_per_token(model.shape, BYTES[precision.generator], one.tensor_parallel)
            yield f"the {name}", size, each * longest
        for field, teacher in self.spec.teachers.items():
            if isinstance(teacher.scorer, VllmScorer):
                gpus, narrow = teacher.scorer.tensor_parallel, BYTES[precision.scorer]
                each = kv_bytes_per_token(self.models[field].shape, narrow, gpus)
                yield f"the scorer of {field}", size, each * longest

    def _is_engine(self, actor: Actor) -> bool:
        teacher = self.spec.teachers.get(actor.field)
        scores = teacher is not None and isinstance(teacher.scorer, VllmScorer)
        return actor.role == "generator" or (actor.role == "scorer" and scores)

    def _engine(
        self, shape: Shape, gpus: int, narrow: int, *, scores: bool = False, swaps: bool = False
    ) -> EngineCase:
        one = self.spec.resources.generator
        return EngineCase(
            shape,
            gpus,
            narrow,
            one.kv_cache_mib * MIB,
            one.max_sequences,
            self.work,
            scores=scores,
            swaps=swaps,
            cpu=self.cpu,
        )

    def _transit(self) -> Iterator[Actor]:
        """Weights go by files where the roles share a machine's memory."""
        if self.cpu:
            size = VERSIONS * FLOAT32 * self.policy.parameters
            words = f"{VERSIONS} versions x 4 bytes, files in shared memory"
            model = self.models["policy"].reference
            held = moment("hold", [("files", size, words)])
            yield Actor("weights in transit", "/dev/shm", model, 1, 0.0, (held,))
