"""The methods that both clients have."""

from rkd_online.client.calls import access, health, jobs, results
from rkd_online.client.methods import Listing, Method, Pieces


class Endpoints:
    """A method per request. ``all_...`` goes through every page of a list, ``limit`` at a time."""

    submit = Method(jobs.submit)
    validate = Method(jobs.validate)
    list = Method(jobs.list_jobs)
    all_jobs = Listing(jobs.list_jobs)
    get = Method(jobs.get_job)
    change = Method(jobs.change_job)
    cancel = Method(jobs.cancel)
    pause = Method(jobs.pause)
    resume = Method(jobs.resume)
    events = Method(jobs.list_events)
    all_events = Listing(jobs.list_events)

    report = Method(results.get_report)
    report_plot = Method(results.get_report_plot)
    trace = Pieces(results.get_trace)
    metrics = Method(results.get_metrics)
    rollouts = Method(results.list_rollouts)
    all_rollouts = Listing(results.list_rollouts)
    rollout = Method(results.get_rollout)
    checkpoints = Method(results.list_checkpoints)
    all_checkpoints = Listing(results.list_checkpoints)
    files = Method(results.list_files)
    all_files = Listing(results.list_files)
    download = Pieces(results.get_file)
    archive = Pieces(results.get_archive)
    log = Method(results.get_log)

    make_project = Method(access.make_project)
    projects = Method(access.list_projects)
    all_projects = Listing(access.list_projects)
    project = Method(access.get_project)
    set_quota = Method(access.set_quota)
    make_key = Method(access.make_key)
    keys = Method(access.list_keys)
    all_keys = Listing(access.list_keys)
    key = Method(access.get_key)
    rotate_key = Method(access.rotate_key)
    revoke_key = Method(access.revoke_key)
    audit = Method(access.list_audit)
    all_audit = Listing(access.list_audit)
    whoami = Method(access.get_whoami)

    live = Method(health.get_liveness)
    ready = Method(health.get_readiness)
