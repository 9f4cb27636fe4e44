"""The words of governance tools."""

import re

from consent import aliases
from consent.purpose import Category, Purpose

KEY = re.compile(r"[a-z_]+(\.[a-z_]+)*")


def test_every_purpose_and_category_has_a_key() -> None:
    assert set(aliases.USES) == set(Purpose)
    assert set(aliases.CATEGORIES) == set(Category)
    keys = [aliases.use_of(p) for p in Purpose] + [aliases.category_of(c) for c in Category]
    assert all(KEY.fullmatch(key) for key in keys)
    assert all(aliases.category_of(c).startswith("user.") for c in Category)


def test_the_keys_that_the_records_rely_on() -> None:
    assert aliases.use_of(Purpose.TRAIN) == "train_ai_system"
    assert aliases.use_of(Purpose.PERSONALISE) == "personalize.content.profiling"
    assert aliases.category_of(Category.PURCHASES) == "user.behavior.purchase_history"
    assert aliases.category_of(Category.DEMOGRAPHICS) == "user.demographic.age_range"


def test_where_two_of_ours_share_a_key_the_wider_use_is_marked() -> None:
    for table in (aliases.USES, aliases.CATEGORIES):
        exact = [alias.key for alias in table.values() if not alias.wider]
        assert len(exact) == len(set(exact))
