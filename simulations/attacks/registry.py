"""Every attack of the suite, by name, in the order in which a reviewer reads them."""

from collections.abc import Mapping
from enum import StrEnum

from simulations.attacks.canaries import canaries
from simulations.attacks.chosen_body import chosen_body
from simulations.attacks.chosen_ciphertext import chosen_ciphertext
from simulations.attacks.correlated import correlated_ciphertext
from simulations.attacks.correlated_body import correlated_body
from simulations.attacks.differencing import differencing
from simulations.attacks.dropouts import dropouts
from simulations.attacks.equivocation import equivocation
from simulations.attacks.leak_probe import leak_probe
from simulations.attacks.lying_parts import lying_parts
from simulations.attacks.manifest_tricks import manifest_tricks
from simulations.attacks.masks import malicious_multipliers, secret_reuse
from simulations.attacks.membership import membership
from simulations.attacks.poisoning import poisoning
from simulations.attacks.replays import replays
from simulations.attacks.row_support import row_support
from simulations.attacks.sensitivity import sensitivity
from simulations.attacks.setting import Attack
from simulations.attacks.small_cohort import small_cohort
from simulations.attacks.sybils import sybils
from simulations.attacks.wire import wire


class Family(StrEnum):
    """What a group of attacks is about."""

    UPLOADS = "What an upload shows"
    RELEASES = "What a release tells"
    COMPACT_SUM = "Compact sum against liars"
    SHARE_SUM = "Share sum: documented limits"
    EVALUATION = "Our own evaluation"


ATTACKS: Mapping[Family, tuple[Attack, ...]] = {
    Family.UPLOADS: (row_support, wire, sensitivity),
    Family.RELEASES: (
        canaries,
        differencing,
        membership,
        poisoning,
        small_cohort,
        dropouts,
    ),
    Family.COMPACT_SUM: (
        chosen_body,
        correlated_body,
        equivocation,
        sybils,
        replays,
        secret_reuse,
        malicious_multipliers,
        manifest_tricks,
        lying_parts,
    ),
    Family.SHARE_SUM: (chosen_ciphertext, correlated_ciphertext),
    Family.EVALUATION: (leak_probe,),
}
