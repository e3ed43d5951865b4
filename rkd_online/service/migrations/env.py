"""Runs migrations on the connection that `Database.upgrade` opened."""

from alembic import context

from rkd_online.service.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
