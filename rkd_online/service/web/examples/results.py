"""Examples of what a job leaves behind."""

from typing import Any, Final

CHECKPOINT: Final[dict[str, Any]] = {
    "name": "1-step-000020",
    "attempt": 1,
    "step": 20,
    "path": "attempts/1/checkpoints/step-000020",
    "written_at": "2026-03-01T12:00:45Z",
    "files": 5,
    "bytes": 3145728,
    "resumes": True,
    "last": None,
    "best": None,
    "evaluations": [
        {
            "name": "validation-000020",
            "split": "validation",
            "pass_at_1": {"temperature_1": {"value": 0.62, "low": 0.55, "high": 0.69, "n": 128}},
        }
    ],
}
ROLLOUT: Final[dict[str, Any]] = {
    "id": "24-191-0",
    "step": 24,
    "attempt": 1,
    "group": 191,
    "index": 0,
    "prompt_id": "train-191-5f2c9a0e",
    "task": "chain_sum",
    "difficulty": "2 terms",
    "answer": "12",
    "prompt": "5+7=",
    "completion": "12",
    "prompt_tokens": 4,
    "completion_tokens": 3,
    "reward": 1.0,
    "reward_parts": {"verifier": 1.0},
    "correctness": 1.0,
    "correct": True,
    "advantage": 0.75,
    "finish_reason": "stop",
    "failure": None,
}
ANSWERS: Final[dict[str, Any]] = {
    "show_metrics": {
        "data": [
            {
                "name": "reward/mean",
                "unit": "reward",
                "description": "Mean reward of the step's rollouts.",
                "series": {
                    "exact": True,
                    "step": [23, 24],
                    "last_step": [23, 24],
                    "mean": [0.58, 0.61],
                    "min": [0.58, 0.61],
                    "max": [0.58, 0.61],
                },
            }
        ]
    },
    "list_rollouts": {"object": "list", "data": [ROLLOUT], "has_more": True, "next": "24-191-0"},
    "show_rollout": ROLLOUT
    | {
        "prompt_ids": [9, 2, 11, 3],
        "completion_ids": [5, 6, 1],
        "sampler_logprobs": [-0.12, -0.05, -0.01],
        "old_logprobs": [-0.12, -0.05, -0.01],
        "teacher_logprobs": [-0.02, -0.01, -0.01],
        "weight_versions": [{"version": 23, "start": 0, "end": 3}],
    },
    "list_checkpoints": {"object": "list", "data": [CHECKPOINT], "has_more": False, "next": None},
    "list_files": {
        "object": "list",
        "data": [
            {
                "path": "model.safetensors",
                "bytes": 1048576,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            }
        ],
        "has_more": False,
        "next": None,
    },
    "show_log": {
        "attempt": 1,
        "role": "generator",
        "worker": "generator:0",
        "stream": "err",
        "text": "INFO loading the weights of version 24\n",
    },
}
