"""Exact erasure: the operators' list of models to rebuild without those who asked."""

from typing import Final

from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.erasure.repository import RebuildRepository
from consent.service.erasure.schemas import RebuildDone, Rebuilds, RebuildSchema
from consent.service.principals import Role, required
from consent.service.problems import Problem
from consent.tasks.names import TaskName

SHOWN: Final = 200


def read_all(context: Context, token: str) -> Rebuilds:
    """Every rebuild, open ones first.

    Raises:
        Problem: 401, nobody's token; 404, another role's.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        rebuilds = RebuildRepository(session)
        return Rebuilds(
            rebuilds=[
                RebuildSchema(
                    id=row.id,
                    task=TaskName(row.task),
                    from_round=commit.round_id,
                    context=rebuilds.policy_context(commit),
                    asked_at=row.asked_at,
                    done_at=row.done_at,
                    artefact=row.artefact,
                    erasures=many,
                )
                for row, commit, many in rebuilds.all(limit=SHOWN)
            ]
        )


def done(context: Context, token: str, rebuild_id: str, report: RebuildDone) -> Rebuilds:
    """Note that the models of a task were rebuilt; whoever asks from now on needs another rebuild.

    The same report again changes nothing.

    Raises:
        Problem: 401, nobody's token; 404, another role's, or no such rebuild; 409, it was done
            with another artefact.
    """
    with context.database.writing() as session:
        principal = required(context, session, token, Role.OPERATOR)
        rebuild = RebuildRepository(session).find(rebuild_id)
        if rebuild is None:
            raise Problem(404, "There is no such rebuild.")
        if rebuild.done_at is not None and rebuild.artefact != report.artefact:
            raise Problem(409, "This rebuild was reported with another artefact.")
        if rebuild.done_at is None:
            rebuild.done_at, rebuild.open_task = context.now_ms(), None
            rebuild.artefact = report.artefact
            told = {"task": rebuild.task, "artefact": report.artefact}
            audit.record(context, session, principal, "rebuild.done", rebuild.id, told)
    return read_all(context, token)
