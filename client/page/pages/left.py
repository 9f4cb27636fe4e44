"""What left this device, and what stayed on it."""

import math

from fastapi import APIRouter, Request, Response

from client.departures import departures
from client.own_data import kept
from client.page.desk import DeskDep
from client.page.render import render
from client.register import spent_by

router = APIRouter(include_in_schema=False)


@router.get("/left")
def show(request: Request, desk: DeskDep) -> Response:
    """Every round, ε spent against the cap, and how much is kept; needs no consent service."""
    home = desk.home
    spent = spent_by(home.register, home.shopper, delta=home.trust.delta)
    return render(
        request,
        "left.html",
        rounds=departures(home, desk.releases),
        kept=kept(home),
        spent=spent if math.isfinite(spent) else None,
        cap=home.trust.epsilon_cap,
        delta=home.trust.delta,
        floor=home.trust.n_floor,
    )
