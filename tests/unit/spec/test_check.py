"""What is wrong with a job's models and files is known before anything heavy is loaded."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rkd_online.errors import SpecError
from rkd_online.spec.check import check_models, check_spec
from rkd_online.spec.load import parse_spec
from tests.tiny_models import TOKENIZER_SIZE, make_tiny_model
from tests.unit.spec.job import job


def problems(**changes: Any) -> list[str]:
    try:
        check_spec(parse_spec(job(**changes)))
    except SpecError as error:
        return str(error).splitlines()
    return []


def edit(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "policy")


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "teacher", "llama-untied", shards=2, seed=1)


def pair(policy: Path, teacher: Path) -> dict[str, Any]:
    return {"policy__model": str(policy), "teacher__model": str(teacher)}


def test_a_tied_policy_and_a_sharded_teacher_fit(policy: Path, teacher: Path) -> None:
    assert problems(**pair(policy, teacher)) == []


def test_a_padded_teacher_embedding_fits(policy: Path, tmp_path: Path) -> None:
    padded = make_tiny_model(tmp_path / "padded", "llama-untied", vocab=TOKENIZER_SIZE + 60)
    assert problems(**pair(policy, padded)) == []


def test_models_of_the_hub_wait_for_the_start_of_the_run(policy: Path) -> None:
    assert problems(policy__model=str(policy), teacher__model="hf:Qwen/Qwen3-8B@main") == []
    (line,) = problems(policy__model=str(policy), teacher__model="hf:Qwen/Qwen3-8B")
    assert line.startswith("teacher.model: 'hf:Qwen/Qwen3-8B' is not of the form")


def test_nothing_heavy_is_imported(policy: Path, teacher: Path) -> None:
    """In a process of its own, since this one has torch already."""
    program = (
        "import json, sys\n"
        "from rkd_online.spec.load import parse_spec\n"
        "from rkd_online.spec.check import check_spec\n"
        "from rkd_online.spec.plan import describe_plan\n"
        "spec = parse_spec(json.loads(sys.argv[1]))\n"
        "check_spec(spec), describe_plan(spec)\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'safetensors', 'numpy', 'ray', 'vllm'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(job(**pair(policy, teacher)))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_every_problem_is_listed_under_its_field(tmp_path: Path) -> None:
    data = pair(tmp_path / "a", tmp_path / "b")
    assert problems(**data) == [
        f"policy.model: there is no folder {tmp_path}/a: give a folder in Hugging Face format",
        f"teacher.model: there is no folder {tmp_path}/b: give a folder in Hugging Face format",
    ]


def test_pickle_weights_are_refused(policy: Path, teacher: Path) -> None:
    (policy / "model.safetensors").unlink()
    torch.save({}, policy / "pytorch_model.bin")
    assert problems(**pair(policy, teacher)) == [
        f"policy.model: {policy} has only pickle weights (pytorch_model.bin), which can run any "
        "code when they are loaded: convert them to safetensors"
    ]


def test_pickle_weights_beside_safetensors_are_left_alone(policy: Path, teacher: Path) -> None:
    torch.save({}, policy / "pytorch_model.bin")
    assert problems(**pair(policy, teacher)) == []


def test_missing_weights_config_and_shards_are_named(policy: Path, teacher: Path) -> None:
    (policy / "model.safetensors").unlink()
    (teacher / "model-00002-of-00002.safetensors").unlink()
    assert problems(**pair(policy, teacher)) == [
        f"policy.model: {policy} has no weights: neither model.safetensors nor "
        "model.safetensors.index.json",
        f"teacher.model: {teacher} lacks model-00002-of-00002.safetensors, named in its "
        "model.safetensors.index.json",
    ]
    (policy / "config.json").unlink()
    assert problems(**pair(policy, teacher))[0] == f"policy.model: {policy} has no config.json"


def test_weights_that_are_cut_short_are_refused(policy: Path, teacher: Path) -> None:
    weights = policy / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-1])
    (line,) = problems(**pair(policy, teacher))
    assert f"has {size - 1} bytes where its header says {size}: fetch it again" in line


def put(file: str, **values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / file, lambda content: content.update(values))


def header(text: bytes) -> Callable[[Path], object]:
    """The weights get another header."""
    length = len(text).to_bytes(8, "little")
    return lambda folder: (folder / "model.safetensors").write_bytes(length + text)


def index(**values: Any) -> Callable[[Path], object]:
    text = json.dumps(values)
    return lambda folder: (folder / "model.safetensors.index.json").write_text(text)


CONFIG = "config.json is not the configuration of a language model: "
WEIGHTS = "model.safetensors is not a safetensors file: "
INDEX = "model.safetensors.index.json is not an index of weight files: "
TOKENIZER = "tokenizer.json is not a tokenizer: "
SETTINGS = "tokenizer_config.json is not a tokenizer's settings: "


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("config.json", vocab_size="many"), f"{CONFIG}vocab_size: "),
        (put("config.json", vocab_size=None), f"{CONFIG}vocab_size: "),
        (put("config.json", max_position_embeddings="long"), f"{CONFIG}max_position_embeddings: "),
        (put("config.json", architectures=3), f"{CONFIG}architectures: "),
        (put("config.json", text_config=[1]), f"{CONFIG}text_config: "),
        (put("config.json", text_config={"hidden_size": 8}), f"{CONFIG}vocab_size: "),
        (header(b"[]"), f"{WEIGHTS}Input should be a valid dictionary"),
        (header(b'{"a": 1}'), f"{WEIGHTS}a: "),
        (header(b'{"a": {"shape": [2], "data_offsets": [0]}}'), f"{WEIGHTS}a.data_offsets.1: "),
        (header(b'{"a": {"shape": 2, "data_offsets": [0, 8]}}'), f"{WEIGHTS}a.shape: "),
        (index(metadata={}), f"{INDEX}weight_map: Field required"),
        (index(weight_map=["a"]), f"{INDEX}weight_map: "),
        (put("tokenizer.json", model=None), f"{TOKENIZER}model: "),
        (put("tokenizer.json", model={}), f"{TOKENIZER}model.vocab: Field required"),
        (put("tokenizer.json", model={"vocab": {}}), f"{TOKENIZER}model.vocab: "),
        (put("tokenizer.json", model={"vocab": {"a": "b"}}), f"{TOKENIZER}model.vocab.a: "),
        (put("tokenizer.json", model={"vocab": ["a"]}), f"{TOKENIZER}model.vocab: "),
        (put("tokenizer.json", added_tokens=[{"id": 1}]), f"{TOKENIZER}added_tokens.0.content: "),
        (put("tokenizer_config.json", bos_token={"id": 1}), f"{SETTINGS}bos_token: "),
        (put("tokenizer_config.json", chat_template=[{}]), f"{SETTINGS}chat_template."),
    ],
)
def test_a_file_of_another_form_is_named_with_the_place(
    policy: Path, teacher: Path, change: Callable[[Path], object], expected: str
) -> None:
    change(policy)
    (line,) = problems(**pair(policy, teacher))
    assert line.startswith(f"policy.model: {policy}/{expected}")


def test_an_attention_of_another_shape_waits_for_the_engine(policy: Path, teacher: Path) -> None:
    put("config.json", num_attention_heads=[2, 4])(policy)
    assert problems(**pair(policy, teacher)) == []


def test_a_unigram_vocabulary_counts_in_its_order(policy: Path, teacher: Path) -> None:
    vocabulary = json.loads((policy / "tokenizer.json").read_text())["model"]["vocab"]
    scored = [(token, -1.0) for token in sorted(vocabulary, key=vocabulary.__getitem__)]
    put("tokenizer.json", model={"vocab": scored})(policy)
    assert problems(**pair(policy, teacher)) == []


def test_no_more_candidates_than_a_vocabulary_has(policy: Path, tmp_path: Path) -> None:
    padded = make_tiny_model(tmp_path / "padded", "llama-untied", vocab=TOKENIZER_SIZE + 60)
    for scorer in ("transformers", "vllm"):
        given = pair(policy, padded) | {"teacher__scorer": {"type": scorer}}
        divergence = {"type": "reverse", "weight": 1.0, "k": TOKENIZER_SIZE}
        assert problems(**given, algorithm__teacher_divergence=divergence) == []
        assert problems(**given, algorithm__teacher_divergence=divergence | {"k": 261}) == [
            "algorithm.teacher_divergence.k: 261 is above the 260 tokens of the policy's "
            "vocabulary: set 260 at most"
        ]


def test_a_pointer_in_the_place_of_weights_is_refused(policy: Path, teacher: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (policy / "model.safetensors").write_text(pointer)
    (line,) = problems(**pair(policy, teacher))
    assert line.endswith("model.safetensors has no safetensors header: fetch it again")


def test_new_tokens_have_to_leave_room_in_either_context(policy: Path, teacher: Path) -> None:
    edit(teacher / "config.json", lambda config: config.update(max_position_embeddings=64))
    assert problems(**pair(policy, teacher), rollout__max_new_tokens=63) == []
    assert problems(**pair(policy, teacher), rollout__max_new_tokens=64) == [
        "rollout.max_new_tokens: 64 leaves no room for a prompt in the teacher's context of 64 "
        "tokens: lower it"
    ]


def test_an_embedding_smaller_than_the_tokenizer_is_refused(policy: Path, teacher: Path) -> None:
    edit(teacher / "config.json", lambda config: config.update(vocab_size=259))
    assert problems(**pair(policy, teacher)) == [
        "teacher.model: its tokenizer has ids up to 259, its embedding (vocab_size) only 259 rows"
    ]


def swap_two_tokens(content: Any) -> None:
    vocabulary = content["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]


def rename_special(content: Any) -> None:
    content["added_tokens"][3]["content"] = "<|stop|>"
    content["model"]["vocab"]["<|stop|>"] = content["model"]["vocab"].pop("<|endoftext|>")


def unmark_special(content: Any) -> None:
    content["added_tokens"][1]["special"] = False


NOT_THE_SAME = "teacher.model: its tokenizer is not the policy's: "


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swap_two_tokens, ["token 'A' is id 32 in the policy, id 33 here (2 differ)"]),
        (
            rename_special,
            [
                "token '<|endoftext|>' is id 259 in the policy, absent here (2 differ)",
                "special token '<|endoftext|>' is id 259 in the policy, absent here (2 differ)",
            ],
        ),
        (
            unmark_special,
            ["special token '<|im_start|>' is id 257 in the policy, absent here (1 differ)"],
        ),
    ],
)
def test_another_vocabulary_is_refused_and_the_token_named(
    policy: Path, teacher: Path, change: Callable[[Any], None], expected: list[str]
) -> None:
    edit(teacher / "tokenizer.json", change)
    assert problems(**pair(policy, teacher)) == [NOT_THE_SAME + line for line in expected]


def test_a_cache_that_one_sequence_fills_is_refused(policy: Path, teacher: Path) -> None:
    # 2 layers x 4 bytes x 1 head x 32, keys and values: 512 bytes a token, 2,048 in 1 MiB.
    for folder in (policy, teacher):
        edit(folder / "config.json", lambda it: it.update(max_position_embeddings=4096))
    fits = {"resources__generator": {"kv_cache_mib": 1}, "rollout__max_prompt_tokens": 1984}
    assert problems(**pair(policy, teacher), **fits) == []
    assert problems(**pair(policy, teacher), **(fits | {"rollout__max_prompt_tokens": 1985})) == [
        f"resources.generator.kv_cache_mib: 1 holds 2,048 tokens of the {role}, one sequence may "
        "have 2,049: set at least 2, or lower rollout.max_prompt_tokens or rollout.max_new_tokens"
        for role in ("policy", "teacher")
    ]


def test_a_cache_in_bfloat16_holds_twice_as_much(policy: Path, teacher: Path) -> None:
    for folder in (policy, teacher):
        edit(folder / "config.json", lambda it: it.update(max_position_embeddings=8192))
    asked = {"resources__generator": {"kv_cache_mib": 1}, "rollout__max_prompt_tokens": 4032}
    halved = asked | {"precision": {"generator": "bfloat16"}}
    assert problems(**pair(policy, teacher), **halved) == []
    (one, other) = problems(
        **pair(policy, teacher), **(halved | {"rollout__max_prompt_tokens": 4033})
    )
    assert "1 holds 4,096 tokens of the policy, one sequence may have 4,097" in one
    assert "1 holds 4,096 tokens of the teacher" in other


def on_gpus(gpus: int) -> dict[str, Any]:
    """A job whose generator splits its model over some GPUs."""
    return {
        "resources__device": "cuda",
        "resources__generator": {"kv_cache_mib": 1, "gpus": gpus, "tensor_parallel": gpus},
        "resources__learner": {"gpus": 1},
        "resources__scorer": {"gpus": 1},
    }


def give_four_heads(folder: Path) -> None:
    """Four heads x 2 layers x 4 bytes x 32, keys and values: 2,048 bytes a token in all."""
    shape = {"num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 4096}
    edit(folder / "config.json", lambda it: it.update(shape))


@pytest.mark.parametrize(
    ("gpus", "place", "holds"),
    [
        (1, "1", 512),
        (2, "1 on each of 2 GPUs", 1024),
        (4, "1 on each of 4 GPUs", 2048),
        (8, "1 on each of 8 GPUs", 2048),
    ],
)
def test_gpus_share_the_heads_of_a_cache_and_each_has_one_at_least(
    policy: Path, teacher: Path, gpus: int, place: str, holds: int
) -> None:
    for folder in (policy, teacher):
        give_four_heads(folder)
    asked = pair(policy, teacher) | on_gpus(gpus)
    assert problems(**asked, rollout__max_prompt_tokens=holds - 64) == []
    assert problems(**asked, rollout__max_prompt_tokens=holds - 63) == [
        f"resources.generator.kv_cache_mib: {place} holds {holds:,} tokens of the {role}, one "
        f"sequence may have {holds + 1:,}: set at least 2, or lower rollout.max_prompt_tokens or "
        "rollout.max_new_tokens"
        for role in ("policy", "teacher")
    ]


def test_a_teacher_that_scores_on_one_gpu_has_all_its_heads_there(
    policy: Path, teacher: Path
) -> None:
    for folder in (policy, teacher):
        give_four_heads(folder)
    asked = pair(policy, teacher) | on_gpus(4) | {"teacher__scorer": {"type": "vllm"}}
    assert problems(**asked, rollout__max_prompt_tokens=448) == []
    (line,) = problems(**asked, rollout__max_prompt_tokens=449)
    assert "kv_cache_mib: 1 holds 512 tokens of the teacher, one sequence may have 513" in line


def test_a_micro_batch_below_one_sequence_is_refused(policy: Path, teacher: Path) -> None:
    edit(teacher / "config.json", lambda it: it.update(max_position_embeddings=200))
    models = pair(policy, teacher)
    asked = {"rollout__max_prompt_tokens": 36, "rollout__max_new_tokens": 64}
    assert problems(**models, **asked, optimizer__micro_batch_tokens=100) == []
    assert problems(**models, **asked, optimizer__micro_batch_tokens=99) == [
        "optimizer.micro_batch_tokens: 99 is below one sequence, which may have 100 tokens: set at "
        "least 100, or lower rollout.max_prompt_tokens or rollout.max_new_tokens"
    ]
    # 1,088 tokens are asked for: the smaller context, the teacher's, is what is left of them.
    assert problems(**models, optimizer__micro_batch_tokens=200) == []
    (line,) = problems(**models, optimizer__micro_batch_tokens=199)
    assert line.startswith("optimizer.micro_batch_tokens: 199 is below one sequence, which may")


def test_a_micro_batch_waits_for_models_of_the_hub(policy: Path) -> None:
    hub = {"policy__model": str(policy), "teacher__model": "hf:Qwen/Qwen3-8B@main"}
    assert problems(**hub, optimizer__micro_batch_tokens=1) == []


def test_a_policy_with_more_rows_than_its_teacher_is_refused(tmp_path: Path, teacher: Path) -> None:
    """The other way round, and equal padding, fit."""
    padded = make_tiny_model(tmp_path / "padded", vocab=TOKENIZER_SIZE + 60)
    assert problems(**pair(padded, padded)) == []
    assert problems(**pair(padded, teacher)) == [
        "policy.model: its embedding (vocab_size) has 320 rows, the teacher's 260: the teacher "
        "cannot score ids from 260 on; cut the policy's embedding to 260 rows or fewer "
        "(transformers' resize_token_embeddings)"
    ]


def test_another_first_token_is_refused(policy: Path, teacher: Path) -> None:
    edit(teacher / "tokenizer_config.json", lambda it: it.update(bos_token="<|endoftext|>"))
    assert problems(**pair(policy, teacher)) == [
        f"{NOT_THE_SAME}bos_token is None in the policy, '<|endoftext|>' here"
    ]


def test_the_end_token_of_a_base_model_fits_its_chat_model(policy: Path, teacher: Path) -> None:
    edit(policy / "tokenizer_config.json", lambda it: it.update(eos_token="<|endoftext|>"))
    assert problems(**pair(policy, teacher)) == []


def test_fetched_models_are_checked_in_their_folders(policy: Path, teacher: Path) -> None:
    edit(teacher / "tokenizer_config.json", lambda it: it.update(bos_token="<|endoftext|>"))
    data = job(policy__model="hf:Org/Student@main", teacher__model="hf:Org/Teacher@main")
    with pytest.raises(SpecError, match=r"teacher\.model: its tokenizer is not .*: bos_"):
        check_models(parse_spec(data), {"policy": policy, "teacher": teacher})


def test_a_token_may_be_written_as_text_or_as_a_record(policy: Path, teacher: Path) -> None:
    record = {"content": "<|im_start|>", "lstrip": False, "special": True}
    edit(policy / "tokenizer_config.json", lambda it: it.update(bos_token="<|im_start|>"))
    edit(teacher / "tokenizer_config.json", lambda it: it.update(bos_token=record))
    assert problems(**pair(policy, teacher)) == []


def test_another_padding_token_fits(policy: Path, teacher: Path) -> None:
    edit(teacher / "tokenizer_config.json", lambda it: it.update(pad_token="<|im_end|>"))
    assert problems(**pair(policy, teacher)) == []


def test_another_chat_template_is_refused_where_prompts_are_chats(
    policy: Path, teacher: Path
) -> None:
    template = (policy / "chat_template.jinja").read_text()
    (teacher / "chat_template.jinja").write_text(template.replace("assistant", "model"))
    (line,) = problems(**pair(policy, teacher))
    assert line == (
        f"{NOT_THE_SAME}the chat template differs from character {template.index('assistant')}: "
        + f"{template[template.index('assistant') :][:30]!r} in the policy, "
        + f"{template.replace('assistant', 'model')[template.index('assistant') :][:30]!r} here"
    )
    assert problems(**pair(policy, teacher), prompt__type="plain") == []


def test_the_template_inside_the_settings_counts_as_well(policy: Path, teacher: Path) -> None:
    template = (teacher / "chat_template.jinja").read_text()
    (teacher / "chat_template.jinja").unlink()
    assert problems(**pair(policy, teacher)) == [
        f"{NOT_THE_SAME}the chat template is missing in the teacher"
    ]
    edit(teacher / "tokenizer_config.json", lambda it: it.update(chat_template=template))
    assert problems(**pair(policy, teacher)) == []


def test_chat_prompts_need_a_template_and_a_switch_needs_its_place(tmp_path: Path) -> None:
    plain = make_tiny_model(tmp_path / "plain", chat_template=None)
    assert problems(**pair(plain, plain)) == [
        "prompt.type: 'chat' needs a chat template and the policy has none: use type 'plain'"
    ]
    fixed = make_tiny_model(tmp_path / "fixed", chat_template="{{ messages[0]['content'] }}")
    assert problems(**pair(fixed, fixed), prompt={"type": "chat", "thinking": False}) == [
        "prompt.thinking: the policy's chat template has no enable_thinking: leave it out"
    ]


def test_a_folder_without_a_tokenizer_is_refused(policy: Path, teacher: Path) -> None:
    (policy / "tokenizer.json").unlink()
    assert problems(**pair(policy, teacher)) == [f"policy.model: {policy} has no tokenizer.json"]


def test_a_tokenizer_that_only_transformers_reads_waits_for_the_start(
    policy: Path, teacher: Path
) -> None:
    (policy / "tokenizer.json").unlink()
    (policy / "tokenizer.model").write_bytes(b"")
    assert problems(**pair(policy, teacher)) == []
