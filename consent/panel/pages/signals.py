"""The page that says whether a privacy signal is honoured, and what it did."""

from fastapi import APIRouter, Request, Response

from consent.panel.page import FormDep, ShopperDep, redirect, render
from consent.service.signals import service

router = APIRouter(include_in_schema=False)


@router.get("/signals")
def show(request: Request, visitor: ShopperDep) -> Response:
    """The status of the signal (11 CCR §7025(c)(6))."""
    found = service.read(visitor.context, visitor.shopper, visitor.token)
    return render(request, visitor, "signals.html", found=found)


@router.post("/signals/clear")
def clear(request: Request, visitor: ShopperDep, form: FormDep) -> Response:  # noqa: ARG001
    """Say that no browser or device sends it any more."""
    service.clear(visitor.context, visitor.shopper, visitor.token, signal=visitor.gpc)
    said = visitor.say("Noted. Nothing was switched on by it.")
    return redirect(request, visitor, "/signals", flash=said)
