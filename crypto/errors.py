"""The errors that fedcart raises, as one tree.

    FedcartError
    ├── InvalidInputError      something from outside is not what it must be (exit code 2)
    │   └── WireError          foreign bytes did not parse or verify
    ├── PlanError              a privacy plan contradicts itself or can't hold its promise
    │   └── NarrowNoiseError
    ├── ConsentError           no standing consent, or the consent service can't say
    ├── RoundError             a round can't go on; nothing was released
    │   └── CohortTooSmallError
    ├── BudgetError            the privacy budget, or the disk that records it, says no
    └── SealError              sealing or opening failed (deliberately vague)

Every message names the value, the bound and the next step; messages of SealError and WireError
stay vague on purpose, because they may be read by whoever made the bytes.
"""


class FedcartError(Exception):
    """Base of every error that fedcart raises on purpose."""


class InvalidInputError(FedcartError):
    """Input from outside is not what it must be; nothing was changed."""


class WireError(InvalidInputError):
    """Foreign bytes are malformed, of another version, or not signed by the expected key."""


class PlanError(FedcartError):
    """A privacy plan contradicts itself or cannot hold its promise."""


class NarrowNoiseError(PlanError):
    """Noise that is too narrow for integers to be accounted as it is; a wider one would do."""


class ConsentError(FedcartError):
    """There is no standing consent, or the consent service cannot say that there is."""


class RoundError(FedcartError):
    """A round cannot go on; nothing was released."""


class CohortTooSmallError(RoundError):
    """Fewer participants than the policy's minimum; nothing was released."""


class BudgetError(FedcartError):
    """The privacy budget, or the disk that records it, does not allow the release."""


class SealError(FedcartError):
    """Sealing or opening failed. The message never tells why, lest it become an oracle."""
