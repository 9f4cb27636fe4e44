"""Calls to the consent service about what became of a round: its policy, diaries and points.

Part of ``consent.client.ConsentClient``, and fails closed like the rest of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final, TypeVar
from urllib.parse import quote

import httpx

from consent import answers
from consent.answers import Diary, Points, ReleaseReport, RoundAnswer
from consent.tasks.names import TaskName
from consent.transport import RefusalError, call, pages
from crypto.errors import ConsentError
from crypto.manifest import context_of
from crypto.wire import SignedRecord

# The problem type of a service that pins no coordinator key, and so keeps no policies and diaries.
NOT_PINNED: Final = "urn:fedcart:problem:no-coordinator-key"
_AnswerT = TypeVar("_AnswerT", bound=answers.Answer)
_PageT = TypeVar("_PageT", answers.DiaryAnswer, answers.PointsAnswer)


class RoundCalls:
    """What the coordinator tells of its rounds, and what a shopper reads of hers."""

    def __init__(self, http: httpx.Client, *, coordinator_token: str | None) -> None:
        self._http = http
        self._coordinator_token = coordinator_token

    def publish_policy(self, manifest: SignedRecord, *, task: TaskName, round_id: str) -> bool:
        """Publish a round's manifest as its task policy, before anybody is asked.

        Returns:
            Whether it is published; False if the service pins no coordinator key.

        Raises:
            ConsentError: no proper answer, or the round has another manifest; nobody may be asked.
        """
        try:
            answer = self._round("PUT", task, round_id, body=manifest.to_json())
        except RefusalError as error:
            return _unless_not_pinned(error)
        if answer.context != context_of(manifest):
            raise ConsentError("The consent service published another manifest.")
        return True

    def released(self, report: ReleaseReport, *, task: TaskName, round_id: str) -> bool:
        """Report a published release, so that its diaries and points are written; repeatable.

        Returns:
            Whether they are written; False if the service pins no coordinator key.

        Raises:
            ConsentError: no proper answer; report it again later.
        """
        try:
            answer = self._round("POST", task, round_id, "/released", body=asdict(report))
        except RefusalError as error:
            return _unless_not_pinned(error)
        if answer.released_at is None or answer.diary_entries != report.shoppers:
            raise ConsentError("The consent service did not write a diary entry for each shopper.")
        return True

    def round(self, task: TaskName, round_id: str) -> RoundAnswer:
        """A round's counts of diary entries and points.

        Raises:
            ConsentError: it has no policy, or no proper answer.
        """
        return self._round("GET", task, round_id)

    def diary(self, shopper: str, token: str) -> Diary:
        """A shopper's whole diary, with her token.

        Raises:
            ConsentError: no proper answer.
        """
        found = list(self._pages(answers.DiaryAnswer, shopper, token, "diary"))
        return Diary(
            epsilon_so_far=found[0].epsilon_so_far,
            entries=tuple(entry for page in found for entry in page.entries),
        )

    def points(self, shopper: str, token: str) -> Points:
        """A shopper's balance and all her entries, with her token.

        Raises:
            ConsentError: no proper answer.
        """
        found = list(self._pages(answers.PointsAnswer, shopper, token, "points"))
        return Points(
            balance=found[0].balance,
            entries=tuple(entry for page in found for entry in page.entries),
        )

    def _pages(self, form: type[_PageT], shopper: str, token: str, what: str) -> Iterator[_PageT]:
        path = f"/v1/shoppers/{quote(shopper, safe='')}/{what}"
        for page in pages(self._http, path, form, token=token, newest_first=True):
            if page.shopper != shopper:
                raise ConsentError("The consent service answered about another shopper.")
            yield page

    def _round(
        self, method: str, task: TaskName, round_id: str, action: str = "", *, body: object = None
    ) -> RoundAnswer:
        path = f"/v1/rounds/{task}/{quote(round_id, safe='')}{action}"
        answer = self._coordinate(method, path, RoundAnswer, body=body)
        if (answer.task, answer.round) != (task, round_id):
            raise ConsentError("The consent service answered about another round.")
        return answer

    def _coordinate(
        self,
        method: str,
        path: str,
        form: type[_AnswerT],
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
    ) -> _AnswerT:
        if self._coordinator_token is None:
            raise ConsentError(f"{path} is for the coordinator; pass coordinator_token.")
        return call(
            self._http, method, path, form, body=body, params=params, token=self._coordinator_token
        )


def _unless_not_pinned(error: RefusalError) -> bool:
    """False where the service pins no coordinator key.

    Raises:
        RefusalError: any other refusal.
    """
    if error.kind == NOT_PINNED:
        return False
    raise error
