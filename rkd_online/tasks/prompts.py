"""From a problem to a prompt: token ids in the form that the policy expects."""

import hashlib
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from rkd_online.errors import TaskError
from rkd_online.spec.task import ChatPrompt, Prompt
from rkd_online.tasks.base import Message, Problem, TaskSource
from rkd_online.types import PromptItem, token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PromptRenderer:
    """Renders problems with the policy's tokenizer.

    ``context`` is the longest sequence of the job, in tokens.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        prompt: Prompt,
        *,
        context: int,
        max_new_tokens: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._context = context
        self._max_new_tokens = max_new_tokens
        if isinstance(prompt, ChatPrompt):
            _check_template(tokenizer, prompt)

    def render(self, problem: Problem) -> PromptItem:
        """The prompt of a problem. Raises TaskError where no room is left for the completion."""
        ids = self._token_ids(problem)
        item = PromptItem(
            id=prompt_id(problem),
            split=problem.split,
            index=problem.index,
            token_ids=token_ids(ids),
            answer=problem.answer,
            task=problem.task,
            difficulty=problem.difficulty,
        )
        self._check_length(item)
        return item

    def _token_ids(self, problem: Problem) -> list[int]:
        if not isinstance(self._prompt, ChatPrompt):
            text = "\n\n".join(message.content for message in problem.messages)
            return list(self._tokenizer(text)["input_ids"])
        return self._chat_ids(self._prompt, problem)

    def _chat_ids(self, prompt: ChatPrompt, problem: Problem) -> list[int]:
        switches: dict[str, Any] = (
            {} if prompt.thinking is None else {"enable_thinking": prompt.thinking}
        )
        messages = [
            {"role": message.role, "content": message.content}
            for message in _with_system(prompt.system, problem)
        ]
        try:
            rendered: Any = self._tokenizer.apply_chat_template(
                messages,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=False,
                **switches,
            )
        except TemplateError as error:
            raise TaskError(
                f"the policy's chat template refuses {prompt_id(problem)}, a prompt of "
                f"{', '.join(message['role'] for message in messages)} messages: {error}"
            ) from error
        return list(rendered)

    def _check_length(self, item: PromptItem) -> None:
        length = len(item.token_ids)
        if length == 0:
            raise TaskError(f"prompt {item.id} of {item.task} has no tokens")
        if length + self._max_new_tokens > self._context:
            raise TaskError(
                f"prompt {item.id} of {item.task} has {length} tokens, with rollout.max_new_tokens "
                f"{self._max_new_tokens} more than the context of {self._context}: raise "
                "rollout.max_prompt_tokens if the models' context allows it, lower max_new_tokens, "
                "or leave the prompt out"
            )


def prompt_id(problem: Problem) -> str:
    """Split, index and a digest of the text: equal ids are equal prompts, in whatever process."""
    text = "\0".join(f"{message.role}\0{message.content}" for message in problem.messages)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{problem.split}/{problem.index}-{digest}"


def problem_of(task: TaskSource, prompt: PromptItem) -> Problem:
    """The problem that a prompt was rendered from, as this process makes it.

    Raises TaskError where this process makes another one: its reward would be for another question.
    """
    problem = task.problem(prompt.split, prompt.index)
    if prompt_id(problem) != prompt.id:
        raise TaskError(
            f"{task.name} is not the same in every process: prompt {prompt.id} is "
            f"{prompt_id(problem)} here; give all machines the same packages and PYTHONHASHSEED=0"
        )
    return problem


def _with_system(system: str | None, problem: Problem) -> tuple[Message, ...]:
    if system is None:
        return problem.messages
    if problem.messages[0].role == "system":
        raise TaskError(
            f"prompt.system is set and prompt {prompt_id(problem)} has its own system message: "
            "leave one of them out"
        )
    return (Message("system", system), *problem.messages)


def _check_template(tokenizer: "PreTrainedTokenizerBase", prompt: ChatPrompt) -> None:
    if tokenizer.chat_template is None:
        raise TaskError(
            "prompt.type 'chat' needs a chat template and the policy's tokenizer has none: use "
            "type 'plain' or add chat_template.jinja to the policy's folder"
        )
    if prompt.thinking is not None and "enable_thinking" not in tokenizer.get_chat_template():
        raise TaskError(
            f"prompt.thinking {prompt.thinking} has no effect: the policy's chat template has no "
            "enable_thinking switch; leave it out"
        )
