"""Bearer tokens, for reads by clients that cannot sign."""

import jwt
from aiohttp import web

from shadow.demo.vmctl.answers import answer
from shadow.demo.vmctl.authentication import TOKEN_ALGORITHM
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.machines import moment

_LIFE_SECONDS = 900


async def create(call: Call) -> web.StreamResponse:
    service = call.service
    now = int(service.clock.now())
    claims = {
        "sub": call.caller.address,
        "iat": now,
        "exp": now + _LIFE_SECONDS,
        "jti": service.chance.new_id(),
    }
    token = jwt.encode(claims, service.token_secret, algorithm=TOKEN_ALGORITHM)
    expires_at = moment(now + _LIFE_SECONDS, service.bugs)
    document = {"token": token, "token_type": "Bearer", "expires_at": expires_at}
    return answer(service, document, status=201, headers={"Cache-Control": "no-store"})


ROUTES = (("POST", "/v1/tokens", create),)
