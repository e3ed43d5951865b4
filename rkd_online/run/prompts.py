"""The prompts of each step and of each evaluation."""

from rkd_online.generation.requests import training_request
from rkd_online.models.tokenizer import load_tokenizer
from rkd_online.run.setup import JobSetup
from rkd_online.tasks.build import build_task
from rkd_online.tasks.order import PromptOrder
from rkd_online.tasks.prompts import PromptRenderer
from rkd_online.types import Progress, PromptItem, SamplingRequest, Split


class PromptStream:
    """A function of the group's number alone: a resumed run asks what the first would have."""

    def __init__(self, setup: JobSetup) -> None:
        spec = setup.spec
        self._spec = spec
        self._task = build_task(spec.task)
        self._order = PromptOrder(self._task.size("train"), spec.seed)
        self._renderer = PromptRenderer(
            load_tokenizer(setup.policy),
            spec.prompt,
            task=self._task.name,
            context=setup.context_length,
            max_new_tokens=spec.rollout.max_new_tokens,
        )

    def request(self, group_id: int) -> SamplingRequest:
        """Group ``group_id`` of the job, which counts from 0."""
        prompt = self._item("train", self._order.take(group_id, 1)[0])
        return training_request(group_id, prompt, seed=self._spec.seed, rollout=self._spec.rollout)

    def check(self, progress: Progress) -> int:
        """Render every prompt that is still to come if no group is dropped; returns their number.

        Raises TaskError for one that does not fit, before anything is loaded or trained.
        """
        rest = (self._spec.steps - progress.step) * self._spec.rollout.prompts_per_step
        again = [self._order.take(group, 1)[0] for group in progress.open_groups]
        training = {*again, *self._order.take(progress.next_group, rest - len(again))}
        for index in training:
            self._item("train", index)
        validation = self._spec.evaluation.every_prompts if self._spec.evaluation.every else 0
        held_out = self.held_out("validation", validation)
        held_out += self.held_out("test", self._spec.evaluation.prompts)
        return len(training) + len(held_out)

    def held_out(self, split: Split, count: int) -> list[PromptItem]:
        """The first ``count`` prompts of a split, or all of it where it is smaller."""
        return [self._item(split, index) for index in range(min(count, self._task.size(split)))]

    def _item(self, split: Split, index: int) -> PromptItem:
        return self._renderer.render(self._task.problem(split, index))
