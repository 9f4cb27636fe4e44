"""initial."""

import sqlalchemy as sa
from alembic import op

from consent.service.migrations.operations import (
    AppendOnly,
    AppendOnlyUntilErased,
    AppendOnlyUntilOver,
)

revision = "0001"
down_revision = None


def upgrade() -> None:
    """To this schema from the one before."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "revoked_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_table(
        "attack_audit",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("attack", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("report_sha256", sa.String(), nullable=False),
        sa.Column(
            "recorded_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attack_audit")),
    )
    with op.batch_alter_table("attack_audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attack_audit_task"), ["task"], unique=False)

    op.create_table(
        "audit_entry",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_entry_hash")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entry_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entry_actor"), ["actor"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_entry_time"), ["time"], unique=False)

    op.create_table(
        "audit_mark",
        sa.Column(
            "through",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("through", name=op.f("pk_audit_mark")),
    )
    op.create_table(
        "client",
        sa.Column("thumbprint", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("thumbprint", name=op.f("pk_client")),
    )
    op.create_table(
        "figure",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "counted_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_figure")),
    )
    op.create_table(
        "hit",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("window", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key", "window", name=op.f("pk_hit")),
    )
    with op.batch_alter_table("hit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hit_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "job_lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_lease")),
    )
    op.create_table(
        "keyed_request",
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column(
            "claimed_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_keyed_request")),
    )
    with op.batch_alter_table("keyed_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_keyed_request_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "log_head",
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_head")),
    )
    op.create_table(
        "log_node",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_log_node")),
    )
    op.create_table(
        "oidc_attempt",
        sa.Column("state_hash", sa.String(), nullable=False),
        sa.Column("binding_hash", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("session_hash", sa.String(), nullable=True),
        sa.Column("next_path", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oidc_attempt")),
    )
    with op.batch_alter_table("oidc_attempt", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_oidc_attempt_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "published_notice",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("purposes", sa.String(), nullable=False),
        sa.Column("categories", sa.String(), nullable=False),
        sa.Column("touches", sa.String(), nullable=False),
        sa.Column(
            "published_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_published_notice")),
        sa.UniqueConstraint("number", name=op.f("uq_published_notice_number")),
    )
    op.create_table(
        "retention_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "started_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("ended_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("failed", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_run")),
    )
    op.create_table(
        "round_commit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("round_id", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("dropped", sa.String(), nullable=False),
        sa.Column(
            "committed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "after_event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_commit")),
        sa.UniqueConstraint("task", "round_id", name=op.f("uq_round_commit_task_round_id")),
    )
    op.create_table(
        "round_policy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("round_id", sa.String(), nullable=False),
        sa.Column("context", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column(
            "published_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_policy")),
        sa.UniqueConstraint("task", "round_id", name=op.f("uq_round_policy_task_round_id")),
    )
    with op.batch_alter_table("round_policy", schema=None) as batch_op:
        batch_op.create_index("round_policy_task", ["task", "id"], unique=False)

    op.create_table(
        "shopper",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "restricted_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("residence", sa.String(), server_default="", nullable=False),
        sa.Column("given", sa.String(), server_default="", nullable=False),
        sa.Column("ends_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shopper")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_shopper_token_hash")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webauthn_challenge",
        sa.Column("challenge_hash", sa.String(), nullable=False),
        sa.Column("ceremony", sa.String(), nullable=False),
        sa.Column("bound_to", sa.String(), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("challenge_hash", name=op.f("pk_webauthn_challenge")),
    )
    with op.batch_alter_table("webauthn_challenge", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_webauthn_challenge_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("kinds", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column(
            "overlap_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "disabled_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("disabled_why", sa.String(), nullable=False),
        sa.Column(
            "failing_since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "rests_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_message")),
    )
    with op.batch_alter_table("webhook_message", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_webhook_message_created_at"), ["created_at"], unique=False
        )

    op.create_table(
        "account",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("closed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["shopper_id"], ["shopper.id"], name=op.f("fk_account_shopper_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sa.UniqueConstraint("shopper_id", name=op.f("uq_account_shopper_id")),
    )
    op.create_table(
        "age_statement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_age_statement_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_age_statement")),
    )
    with op.batch_alter_table("age_statement", schema=None) as batch_op:
        batch_op.create_index("age_statement_shopper", ["shopper_id", "id"], unique=False)

    op.create_table(
        "consent",
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("notice_version", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(["shopper_id"], ["shopper.id"], name=op.f("fk_consent_shopper_id")),
        sa.PrimaryKeyConstraint("shopper_id", "purpose", "category", name=op.f("pk_consent")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "consent_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("notice_version", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("leaf", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_consent_event_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_event")),
        sa.UniqueConstraint("leaf", name=op.f("uq_consent_event_leaf")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("consent_event", schema=None) as batch_op:
        batch_op.create_index("consent_event_shopper", ["shopper_id", "id"], unique=False)

    op.create_table(
        "device_token",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_device_token_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_device_token_shopper_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_device_token")),
        sa.UniqueConstraint(
            "shopper_id", "client_id", name=op.f("uq_device_token_shopper_id_client_id")
        ),
    )
    with op.batch_alter_table("device_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_token_client_id"), ["client_id"], unique=False)

    op.create_table(
        "discount_code",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_discount_code_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discount_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_discount_code_code_hash")),
        sa.UniqueConstraint(
            "shopper_id", "request_hash", name=op.f("uq_discount_code_shopper_id_request_hash")
        ),
    )
    op.create_table(
        "guardian_code",
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("ward_id", sa.String(), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(["ward_id"], ["shopper.id"], name=op.f("fk_guardian_code_ward_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_guardian_code")),
    )
    with op.batch_alter_table("guardian_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_guardian_code_ward_id"), ["ward_id"], unique=False)

    op.create_table(
        "guardian_link",
        sa.Column("ward_id", sa.String(), nullable=False),
        sa.Column("guardian_id", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["guardian_id"], ["shopper.id"], name=op.f("fk_guardian_link_guardian_id")
        ),
        sa.ForeignKeyConstraint(["ward_id"], ["shopper.id"], name=op.f("fk_guardian_link_ward_id")),
        sa.PrimaryKeyConstraint("ward_id", name=op.f("pk_guardian_link")),
    )
    with op.batch_alter_table("guardian_link", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_guardian_link_guardian_id"), ["guardian_id"], unique=False
        )

    op.create_table(
        "instruction",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cells", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("request", sa.String(), nullable=True),
        sa.Column(
            "issued_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_instruction_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_instruction_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruction")),
        sa.UniqueConstraint("client_id", "number", name=op.f("uq_instruction_client_id_number")),
    )
    with op.batch_alter_table("instruction", schema=None) as batch_op:
        batch_op.create_index("instruction_shopper", ["shopper_id", "issued_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_instruction_request"), ["request"], unique=False)

    op.create_table(
        "log_key",
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["shopper_id"], ["shopper.id"], name=op.f("fk_log_key_shopper_id")),
        sa.PrimaryKeyConstraint("shopper_id", name=op.f("pk_log_key")),
    )
    op.create_table(
        "membership",
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), server_default="", nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_membership_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_membership_shopper_id")
        ),
        sa.PrimaryKeyConstraint("shopper_id", "task", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_membership_client_id"), ["client_id"], unique=False)

    op.create_table(
        "notice_text",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["published_notice.version"], name=op.f("fk_notice_text_version")
        ),
        sa.PrimaryKeyConstraint("version", "language", name=op.f("pk_notice_text")),
    )
    op.create_table(
        "pairing_code",
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("code_mac", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_pairing_code_shopper_id")
        ),
        sa.PrimaryKeyConstraint("shopper_id", name=op.f("pk_pairing_code")),
        sa.UniqueConstraint("handle", name=op.f("uq_pairing_code_handle")),
    )
    op.create_table(
        "participation_grant",
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("round_id", sa.String(), nullable=False),
        sa.Column("context", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("notice_version", sa.String(), nullable=False),
        sa.Column("categories", sa.String(), nullable=False),
        sa.Column(
            "issued_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "after_event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_participation_grant_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_participation_grant_shopper_id")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_participation_grant")),
        sa.UniqueConstraint(
            "shopper_id",
            "task",
            "round_id",
            name=op.f("uq_participation_grant_shopper_id_task_round_id"),
        ),
        sa.UniqueConstraint("subject", name=op.f("uq_participation_grant_subject")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("participation_grant", schema=None) as batch_op:
        batch_op.create_index("participation_grant_round", ["task", "round_id"], unique=False)

    op.create_table(
        "points_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=True),
        sa.Column("debit", sa.String(), nullable=False),
        sa.Column("credit", sa.String(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_points_entry_moves")),
        sa.CheckConstraint("points > 0", name=op.f("ck_points_entry_positive")),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_points_entry_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_entry")),
        sa.UniqueConstraint("reference", name=op.f("uq_points_entry_reference")),
    )
    with op.batch_alter_table("points_entry", schema=None) as batch_op:
        batch_op.create_index("points_entry_shopper", ["shopper_id", "id"], unique=False)

    op.create_table(
        "rebuild",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("open_task", sa.String(), nullable=True),
        sa.Column(
            "from_commit", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("asked_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("done_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("artefact", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_commit"], ["round_commit.id"], name=op.f("fk_rebuild_from_commit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rebuild")),
        sa.UniqueConstraint("open_task", name=op.f("uq_rebuild_open_task")),
    )
    op.create_table(
        "refusal",
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("round_id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["shopper_id"], ["shopper.id"], name=op.f("fk_refusal_shopper_id")),
        sa.PrimaryKeyConstraint("task", "round_id", "shopper_id", name=op.f("pk_refusal")),
    )
    op.create_table(
        "rights_request",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("request_hash", sa.String(), nullable=False),
        sa.Column("asked_hash", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("residence", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column(
            "received_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("started_on", sa.String(), nullable=False),
        sa.Column("acknowledge_by", sa.String(), nullable=True),
        sa.Column("due_on", sa.String(), nullable=False),
        sa.Column("longest_on", sa.String(), nullable=True),
        sa.Column("extended_until", sa.String(), nullable=True),
        sa.Column("extension_reason", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("closed_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ground", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_rights_request_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_request")),
        sa.UniqueConstraint(
            "shopper_id", "request_hash", name=op.f("uq_rights_request_shopper_id_request_hash")
        ),
    )
    with op.batch_alter_table("rights_request", schema=None) as batch_op:
        batch_op.create_index("rights_request_queue", ["open", "due_at", "id"], unique=False)

    op.create_table(
        "round_release",
        sa.Column(
            "policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "commit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("report_hash", sa.String(), nullable=False),
        sa.Column("epsilon", sa.Float(), nullable=True),
        sa.Column("spent", sa.Float(), nullable=True),
        sa.Column("delta", sa.Float(), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("shoppers", sa.Integer(), nullable=False),
        sa.Column("artefact", sa.String(), nullable=False),
        sa.Column(
            "released_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["commit_id"], ["round_commit.id"], name=op.f("fk_round_release_commit_id")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["round_policy.id"], name=op.f("fk_round_release_policy_id")
        ),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_round_release")),
        sa.UniqueConstraint("commit_id", name=op.f("uq_round_release_commit_id")),
    )
    op.create_table(
        "signal_note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_signal_note_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal_note")),
    )
    with op.batch_alter_table("signal_note", schema=None) as batch_op:
        batch_op.create_index("signal_note_shopper", ["shopper_id", "id"], unique=False)

    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("due_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "leased_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("ended_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["webhook_message.id"], name=op.f("fk_webhook_delivery_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_webhook_delivery_created_at"), ["created_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_webhook_delivery_endpoint_id"), ["endpoint_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_webhook_delivery_message_id"), ["message_id"], unique=False
        )
        batch_op.create_index("webhook_delivery_due", ["due_at", "leased_until"], unique=False)
        batch_op.create_index("webhook_delivery_waiting", ["endpoint_id", "due_at"], unique=False)

    op.create_table(
        "account_code",
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_code_account_id")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_account_code")),
    )
    with op.batch_alter_table("account_code", schema=None) as batch_op:
        batch_op.create_index("account_code_account", ["account_id", "kind"], unique=False)

    op.create_table(
        "account_session",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("credential", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "proved_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("seen_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_session_account_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_account_session")),
        sa.UniqueConstraint("id", name=op.f("uq_account_session_id")),
    )
    with op.batch_alter_table("account_session", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_account_session_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_account_session_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "code_use",
        sa.Column("code_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("sale", sa.String(), nullable=False),
        sa.Column("used_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_code_use_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["code_id"], ["discount_code.id"], name=op.f("fk_code_use_code_id")
        ),
        sa.PrimaryKeyConstraint("code_id", name=op.f("pk_code_use")),
    )
    op.create_table(
        "committed_grant",
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column(
            "commit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("upload", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit_id"], ["round_commit.id"], name=op.f("fk_committed_grant_commit_id")
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["participation_grant.token_id"], name=op.f("fk_committed_grant_token_id")
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_committed_grant")),
    )
    with op.batch_alter_table("committed_grant", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_committed_grant_commit_id"), ["commit_id"], unique=False
        )

    op.create_table(
        "diary_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=False),
        sa.Column(
            "policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("notice_version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["round_release.policy_id"], name=op.f("fk_diary_entry_policy_id")
        ),
        sa.ForeignKeyConstraint(
            ["shopper_id"], ["shopper.id"], name=op.f("fk_diary_entry_shopper_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_diary_entry")),
        sa.UniqueConstraint("policy_id", "subject", name=op.f("uq_diary_entry_policy_id_subject")),
    )
    with op.batch_alter_table("diary_entry", schema=None) as batch_op:
        batch_op.create_index("diary_entry_shopper", ["shopper_id", "id"], unique=False)

    op.create_table(
        "erasure",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("shopper_id", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "received_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "erased_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "backups_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "purge_after", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "purge_started_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("purged_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("points_lost", sa.Integer(), nullable=False),
        sa.CheckConstraint("purge_after >= erased_at", name=op.f("ck_erasure_held")),
        sa.CheckConstraint(
            "purge_started_at IS NULL OR purge_started_at >= purge_after",
            name=op.f("ck_erasure_purged_late"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["rights_request.id"], name=op.f("fk_erasure_request_id")
        ),
        sa.ForeignKeyConstraint(["shopper_id"], ["shopper.id"], name=op.f("fk_erasure_shopper_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_erasure_code_hash")),
        sa.UniqueConstraint("shopper_id", name=op.f("uq_erasure_shopper_id")),
    )
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasure_purge_after"), ["purge_after"], unique=False)

    op.create_table(
        "federated_identity",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject_hash", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "last_used_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_federated_identity_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_identity")),
        sa.UniqueConstraint(
            "account_id", "issuer", name=op.f("uq_federated_identity_account_id_issuer")
        ),
        sa.UniqueConstraint(
            "issuer", "subject_hash", name=op.f("uq_federated_identity_issuer_subject_hash")
        ),
    )
    op.create_table(
        "instruction_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("instruction_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["instruction_id"], ["instruction.id"], name=op.f("fk_instruction_event_instruction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruction_event")),
    )
    with op.batch_alter_table("instruction_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_instruction_event_instruction_id"), ["instruction_id"], unique=False
        )

    op.create_table(
        "open_instruction",
        sa.Column("instruction_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "expires_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("fetched", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.thumbprint"], name=op.f("fk_open_instruction_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["instruction_id"], ["instruction.id"], name=op.f("fk_open_instruction_instruction_id")
        ),
        sa.PrimaryKeyConstraint("instruction_id", name=op.f("pk_open_instruction")),
    )
    with op.batch_alter_table("open_instruction", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_open_instruction_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index("open_instruction_client", ["client_id", "number"], unique=False)

    op.create_table(
        "passkey",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sign_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("transports", sa.String(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "last_used_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_passkey_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passkey_account_id"), ["account_id"], unique=False)

    op.create_table(
        "rights_step",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["rights_request.id"], name=op.f("fk_rights_step_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_step")),
    )
    with op.batch_alter_table("rights_step", schema=None) as batch_op:
        batch_op.create_index("rights_step_request", ["request_id", "id"], unique=False)

    op.create_table(
        "erasure_rebuild",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("erasure_id", sa.String(), nullable=False),
        sa.Column("rebuild_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasure.id"], name=op.f("fk_erasure_rebuild_erasure_id")
        ),
        sa.ForeignKeyConstraint(
            ["rebuild_id"], ["rebuild.id"], name=op.f("fk_erasure_rebuild_rebuild_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_rebuild")),
        sa.UniqueConstraint(
            "erasure_id", "rebuild_id", name=op.f("uq_erasure_rebuild_erasure_id_rebuild_id")
        ),
    )
    with op.batch_alter_table("erasure_rebuild", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_erasure_rebuild_rebuild_id"), ["rebuild_id"], unique=False
        )

    op.invoke(AppendOnlyUntilErased("age_statement", "OLD.shopper_id"))
    op.invoke(AppendOnly("attack_audit"))
    op.invoke(
        AppendOnlyUntilOver(
            "audit_entry", "EXISTS (SELECT 1 FROM audit_mark WHERE audit_mark.through >= OLD.id)"
        )
    )
    op.invoke(AppendOnly("audit_mark"))
    op.invoke(
        AppendOnlyUntilErased(
            "code_use", "(SELECT shopper_id FROM discount_code WHERE id = OLD.code_id)"
        )
    )
    op.invoke(
        AppendOnlyUntilErased(
            "committed_grant",
            "(SELECT shopper_id FROM participation_grant WHERE token_id = OLD.token_id)",
        )
    )
    op.invoke(AppendOnlyUntilErased("consent_event", "OLD.shopper_id"))
    op.invoke(AppendOnlyUntilErased("diary_entry", "OLD.shopper_id"))
    op.invoke(AppendOnlyUntilErased("discount_code", "OLD.shopper_id", at_once=True))
    op.invoke(AppendOnlyUntilErased("instruction", "OLD.shopper_id"))
    op.invoke(
        AppendOnlyUntilErased(
            "instruction_event",
            "(SELECT shopper_id FROM instruction WHERE id = OLD.instruction_id)",
        )
    )
    op.invoke(AppendOnly("log_head"))
    op.invoke(AppendOnly("log_node"))
    op.invoke(AppendOnly("notice_text"))
    op.invoke(AppendOnlyUntilErased("points_entry", "OLD.shopper_id"))
    op.invoke(AppendOnly("published_notice"))
    op.invoke(AppendOnly("round_commit"))
    op.invoke(AppendOnly("round_policy"))
    op.invoke(AppendOnly("round_release"))
    op.invoke(AppendOnlyUntilErased("signal_note", "OLD.shopper_id"))
