"""vLLM runs no code of a model folder, and reads no pickles."""

import json
from pathlib import Path

import pytest

from rkd_online.inference.build import engine_args
from tests.tiny_engines import tiny_engine_settings
from tests.tiny_models import make_tiny_model


def test_an_architecture_of_the_folders_own_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    proof = folder / "proof"
    (folder / "planted.py").write_text(f"open({str(proof)!r}, 'w').close()\n")
    classes = {"AutoConfig": "planted.Config", "AutoModelForCausalLM": "planted.Model"}
    changes = {"auto_map": classes, "model_type": "planted", "architectures": ["Planted"]}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(Exception, match="trust_remote_code"):
        engine_args(tiny_engine_settings(folder, threads=1)).create_engine_config()
    assert not proof.exists()


def test_engines_take_safetensors_alone(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    config = engine_args(tiny_engine_settings(folder, threads=1)).create_engine_config()
    assert config.load_config.load_format == "safetensors"
    assert config.model_config.trust_remote_code is False
