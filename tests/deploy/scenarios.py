"""Values that are rendered and checked: those that the chart brings, and others that must work."""

from collections.abc import Mapping
from typing import Any, Final

from tests.deploy.charts import merged, values_of

DEV: Final = values_of("values-dev.yaml")
PROD: Final = values_of("values-prod-gpu.yaml")
GPU_FLAVOR: Final = {
    "name": "rkd-h100",
    "nodeLabels": {"gpu": "h100"},
    "quotas": {"cpu": 64, "memory": "512Gi", "nvidia.com/gpu": 16},
}
RAYJOB: Final = merged(
    PROD, {"launcher": "rayjob", "kueue": {"enabled": True, "flavors": [GPU_FLAVOR]}}
)
SHARED_VOLUME: Final = {
    "control": {"replicas": 3},
    "database": {"type": "postgresql", "secretName": "rkd-database"},
    "storage": {"pvc": {"accessMode": "ReadWriteMany", "storageClassName": "nfs"}},
}
EVERYTHING: Final = merged(
    PROD,
    {
        "fullnameOverride": "distil",
        "images": {"pullSecrets": ["registry"]},
        "control": {"nodeSelector": {"pool": "small"}, "tolerations": [{"operator": "Exists"}]},
        "serviceAccounts": {"annotations": {"cloud.example/role": "rkd"}},
        "ingress": {"trustedProxies": ["10.0.0.9"]},
        "storage": {"models": {"existingClaim": "models"}, "s3": {"endpoint": "https://s3.local"}},
        "ray": {"env": {"NCCL_DEBUG": "INFO", "LARGE": 20000000}},
        "tests": {"apiKeySecretName": "rkd-test-key"},
        "config": {"RKD_TRACKERS": {"team": "http://mlflow.tracking.svc:5000"}},
    },
)
SCENARIOS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "dev": DEV,
    "prod-gpu": PROD,
    "rayjob": RAYJOB,
    "shared-volume": SHARED_VOLUME,
    "everything": EVERYTHING,
}
