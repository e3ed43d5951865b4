"""Projects with quotas, keys, audit; priorities, budgets, changes and leases of jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JsonColumn = sa.JSON().with_variant(JSONB(), "postgresql")
Moment = sa.DateTime(timezone=True)
TRIGGERS = {"update": "UPDATE", "delete": "DELETE"}


def upgrade() -> None:
    """Earlier jobs belong to the project ``default``."""
    _make_projects()
    _make_keys_and_audit()
    _widen_jobs()
    with op.batch_alter_table("attempts") as attempts:
        attempts.add_column(sa.Column("lease_owner", sa.String(40)))
        attempts.add_column(sa.Column("lease_until", Moment))


def _make_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("max_active_jobs", sa.Integer()),
        sa.Column("max_queued_jobs", sa.Integer()),
        sa.Column("max_gpus", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
    )
    op.execute(
        "INSERT INTO projects (id, created_at, revision) VALUES ('default', CURRENT_TIMESTAMP, 1)"
    )


def _make_keys_and_audit() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("project_id", sa.String(40)),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.String(32)),
        sa.Column("expires_at", Moment),
        sa.Column("last_used_at", Moment),
        sa.Column("revoked_at", Moment),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_api_keys_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_project_id", "api_keys", ["project_id"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("project_id", sa.String(40)),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("data", JsonColumn, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_project_id", "audit", ["project_id"])
    _make_append_only()
    op.create_table(
        "answers",
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", JsonColumn, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_answers"),
    )
    op.create_index("ix_answers_created_at", "answers", ["created_at"])


def _make_append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name, verb in TRIGGERS.items():
            op.execute(
                f"CREATE TRIGGER audit_{name} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    # A statement's trigger also sees TRUNCATE.
    op.execute(
        "CREATE TRIGGER audit_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )


def _widen_jobs() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(
            sa.Column("project_id", sa.String(40), nullable=False, server_default="default")
        )
        jobs.add_column(sa.Column("labels", JsonColumn, nullable=False, server_default="{}"))
        jobs.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
        jobs.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("changes", JsonColumn))
        jobs.add_column(sa.Column("budget", JsonColumn))
        jobs.add_column(sa.Column("cpus", sa.Double(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("gpus", sa.Double(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("created_by", sa.String(32)))
        jobs.add_column(sa.Column("ready_at", Moment))
        jobs.add_column(sa.Column("waiting", sa.Text()))
        jobs.add_column(sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("run_seconds", sa.Double(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0"))
        jobs.create_foreign_key("fk_jobs_project_id_projects", "projects", ["project_id"], ["id"])
        jobs.drop_index("ix_jobs_status_created_at")
    op.execute("UPDATE jobs SET ready_at = created_at")
    # Every attempt before the newest one was lost.
    op.execute("UPDATE jobs SET losses = attempt - 1 WHERE attempt > 1")
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("ready_at", existing_type=Moment, nullable=False)
        jobs.create_index("ix_jobs_project_id_created_at_id", ["project_id", "created_at", "id"])
        jobs.create_index(
            "ix_jobs_status_priority_created_at", ["status", "priority", "created_at"]
        )


def downgrade() -> None:
    """Keys, quotas and the audit are forgotten; jobs stay."""
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("lease_until")
        attempts.drop_column("lease_owner")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_status_priority_created_at")
        jobs.drop_index("ix_jobs_project_id_created_at_id")
        jobs.drop_constraint("fk_jobs_project_id_projects", type_="foreignkey")
        for name in (
            "tokens", "run_seconds", "losses", "waiting", "ready_at", "created_by", "gpus",
            "cpus", "budget", "changes", "priority", "revision", "labels", "project_id",
        ):  # fmt: skip
            jobs.drop_column(name)
        jobs.create_index("ix_jobs_status_created_at", ["status", "created_at"])
    for table in ("answers", "audit", "api_keys", "projects"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_audit_change")
