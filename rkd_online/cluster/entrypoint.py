"""The driver of one attempt: what a Ray Job runs.

``python -m rkd_online.cluster.entrypoint --job-dir DIR --attempt N``. The control plane passes what
is secret or optional by environment: ``RKD_CONTROL_URL``, ``RKD_ATTEMPT_TOKEN``, ``RKD_JOB_ID`` and
``RKD_RESUME_FROM``.
"""
