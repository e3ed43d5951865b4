"""The prompts of each step and of each evaluation."""

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from rkd_online.errors import SpecError, TaskError
from rkd_online.generation.requests import training_request
from rkd_online.models.tokenizer import load_tokenizer
from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec
from rkd_online.spec.training import StoreSource
from rkd_online.tasks.base import Message
from rkd_online.tasks.build import build_task
from rkd_online.tasks.mixture import part_sizes
from rkd_online.tasks.order import Order, first_prompts, job_order
from rkd_online.tasks.prompts import PromptRenderer
from rkd_online.types import Progress, PromptItem, SamplingRequest, Split

if TYPE_CHECKING:
    from rkd_online.store.reader import AcceptedGroups


class PromptStream:
    """A function of the group's number alone: a resumed run asks what the first would have."""

    def __init__(self, setup: JobSetup) -> None:
        spec = setup.spec
        self._spec = spec
        self._task = build_task(spec.task)
        self._order = self._ordered()
        self._context = setup.context_length
        self._renderer = PromptRenderer(
            load_tokenizer(setup.policy),
            spec.prompt,
            context=setup.context_length,
            max_new_tokens=spec.rollout.max_new_tokens,
        )

    @cached_property
    def stored(self) -> "AcceptedGroups | None":
        """The groups of the job's store, read once; None where the policy samples."""
        source = self._spec.rollout.source
        if not isinstance(source, StoreSource):
            return None
        from rkd_online.store.reader import AcceptedGroups

        return AcceptedGroups(
            source.path,
            correct_at=self._spec.correct_at,
            minimum_reward=source.minimum_reward,
        )

    def request(self, group_id: int) -> SamplingRequest:
        """Group ``group_id`` of the job, which counts from 0."""
        prompt = self._item("train", self._order.take(group_id, 1)[0])
        return training_request(group_id, prompt, seed=self._spec.seed, rollout=self._spec.rollout)

    def follow(self, spec: JobSpec, progress: Progress) -> None:
        """Ask from now on what a changed job asks, with the stages of a curriculum where its steps
        have them. What it asks in more than before is checked now: it waits for that.

        Raises TaskError, as ``check`` does.
        """
        before, self._spec = self._spec, spec
        self._order = self._ordered()
        more_steps = spec.steps > before.steps
        if more_steps or (spec.evaluation.every and not before.evaluation.every):
            self.check(progress)

    def check(self, progress: Progress) -> int:
        """Render every prompt that is still to come if no group is dropped; returns their number.

        Raises TaskError for one that does not fit, or that measures what it is trained or tuned on,
        before anything is loaded or trained.
        """
        validation = self._spec.evaluation.every_prompts if self._spec.evaluation.every else 0
        asked: dict[Split, Collection[int]] = {
            "test": self._first("test", self._spec.evaluation.prompts),
            "validation": self._first("validation", validation),
            "train": self._training(progress) if self.stored is None else (),
        }
        held_out: dict[tuple[Message, ...], PromptItem] = {}
        for split, indices in asked.items():
            for index in indices:
                problem = self._task.problem(split, index)
                item = self._renderer.render(problem)
                _check_apart(item, held_out.get(problem.messages))
                if split != "train":
                    held_out[problem.messages] = item
        if self.stored is not None:
            self._check_stored(self.stored, held_out.values())
        return sum(map(len, asked.values()))

    def held_out(self, split: Split, count: int) -> list[PromptItem]:
        """The first ``count`` prompts of a split, or all of it where it is smaller; of a mixture
        each part's first ones, by its weight."""
        return [self._item(split, index) for index in self._first(split, count)]

    def _ordered(self) -> Order:
        spec = self._spec
        return job_order(
            spec.parts,
            part_sizes(self._task, "train"),
            seed=spec.seed,
            groups=spec.steps * spec.rollout.prompts_per_step,
        )

    def _training(self, progress: Progress) -> set[int]:
        """The training prompts that are still to come."""
        rest = (self._spec.steps - progress.step) * self._spec.rollout.prompts_per_step
        again = [self._order.take(group, 1)[0] for group in progress.open_groups]
        return {*again, *self._order.take(progress.next_group, rest - len(again))}

    def _check_stored(self, stored: "AcceptedGroups", held_out: Iterable[PromptItem]) -> None:
        """Every sample fits into a step, and none is of a prompt that measures."""
        where = f"rollout.source.path {stored.folder}"
        if stored.longest > self._context:
            raise SpecError(
                f"{where}: its longest sample has {stored.longest} tokens, the job's sequences "
                f"{self._context} at most: raise rollout.max_prompt_tokens or "
                "rollout.max_new_tokens if the policy's context allows it"
            )
        measuring = {item.token_ids.tobytes(): item for item in held_out}
        for place in range(len(stored)):
            prompt = stored.prompt(place)
            same = measuring.get(prompt.token_ids.tobytes())
            if same is not None:
                raise TaskError(
                    f"{where}: its prompt {prompt.id} is {same.id}, which measures the result and "
                    "may not be trained on: collect from the train split"
                )

    def _first(self, split: Split, count: int) -> list[int]:
        return first_prompts(self._spec.parts, part_sizes(self._task, split), count)

    def _item(self, split: Split, index: int) -> PromptItem:
        return self._renderer.render(self._task.problem(split, index))


def _check_apart(item: PromptItem, same: PromptItem | None) -> None:
    """``same`` is a prompt with this text that measures something, if there is one."""
    if same is not None and same.split != item.split:
        raise TaskError(
            f"{item.task}: prompt {item.id} has the text of {same.id}: what measures the result "
            "may not be trained or tuned on; keep the prompt in one split"
        )
