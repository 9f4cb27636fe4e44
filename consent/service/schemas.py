"""The base of every request and answer, and the names they share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from consent.participation import NAME_PATTERN

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Thumbprint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
HexHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Schema(BaseModel):
    """A request or answer: unknown fields are refused, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SignedRecordSchema(Schema):
    """A signed record: canonical JSON body and Ed25519 signature, both base64url."""

    type: str = Field(max_length=64)
    body: str
    signature: str = Field(max_length=128)
