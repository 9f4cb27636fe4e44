"""Sensitive product classes: what a basket may say about health, sex life, religion or addiction.

The public item list says which of its items are sensitive, in its attribute ``sensitive``: a column
of the retailer's item table, or found by the words below. Their lines are withheld from every task
and every list unless the shopper granted ``Category.SENSITIVE`` for that purpose, and they are not
recommended without it either. The words are a floor, not a finding: an operator reads the list of
what was flagged, and adds what is missing.

GDPR art. 9 names health, sex life, religion, ethnic origin; alcohol and tobacco are here because
they are sold under age limits and point to dependence.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from consent.tasks.catalogue import SENSITIVE, Catalogue, is_sensitive

# Class to words, in English and Chinese. A word counts as a whole word of an item's name, category
# or department, with or without a plural s; Chinese words count wherever they stand.
CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "alcohol": (
        *("alcohol", "beer", "ale", "wine", "liquor", "whiskey", "whisky", "vodka", "brandy"),
        *("champagne", "hard seltzer", "tequila", "spirits"),
        *("啤酒", "白酒", "红酒", "葡萄酒", "洋酒", "黄酒", "烈酒", "酒类"),
    ),
    "tobacco": (
        *("tobacco", "cigarette", "cigar", "cigarillo", "vape", "vaping", "e cigarette", "snuff"),
        *("smoking", "nicotine", "烟草", "香烟", "卷烟", "电子烟", "雪茄", "戒烟"),
    ),
    "pregnancy": (
        *("pregnancy", "prenatal", "ovulation", "fertility", "maternity"),
        *("验孕", "早孕", "排卵", "孕妇"),
    ),
    "sex life": (
        *("family planning", "contraception", "contraceptive", "condom", "lubricant", "erotic"),
        *(
            "sexual wellness",
            "adult toy",
            "adult novelty",
            "避孕",
            "安全套",
            "计生",
            "情趣",
            "成人用品",
        ),
    ),
    "medicine": (
        *("medicine", "medication", "pharmacy", "pharmaceutical", "prescription", "analgesic"),
        *("antacid", "laxative", "cold and flu", "sinus and allergy", "allergy", "remedies"),
        *("pain relief", "pain reliever", "antidepressant", "sleep aid", "otc"),
        *("药品", "药房", "处方", "感冒药", "止痛", "泻药", "非处方"),
    ),
    "illness": (
        *("incontinence", "diabetic", "diabetes", "blood sugar", "glucose", "blood pressure"),
        *("home health care", "restricted diet", "dietary aid", "diagnostic", "hearing aid"),
        *("失禁", "糖尿病", "血糖", "血压", "成人纸尿裤", "助听器"),
    ),
    "religion": ("kosher", "halal", "passover", "ramadan", "清真"),
    "ethnic origin": ("ethnic personal care", "ethnic hair", "ethnic hair care"),
}
# What only looks like one of these.
HARMLESS: Final = (
    *("root beer", "ginger ale", "ginger beer", "wine vinegar", "gngr ale"),
    *("beer batter", "cooking wine", "vinegar wine", "except wine", "wine glass", "alcohol free"),
)
_WORDS = re.compile(r"[^\W_]+")


def with_flags(catalogue: Catalogue) -> Catalogue:
    """The list with its sensitive items flagged by words; what was flagged before stays."""
    before = catalogue.attributes.get(SENSITIVE, ((),) * len(catalogue))
    found = []
    for place, item in enumerate(catalogue.items):
        text = " | ".join((item, catalogue.categories[place], catalogue.departments[place]))
        known = tuple(value for value in before[place] if is_sensitive(value))
        found.append(tuple(dict.fromkeys((*known, *classes_of(text)))))
    attributes = {name: each for name, each in catalogue.attributes.items() if name != SENSITIVE}
    if any(found):
        attributes[SENSITIVE] = tuple(found)
    return replace(catalogue, attributes=attributes)


def without_flags(catalogue: Catalogue) -> Catalogue:
    """The list as if nothing were sensitive: for studies of what withholding changes."""
    kept = {name: each for name, each in catalogue.attributes.items() if name != SENSITIVE}
    return replace(catalogue, attributes=kept)


def classes_of(text: str) -> tuple[str, ...]:
    """The sensitive classes that a name, category or department points to."""
    plain = f" {' '.join(_WORDS.findall(text.casefold()))} "
    for harmless in HARMLESS:
        plain = plain.replace(f" {harmless} ", " ").replace(f" {harmless}s ", " ")
    return tuple(name for name, words in CLASSES.items() if any(_has(plain, w) for w in words))


def _has(plain: str, word: str) -> bool:
    spelt = _plain(word)
    if not spelt.isascii():
        return spelt in plain
    return f" {spelt} " in plain or f" {spelt}s " in plain


@lru_cache(maxsize=1024)
def _plain(word: str) -> str:
    return " ".join(_WORDS.findall(word.casefold()))
