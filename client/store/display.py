"""What a store's commands tell a person, in lines of text."""

import datetime as dt

from client.store.intake import Arrived
from client.store.members import Linked
from client.store.overview import Overview
from crypto.dp.bound import told


def arrived_lines(arrived: Arrived) -> list[str]:
    """An import in a few words; what did not happen is not told."""
    up_to = f", up to {_moment(arrived.until)}" if arrived.until else ""
    lines = [f"{arrived.added:,} new lines of {arrived.shoppers:,} shoppers are here{up_to}."]
    others = {
        "are from a time that was taken in before": arrived.known,
        "are too young and wait for the next import": arrived.waiting,
        "are of nobody whom this store stands for, and were not kept": arrived.strangers,
        "are of shoppers of whom nothing may be used, and were not kept": arrived.held,
        "name no item and were left out": arrived.ignored,
        "of the new ones are of items that the retailer's list lacks": arrived.unlisted,
        "were bad and left out": arrived.skipped,
    }
    return lines + [f"{count:,} lines {what}." for what, count in others.items() if count]


def linked_lines(done: Linked) -> list[str]:
    """A list of shoppers in a few words."""
    lines = [f"{done.added:,} shoppers of the list are linked now."]
    if done.known:
        lines.append(f"{done.known:,} were linked before.")
    if done.refused:
        lines.append(f"{len(done.refused):,} rows were left out.")
    return [*lines, f"This store stands for {len(done.home.shoppers):,} shoppers."]


def overview_lines(found: Overview) -> list[str]:
    """A store in a few words."""
    lines = [f"This store stands for {found.shoppers:,} shoppers."]
    if found.held:
        lines.append(f"{found.held:,} of them told it to use nothing of theirs.")
    if found.until is None:
        lines.append("Nothing was imported yet.")
    else:
        lines.append(
            f"{found.lines:,} purchase lines of {found.with_lines:,} shoppers are kept; of each "
            f"whose were taken in, up to {_moment(found.until)} at least."
        )
    if found.waiting:
        lines.append(f"{found.waiting:,} shoppers wait for the next import.")
    for task, round_id, epsilon in found.rounds:
        cost = "no noise" if epsilon is None else f"ε = {told(epsilon)}"
        lines.append(f"Joined {task}, round {round_id}: {cost}.")
    if found.rounds:
        cap = "there is no limit" if found.cap is None else f"the limit is {found.cap:g}"
        if found.spent == float("inf"):
            lines.append("One round had no noise: nothing bounds what it says about a shopper.")
        else:
            lines.append(
                f"All rounds together cost nobody more than ε = {told(found.spent)} at "
                f"δ = {found.delta:g}; {cap}."
            )
    return lines


def _moment(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
