"""What ``fedcart device sync`` tells a person, and its watch."""

from client.sync_display import synced_lines, watch
from tests.unit.client.instructing import run, tell
from tests.unit.client.stage import Party
from tests.unit.consent.harness import TRAIN_PURCHASES, Stage


def test_what_was_done_is_told_in_sentences(stage: Stage, device: Party) -> None:
    assert synced_lines(run(stage, device)) == ["There was nothing new to do."]
    for kind in ("restrict", "object", "resume", "export", "stop"):
        tell(stage, device, kind)
    tell(stage, device, "stop", cells=[TRAIN_PURCHASES])
    tell(stage, device, "erase")
    said = synced_lines(run(stage, device))
    assert len(said) == 8
    for expected in (
        "Your data is kept here and not used.",
        "Everything may be used again.",
        "Wrote a copy of your 2 purchase lines to the exports folder.",
        "Stopped using purchases for train-shared-models; 0 derived files deleted.",
        "Reported 7 instructions to the consent service.",
    ):
        assert expected in said
    assert all("{" not in sentence for sentence in said)


def test_watching_goes_on_until_it_is_interrupted() -> None:
    runs: list[float] = []

    def pause(seconds: float) -> None:
        if len(runs) == 3:
            raise KeyboardInterrupt
        assert seconds == 5

    watch(lambda: runs.append(1), 5, pause)
    assert len(runs) == 3
