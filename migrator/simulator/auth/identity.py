"""Who a token's user is: OpenID's user information and the identity URL, with their plain-text refusals."""

import json
from typing import Any

from migrator.simulator.auth.oauth import Tokens, token_of
from migrator.simulator.http import Headers, Response, answer
from migrator.simulator.orgstate import OrgState
from migrator.simulator.router import NEWEST, Call, Route


def identity_url(org: OrgState, base: str, user_id: str = "") -> str:
    """The address that says who a user is (the integration user)."""
    return f"{base}/id/{org.settings.organization_id}/{user_id or org.user_id}"


def _refusal(status: int, word: str) -> Response:
    return Response(status, Headers({"Content-Type": "text/html;charset=UTF-8"}), word.encode())


def _asker(org: OrgState, call: Call) -> str | Response:
    """The user who asks, or the words in which these two resources refuse; they are not those of the REST API."""
    token = token_of(call.request)
    if not token:
        return _refusal(403, "Missing_OAuth_Token")
    return org.part(Tokens).user_of(token) or _refusal(403, "Bad_OAuth_Token")


def _described(org: OrgState, call: Call, user_id: str) -> dict[str, Any]:
    users = org.store.table("User")
    user = users.get(users.seq_of(user_id))
    base = call.request.base_url
    organization = org.settings.organization_id
    short = organization[:15]
    data = f"{base}/services/data/v{{version}}/"
    return {
        "sub": identity_url(org, base, user_id),
        "user_id": user_id,
        "organization_id": organization,
        "preferred_username": user["Username"],
        "nickname": user.get("CommunityNickname", ""),
        "name": f"{user.get('FirstName', '')} {user['LastName']}".strip(),
        "email": user.get("Email", ""),
        "email_verified": True,
        "given_name": user.get("FirstName"),
        "family_name": user["LastName"],
        "zoneinfo": user.get("TimeZoneSidKey", "GMT"),
        "photos": {
            "picture": f"{base}/profilephoto/005/F",
            "thumbnail": f"{base}/profilephoto/005/T",
        },
        "profile": f"{base}/{user_id}",
        "picture": f"{base}/profilephoto/005/F",
        "address": {},
        "urls": {
            "enterprise": f"{base}/services/Soap/c/{{version}}/{short}",
            "metadata": f"{base}/services/Soap/m/{{version}}/{short}",
            "partner": f"{base}/services/Soap/u/{{version}}/{short}",
            "rest": data,
            "sobjects": f"{data}sobjects/",
            "search": f"{data}search/",
            "query": f"{data}query/",
            "recent": f"{data}recent/",
            "tooling_soap": f"{base}/services/Soap/T/{{version}}/{short}",
            "tooling_rest": f"{data}tooling/",
            "profile": f"{base}/{user_id}",
            "feeds": f"{data}chatter/feeds",
            "groups": f"{data}chatter/groups",
            "users": f"{data}chatter/users",
            "feed_items": f"{data}chatter/feed-items",
            "feed_elements": f"{data}chatter/feed-elements",
            "custom_domain": base,
        },
        "active": user.get("IsActive") == "true",
        "user_type": "STANDARD",
        "language": user.get("LanguageLocaleKey", "en_US"),
        "locale": user.get("LocaleSidKey", "en_US"),
        "utcOffset": 0,
        "updated_at": user["SystemModstamp"].replace("Z", "+0000"),
    }


def userinfo(org: OrgState, call: Call) -> Response:
    """OpenID's user information."""
    asker = _asker(org, call)
    if isinstance(asker, Response):
        return asker
    body = _described(org, call, asker)
    del body["photos"]
    body["is_app_installed"] = True
    return answer(body)


_RENAMED = {
    "sub": "id",
    "preferred_username": "username",
    "nickname": "nick_name",
    "name": "display_name",
    "given_name": "first_name",
    "family_name": "last_name",
}
_OF_OPENID = ("profile", "picture", "address", "zoneinfo")


def identity(org: OrgState, call: Call) -> Response:
    """The identity URL of a token's answer; `?version=latest` fills in the version."""
    asker = _asker(org, call)
    if isinstance(asker, Response):
        return asker
    if call.params["organization"][:15] != org.settings.organization_id[:15]:
        return _refusal(403, "Wrong_Org")
    users = org.store.table("User")
    seq = users.seq_of(call.params["user"])
    if not users.exists(seq):
        return _refusal(404, "Bad_Id")
    if users.cell(seq, "IsActive") != "true":
        return _refusal(404, "Inactive")
    found = _described(org, call, users.id_of(seq))
    body = {_RENAMED.get(name, name): value for name, value in found.items() if name not in _OF_OPENID}
    body["timezone"] = found["zoneinfo"]
    body["asserted_user"] = users.id_of(seq) == asker
    body["last_modified_date"] = body.pop("updated_at")
    version = call.request.query.get("version", "")
    if version:
        text = json.dumps(body).replace("{version}", f"{NEWEST}.0" if version == "latest" else version)
        body = json.loads(text)
    return answer(body)


def routes() -> list[Route]:
    """The resources about a user; they refuse in their own way, so no token is asked for before."""
    return [
        Route("GET", "/services/oauth2/userinfo", userinfo, public=True, counted=False),
        Route("POST", "/services/oauth2/userinfo", userinfo, public=True, counted=False),
        Route("GET", "/id/{organization}/{user}", identity, public=True, counted=False),
        Route("POST", "/id/{organization}/{user}", identity, public=True, counted=False),
    ]
