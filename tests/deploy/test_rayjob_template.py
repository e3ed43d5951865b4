"""The launcher for RayJobs reads what the chart writes for it."""

from pathlib import Path

import yaml

from rkd_online.service.launchers.rayjob_template import read_template
from rkd_online.service.settings import Settings
from tests.deploy.charts import Helm, embedded
from tests.deploy.scenarios import RAYJOB


def test_the_charts_rayjob_is_a_template_of_the_launcher(helm: Helm, tmp_path: Path) -> None:
    [rayjob] = embedded(helm.template(RAYJOB).objects)
    file = tmp_path / "rayjob.yaml"
    file.write_text(yaml.safe_dump(rayjob))
    template = read_template(Settings(data_dir=tmp_path, launcher="rayjob", rayjob_template=file))
    offered = {
        group["role"]: (group["cpus"], group["gpus"]) for group in RAYJOB["ray"]["workerGroups"]
    }
    assert offered.keys() == {"generator", "learner", "scorer"}
    assert {role: (pod["CPU"], pod["GPU"]) for role, pod in template.pods.items()} == offered
    assert template.queue == rayjob["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
