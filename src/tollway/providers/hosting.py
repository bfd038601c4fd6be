"""Rules that come from the preset: free models that the operator pays for, and preferred inference providers.

Source: request-path 11.5 and 11.8.
"""

from tollway.providers.rule import Attempt, Draft


def substitute(draft: Draft, attempt: Attempt) -> Draft:
    """A hosted free model goes by its own id at its gateway; where it must be served by certain providers, nothing that
    caller or organization said about providers counts (they were checked against these)."""
    hosted = attempt.target.hosted
    if hosted is None:
        return draft
    body = dict(draft.body)
    if not attempt.target.is_renamed:
        body["model"] = hosted.internal_id
    if hosted.inference_providers:
        body["provider"] = {"only": list(hosted.inference_providers)}
    return draft.with_body(body)


def prefer_providers(draft: Draft, attempt: Attempt) -> Draft:
    """The preset's order of inference providers, unless the caller has one."""
    given = draft.body.get("provider")
    order = list(attempt.target.inference_order)
    if given is None:
        return draft.with_members(provider={"order": order})
    if given.__class__ is not dict or given.get("order") is not None:
        return draft
    return draft.with_members(provider={**given, "order": order})
