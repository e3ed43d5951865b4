"""From a problem to token ids, in the policy's own form."""

from dataclasses import replace

import pytest

from rkd_online.errors import TaskError
from rkd_online.spec.task import ChatPrompt, PlainPrompt, Prompt
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.prompts import PromptRenderer, problem_of
from tests.tiny_models import CHAT_TEMPLATE, tiny_tokenizer

PROBLEM = Problem(
    "train", 4, (Message("user", "1+2="),), answer="3", difficulty="2 terms", task="sums"
)
ASKED = "<|im_start|>user\n1+2=<|im_end|>\n<|im_start|>assistant\n"


def renderer(
    prompt: Prompt, template: str | None = CHAT_TEMPLATE, context: int = 256
) -> PromptRenderer:
    tokenizer = tiny_tokenizer(template)
    return PromptRenderer(tokenizer, prompt, context=context, max_new_tokens=64)


def text(prompt: Prompt, problem: Problem = PROBLEM) -> str:
    return str(tiny_tokenizer().decode(renderer(prompt).render(problem).token_ids.tolist()))


def test_a_problem_keeps_its_place_and_answer() -> None:
    item = renderer(ChatPrompt()).render(PROBLEM)
    assert (item.split, item.index, item.answer, item.task, item.difficulty) == (
        "train",
        4,
        "3",
        "sums",
        "2 terms",
    )


def test_a_chat_goes_through_the_template_with_its_special_tokens() -> None:
    assert text(ChatPrompt()) == ASKED
    assert renderer(ChatPrompt()).render(PROBLEM).token_ids[0] == 257


def test_a_system_message_comes_first() -> None:
    assert text(ChatPrompt(system="Add.")) == "<|im_start|>system\nAdd.<|im_end|>\n" + ASKED


def test_the_thinking_switch_reaches_the_template_only_when_it_is_set() -> None:
    assert text(ChatPrompt(thinking=False)) == ASKED + "<think></think>"
    assert text(ChatPrompt(thinking=True)) == ASKED
    default_off = CHAT_TEMPLATE.replace("is defined and enable_thinking is false", "is not defined")
    item = renderer(ChatPrompt(), default_off).render(PROBLEM)
    assert tiny_tokenizer().decode(item.token_ids.tolist()) == ASKED + "<think></think>"


def test_a_plain_prompt_is_the_text_alone() -> None:
    two = replace(PROBLEM, messages=(Message("system", "Add."), Message("user", "1+2=")))
    assert text(PlainPrompt(type="plain")) == "1+2="
    assert text(PlainPrompt(type="plain"), two) == "Add.\n\n1+2="


def test_a_plain_prompt_needs_no_template() -> None:
    assert len(renderer(PlainPrompt(type="plain"), None).render(PROBLEM).token_ids) == 4


def test_a_chat_without_a_template_is_refused() -> None:
    with pytest.raises(
        TaskError, match="needs a chat template and the policy's tokenizer has none"
    ):
        renderer(ChatPrompt(), None)


def test_a_switch_that_the_template_does_not_know_is_refused() -> None:
    with pytest.raises(TaskError, match=r"prompt\.thinking False has no effect"):
        renderer(ChatPrompt(thinking=False), "{{ messages[0]['content'] }}")


def test_a_template_that_refuses_a_role_is_named_with_the_prompt() -> None:
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    )
    with pytest.raises(TaskError, match=r"refuses train/4-.*system, user messages: no system role"):
        renderer(ChatPrompt(system="Add."), template).render(PROBLEM)


def test_two_system_messages_are_refused() -> None:
    own = replace(PROBLEM, messages=(Message("system", "Subtract."), *PROBLEM.messages))
    with pytest.raises(TaskError, match="has its own system message: leave one of them out"):
        renderer(ChatPrompt(system="Add.")).render(own)


def test_a_prompt_that_just_fits_is_taken_and_one_token_more_is_refused() -> None:
    length = len(renderer(ChatPrompt()).render(PROBLEM).token_ids)
    assert renderer(ChatPrompt(), context=length + 64).render(PROBLEM)
    with pytest.raises(TaskError) as caught:
        renderer(ChatPrompt(), context=length + 63).render(PROBLEM)
    item = renderer(ChatPrompt()).render(PROBLEM)
    assert str(caught.value) == (
        f"prompt {item.id} of sums has {length} tokens, with rollout.max_new_tokens 64 more than "
        f"the context of {length + 63}: raise rollout.max_prompt_tokens if the models' context "
        "allows it, lower max_new_tokens, or leave the prompt out"
    )


def test_an_empty_prompt_is_refused() -> None:
    empty = replace(PROBLEM, messages=(Message("user", ""),))
    with pytest.raises(TaskError, match="of sums has no tokens"):
        renderer(PlainPrompt(type="plain")).render(empty)


def test_a_prompt_leads_back_to_its_problem() -> None:
    task = ChainSum()
    problem = task.problem("test", 7)
    assert problem_of(task, renderer(ChatPrompt()).render(problem)) == problem


def test_a_process_that_makes_another_problem_is_found_out() -> None:
    item = renderer(ChatPrompt()).render(ChainSum(4, 4).problem("test", 7))
    with pytest.raises(
        TaskError, match="chain_sum is not the same in every process: prompt test/7-"
    ):
        problem_of(ChainSum(3, 4), item)
