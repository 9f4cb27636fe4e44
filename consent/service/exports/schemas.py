"""The request to fetch an export; its answer is a file."""

from consent.service.rights.schemas import Proof


class FetchExport(Proof):
    """Who fetches it: a login that was shown lately, or a device's `rights-proof`."""
