"""Small files in exactly the shapes of well-known data sets, all of one made-up history.

Every maker writes the files that its command in docs/data.md names, into the folder given. What
was drawn is known (``RATED``, ``BASKETS``), so that a test can work out what must come out.
"""

import json
import random
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

SHOPPERS, FILMS, NEGATIVES = 40, 150, 99
FIRST = 978_300_000
GENRES = ("Action", "Comedy", "Drama", "Children's", "Film-Noir")
_FLAGS = 19

# Shopper to her films in order, each with its rating and its moment; every film at most once.
Rated = Mapping[int, list[tuple[int, int, int]]]
# Shopper to her baskets in order.
Baskets = Mapping[int, list[list[int]]]


def _rated() -> Rated:
    rng = random.Random(7)
    weights = [1 / (1 + film) for film in range(FILMS)]
    rated = {}
    for shopper in range(1, SHOPPERS + 1):
        films = list(dict.fromkeys(rng.choices(range(1, FILMS + 1), weights, k=60)))[:18]
        start = FIRST + rng.randrange(10**6)
        rated[shopper] = [(f, rng.randint(1, 5), start + 40_000 * n) for n, f in enumerate(films)]
    return rated


def _baskets() -> Baskets:
    rng = random.Random(8)
    weights = [1 / (1 + item) for item in range(60)]
    return {
        shopper: [
            sorted(set(rng.choices(range(60), weights, k=rng.randint(1, 6))))
            for _ in range(rng.randint(4, 7))
        ]
        for shopper in range(1, SHOPPERS + 1)
    }


RATED, BASKETS = _rated(), _baskets()
LAST = {shopper: rated[-1][0] for shopper, rated in RATED.items()}


def commands() -> dict[str, list[list[str]]]:
    """The commands of docs/data.md on layouts, as words, by the data set that they are about."""
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"```console\n(.*?)```", text.split("\n## Layouts")[1], re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ fedcart "))
            data = words[1] if words[0] == "evaluate" else words[words.index("--out") + 1]
            found.setdefault(data, []).append(words)
    return found


def negatives() -> dict[int, list[int]]:
    """Shopper to films that she never rated."""
    rng = random.Random(9)
    return {
        shopper: rng.sample(sorted(set(range(1, FILMS + 1)) - {f for f, _, _ in rated}), NEGATIVES)
        for shopper, rated in RATED.items()
    }


def genres(film: int) -> list[str]:
    """One or two, in text order."""
    return sorted({GENRES[film % 5], GENRES[film * 7 % 5]})


def _title(film: int) -> str:
    return f"Été 20{film:02d}, L' (19{film % 60 + 40})"


def _lines(form: str, rated: Rated = RATED) -> str:
    """A line a rating, shoppers by turns as in a log."""
    lines = [
        (moment, form.format(u=shopper, i=film, r=rating, t=moment))
        for shopper, films in rated.items()
        for film, rating, moment in films
    ]
    return "".join(f"{line}\n" for _, line in sorted(lines))


def _file(folder: Path, name: str, text: str, encoding: str = "utf-8") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def movielens_1m(folder: Path) -> None:
    _file(folder, "ml-1m/ratings.dat", _lines("{u}::{i}::{r}::{t}"))
    movies = [f"{f}::{_title(f)}::{'|'.join(genres(f))}\n" for f in range(1, FILMS + 1)]
    _file(folder, "ml-1m/movies.dat", "".join(movies), "latin-1")
    _file(folder, "ml-1m/users.dat", "".join(f"{u}::{'FM'[u % 2]}::25::10::48067\n" for u in RATED))


def movielens_100k(folder: Path) -> None:
    _file(folder, "ml-100k/u.data", _lines("{u}\t{i}\t{r}\t{t}"))
    items = []
    for film in range(1, FILMS + 1):
        flags = ["0"] * _FLAGS
        for genre in genres(film):
            flags[GENRES.index(genre)] = "1"
        url = f"http://us.imdb.com/M/title-exact?{film}"
        dated = f"01-Jan-19{film % 60 + 40}"
        items.append("|".join([str(film), _title(film), dated, "", url, *flags]) + "\n")
    _file(folder, "ml-100k/u.item", "".join(items), "latin-1")
    users = [f"{u}|{20 + u}|{'FM'[u % 2]}|writer|85711\n" for u in RATED]
    _file(folder, "ml-100k/u.user", "".join(users))


def movielens_csv(folder: Path) -> None:
    header = "userId,movieId,rating,timestamp\n"
    _file(folder, "ml-latest/ratings.csv", header + _lines("{u},{i},{r}.0,{t}"))
    movies = [f'{f},"{_title(f)}",{"|".join(genres(f))}\n' for f in range(1, FILMS + 1)]
    _file(folder, "ml-latest/movies.csv", "movieId,title,genres\n" + "".join(movies))


def ncf(folder: Path) -> None:
    train = {shopper: films[:-1] for shopper, films in RATED.items()}
    test = {shopper: films[-1:] for shopper, films in RATED.items()}
    _file(folder, "ncf/ml-1m.train.rating", _lines("{u}\t{i}\t{r}\t{t}", train))
    _file(folder, "ncf/ml-1m.test.rating", _lines("{u}\t{i}\t{r}\t{t}", test))
    given = negatives()
    rows = [
        "\t".join([f"({shopper},{LAST[shopper]})", *map(str, given[shopper])]) + "\n"
        for shopper in RATED
    ]
    _file(folder, "ncf/ml-1m.test.negative", "".join(rows))


def _date(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _moments() -> dict[int, list[int]]:
    return {u: [FIRST + 86_400 * (u + 3 * n) for n in range(len(b))] for u, b in BASKETS.items()}


def ta_feng(folder: Path) -> None:
    names = (
        *("TRANSACTION_DT", "CUSTOMER_ID", "AGE_GROUP", "PIN_CODE", "PRODUCT_SUBCLASS"),
        *("PRODUCT_ID", "AMOUNT", "ASSET", "SALES_PRICE"),
    )
    rows = [",".join(f'"{name}"' for name in names)]
    for shopper, baskets in BASKETS.items():
        for moment, basket in zip(_moments()[shopper], baskets, strict=True):
            day = _date(moment)
            shown = f"{day.month}/{day.day}/{day.year}"
            rows += [
                f'"{shown}","{shopper:08d}","35-39","115","{100 + i % 9}","{i}","1","20","25"'
                for i in basket
            ]
    _file(folder, "ta_feng_all_months_merged.csv", "\n".join(rows) + "\n")


def reality_check_json(folder: Path) -> None:
    """Next-basket reality check: history and future apart, with -1 around them."""
    history = {str(u): [[-1], *baskets[:-1], [-1]] for u, baskets in BASKETS.items()}
    future = {str(u): [[-1], baskets[-1], [-1]] for u, baskets in BASKETS.items()}
    _file(folder, "jsondata/dunnhumby_history.json", json.dumps(history))
    _file(folder, "jsondata/dunnhumby_future.json", json.dumps(future))


def merged_json(folder: Path) -> None:
    merged = {str(u): baskets for u, baskets in BASKETS.items()}
    _file(folder, "mergedata/dunnhumby_merged.json", json.dumps(merged))


def tifu_csv(folder: Path) -> None:
    for name, part in (("history", slice(0, -1)), ("future", slice(-1, None))):
        rows = ["CUSTOMER_ID,ORDER_NUMBER,MATERIAL_NUMBER"]
        for shopper, baskets in BASKETS.items():
            for number, basket in enumerate(baskets[part], start=1):
                rows += [f"{shopper},{number},{item}" for item in basket]
        _file(folder, f"TaFang_{name}_NB.csv", "\n".join(rows) + "\n")


def instacart(folder: Path) -> None:
    orders = ["order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior"]
    lines = {
        name: ["order_id,product_id,add_to_cart_order,reordered"] for name in ("prior", "train")
    }
    for shopper, baskets in BASKETS.items():
        for number, basket in enumerate(baskets, start=1):
            part = "train" if number == len(baskets) else "prior"
            order = 1000 * (50 - shopper) + number
            since = "" if number == 1 else "7.0"
            orders.append(f"{order},{shopper},{part},{number},3,12,{since}")
            lines[part] += [f"{order},{i},{n},0" for n, i in enumerate(basket, start=1)]
    _file(folder, "instacart/orders.csv", "\n".join(orders) + "\n")
    for part, rows in lines.items():
        _file(folder, f"instacart/order_products__{part}.csv", "\n".join(rows) + "\n")
    products = [f'{i},"Thing {i}, large",{i % 7},{i % 3}' for i in range(60)]
    header = "product_id,product_name,aisle_id,department_id"
    _file(folder, "instacart/products.csv", "\n".join([header, *products]) + "\n")


def dunnhumby(folder: Path) -> None:
    names = "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,TRANS_TIME"
    rows, order = [names], 26_984_851_472
    for shopper, baskets in BASKETS.items():
        for number, basket in enumerate(baskets):
            order += 1
            day = 1 + shopper + 3 * number
            rows += [f"{shopper},{order},{day},{i},1,1.39,364,1631" for i in basket]
    _file(folder, "dunnhumby/transaction_data.csv", "\n".join(rows) + "\n")
    products = [f"{i},2,GROCERY,National,KIND {i % 7},SUB {i},22 OZ" for i in range(60)]
    header = "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,CURR_SIZE"
    _file(folder, "dunnhumby/product.csv", "\n".join([header, *products]) + "\n")


def online_retail(folder: Path) -> None:
    rows = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for shopper, baskets in BASKETS.items():
        for number, basket in enumerate(baskets):
            day = _date(_moments()[shopper][number])
            dated = f"{day.month}/{day.day}/{day.year} 8:26"
            order = 536_365 + 100 * shopper + number
            rows += [
                f"{order},{i},THING {i},2,{dated},2.55,{17_000 + shopper},Spain" for i in basket
            ]
    rows.append("C536379,5,THING 5,-1,12/1/2010 9:41,27.5,14527,United Kingdom")
    rows.append("536414,7,THING 7,56,12/1/2010 11:52,0,,United Kingdom")
    _file(folder, "online_retail.csv", "\n".join(rows) + "\n")


def json_lines(folder: Path) -> None:
    rows = [
        json.dumps(
            {
                "customer": f"c{shopper}",
                "time": _date(_moments()[shopper][number]).isoformat(),
                "lines": [{"sku": f"p{item}", "qty": 1} for item in basket],
            }
        )
        for shopper, baskets in BASKETS.items()
        for number, basket in enumerate(baskets)
    ]
    _file(folder, "baskets.jsonl", "\n".join(rows) + "\n")


def basket_rows(folder: Path) -> None:
    rows = [
        ",".join([f"c{shopper}", _date(_moments()[shopper][n]).date().isoformat(), *map(str, own)])
        for shopper, baskets in BASKETS.items()
        for n, own in enumerate(baskets)
    ]
    _file(folder, "baskets.txt", "\n".join(rows) + "\n")


RATINGS: Mapping[str, Callable[[Path], None]] = {
    "ml-1m/": movielens_1m,
    "ncf/": ncf,
    "ml-100k/": movielens_100k,
    "ml-latest/": movielens_csv,
}
LOGS: Mapping[str, Callable[[Path], None]] = {
    "ta_feng": ta_feng,
    "jsondata/": reality_check_json,
    "mergedata/": merged_json,
    "TaFang": tifu_csv,
    "instacart/": instacart,
    "dunnhumby/": dunnhumby,
    "online_retail": online_retail,
    "baskets.jsonl": json_lines,
    "baskets.txt": basket_rows,
}
