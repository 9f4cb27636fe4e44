"""Explanations in Chinese."""

from collections.abc import Sequence
from typing import Final

# By the codes of client/recommender/moment.py: weekdays, parts of the day, seasons, the store.
_CONTEXTS: Final = (
    "周一",
    "周二",
    "周三",
    "周四",
    "周五",
    "周六",
    "周日",
    "夜里",
    "上午",
    "中午",
    "下午",
    "晚上",
    "冬季",
    "春季",
    "夏季",
    "秋季",
    "在这家门店",
)


class Chinese:
    """See ``wording.Wording``."""

    def habit(self, times: int, window: int) -> str:
        """In how many of her last baskets it was."""
        if times == 0:
            return "您以前买过它"
        if window == 1:
            return "您最近一次购物买了它"
        return f"您最近 {window} 次购物中有 {times} 次买了它"

    def rhythm(self, gap: int, since: int, *, speaks_for: bool) -> str:
        """How many days lie between her purchases of it, and how many since the last."""
        often = "您几乎每天都买它" if gap <= 1 else f"您大约每 {gap} 天买一次"
        last = f"上次购买是 {since} 天前" if since else "今天刚买过"
        return f"{often}，{'' if speaks_for else '但'}{last}"

    def due(self, *, speaks_for: bool) -> str:
        """It is due by her own rhythm, or not."""
        return (
            "按您自己的购买节奏，该买它了" if speaks_for else "按您自己的购买节奏，还不到买它的时候"
        )

    def popular(self, *, bought: bool) -> str:
        """Others buy it."""
        return "近来很多顾客都在买它" if bought else "很多顾客都买它"

    def paired(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """Who buys these often (or seldom) buys it."""
        if not speaks_for:
            return "与您购物相近的顾客很少买它"
        if not names:
            return "与您购物相近的顾客常买它"
        return f"和您一样购买{_listed(names)}的顾客常买它"

    def liked(self, category: str, *, bought: bool, speaks_for: bool) -> str:
        """It is of a category that she buys much (or little) of."""
        of = f"（{category}）" if category else ""
        if not speaks_for:
            return f"您很少买这一类别{of}的商品"
        return f"它属于您喜欢的类别{of}{'' if bought else '，而您还没买过'}"

    def content(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """It resembles these."""
        if not speaks_for:
            return "它与您常买的商品不太相似"
        return f"它与您购买的{_listed(names)}相似" if names else "它与您购买的商品相似"

    def context(self, code: int, times: int, *, speaks_for: bool) -> str:
        """How often she bought it at such a time or place."""
        when = _CONTEXTS[code] if 0 <= code < len(_CONTEXTS) else "这样的时候"
        if not speaks_for:
            return f"您很少{when}买它"
        if not times:  # a weight below 0 turned it round
            return f"您还从未{when}买过它，在这里反而对它有利"
        return f"您常{when}买它（已有 {times} 次）"

    def against(self, clause: str) -> str:
        """A fact that speaks against the item."""
        return f"{clause}，在这里反而不利于它"

    def discovery(self) -> str:
        """It is there to be found."""
        return "把它放在这里，是为了让您发现新东西"

    def gentle(self, *, speaks_for: bool) -> str:
        """Nothing is named."""
        return "它符合您允许使用的信息" if speaks_for else "有一项因素不利于它"

    def fits(self) -> str:
        """Nothing speaks for it alone."""
        return "它符合您的购物习惯"

    def sentence(self, clauses: Sequence[str]) -> str:
        """One sentence."""
        return f"{'；'.join(clauses)}。"

    def without(self, names: Sequence[str], *, own: bool) -> str:
        """The condition."""
        return "如果没有您对它的购买记录" if own else f"如果没有您购买{_listed(names)}的记录"

    def conditional(self, condition: str, outcome: str) -> str:
        """One sentence."""
        return f"{condition}，{outcome}。"

    def would_stand(self, place: int, *, listed: bool) -> str:
        """Where it would stand then."""
        if listed:
            return f"它仍会列出，排在第 {place:,} 位"
        return f"它不会列出，将排在第 {place:,} 位"

    def would_be_gone(self) -> str:
        """Not at all."""
        return "它根本不会被推荐"

    def undecided(self) -> str:
        """None sets it back."""
        return "在最可能有影响的购买中，去掉任何一项都不会使它后退"

    def stands(self, place: int) -> str:
        """Beyond the end."""
        return f"它目前不在您的清单上，排在第 {place:,} 位"

    def nowhere(self) -> str:
        """Not recommended."""
        return "它不在您的清单上：不利于它的因素多于有利的因素"

    def unnamed(self) -> str:
        """Something better not named."""
        return "您的另一项购买"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{'、'.join(quoted[:-1])}和{quoted[-1]}"
