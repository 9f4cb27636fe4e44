"""What a login's name and a new password may be: pure rules, after NIST SP 800-63B.

There are no rules about kinds of characters and no expiry, as that document advises: length, and
not being among the first that anybody would try.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from crypto.errors import InvalidInputError

MIN_NAME: Final = 2
MAX_NAME: Final = 64
MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 256
_NAME: Final = re.compile(rf"[\w.@+-]{{{MIN_NAME},{MAX_NAME}}}")
_FEWEST_CHARACTERS: Final = 3  # different ones; "aaaaaaaaaa" has one
# Lower case, without spaces: the most common that are long enough to be taken otherwise.
_LIST: Final = """
0123456789 1029384756 1111111111 1122334455 1123581321 11223344556 1234554321 12345678900
1234567890 12345678910 123456789a 123456789q 1234567891 12345qwert 123654789a 123qweasdzxc
147258369a 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 3rjs1la7qe 9876543210 0987654321
a123456789 a1b2c3d4e5 aa12345678 abc1234567 abcd123456 abcdefghij abcdefghijk administrator
adminadmin administrateur alexander1 asdfasdfasdf asdfghjkl1 asdfghjkl; asdf123456 basketball
basketball1 blink182182 butterfly1 california1 changeme123 charlotte1 chocolate1 christopher
cjmasterinf computer123 correcthorsebatterystaple dragon12345 elizabeth1 eternity123 facebook123
familyguy1 footballer football123 g_czechout google1234 hello12345
hellohello helloworld hunter2hunter2 ihateyou123 iloveyou12 iloveyou123 iloveyou1234
iloveyou! iloveyou11 iloveyouforever ilovemyself internet123 jesus12345 jordan2323 justinbieber
letmein123 letmein1234 letmeinnow liverpool1 liverpoolfc london2012 loveyou123 lovelovelove
manchester manchester1 masterchief maverick12 metallica1 michael123 michelle12 microsoft1
minecraft1 minecraft123 mynoob1234 mypassword mypassword1 newyork123 nintendo64 p@ssw0rd123
p@ssword123 pa55word123 passpasspass passw0rd12 passw0rd123 password00 password01 password10
password11 password12 password123 password1234 password12345 password123! password1! password99
passwordpassword passwort123 pokemon123 princess12 princess123 q1w2e3r4t5 q1w2e3r4t5y6
qazwsxedcrfv qazwsxedc1 qwe123qwe123 qweasdzxc1 qweasdzxc123 qwer123456 qwerasdfzxcv qwert12345
qwertyqwerty qwerty1234 qwerty12345 qwerty123456 qwerty123! qwertyuiop qwertyuiop1 qwertyuiop123
qwertyuiop[] raiders123 samsung123 secret12345 secretsecret shadow1234 skateboard skateboard1
snowboarding snowboard1 spiderman1 starwars123 strawberry strawberry1 summer2023 summer2024
summer2025 summer2026 sunshine12 sunshine123 superman12 superman123 superstar1 supermarket
test123456 testtest123 thisismypassword tinkerbell tinkerbell1 trustno1trustno1 unknown123
volleyball volleyball1 welcome123 welcome1234 welcome2026 whatever12 whatever123 winter2026
woaini1314 woaini520520 woaini1314520 wasd123456 xbox360xbox zaq12wsxcde3 zxcvbnm123 zxcvbnm1234
zxcvbnm,./ zxcvbnmasdfghjkl qq123456789 qq5201314 aa123456789 asd123456789 wo123456789
123456789abc 5201314520 1314520520 mima123456 nihao123456
"""
_COMMON: Final = frozenset(_LIST.split())


class Rule(StrEnum):
    """What a name or password did not keep to."""

    NAME = "name"
    LENGTH = "length"
    SAME = "same"
    COMMON = "common"


class UnfitError(InvalidInputError):
    """A name or password that can't be one; ``rule`` says why."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def account_name(text: str) -> str:
    """The form in which a name is stored and compared: NFKC, case folded, no spaces around it.

    Raises:
        UnfitError: too short or long, or a character that names do not have.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    if not _NAME.fullmatch(folded):
        raise UnfitError(
            Rule.NAME,
            f"A name has {MIN_NAME} to {MAX_NAME} letters, digits or . _ - + @ ; choose another.",
        )
    return folded


def typed_password(text: str) -> str:
    """A password in the one form that is hashed: NFKC, so that every keyboard makes the same.

    Raises:
        UnfitError: longer than any password here is.
    """
    if len(text) > MAX_PASSWORD:  # before anything is done with it
        raise UnfitError(Rule.LENGTH, f"A password has at most {MAX_PASSWORD} characters.")
    return unicodedata.normalize("NFKC", text)


def new_password(text: str, *, name: str) -> str:
    """A password that somebody of this (folded) name may choose, as it is hashed.

    Raises:
        UnfitError: too short, too long, her name, or among the first that would be tried.
    """
    password = typed_password(text)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UnfitError(
            Rule.LENGTH,
            f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters; a few words are fine.",
        )
    folded = "".join(password.casefold().split())
    if name in (folded, folded[::-1]):
        raise UnfitError(Rule.SAME, "The password is the same as the name; choose another.")
    if folded in _COMMON or len(set(folded)) < _FEWEST_CHARACTERS:
        raise UnfitError(
            Rule.COMMON, "This password is among the first that are tried; choose another."
        )
    return password
