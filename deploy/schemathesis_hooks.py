"""What schemathesis can't tell from openapi/tandem.yaml: for which reasons a request that the document allows may be
refused all the same. Any other refusal of such a request says that document and server differ."""
import re

import schemathesis

# What depends on other objects, on several fields together, or on the meaning of a text.
MEANT = re.compile("|".join([
    "no such ", "there is no ", "There is no ", "twice", "not after ", "less than ", "shorter than ", "a time after ",
    "without probes it would never come back", "only the policy", "only out-of-service", "belongs to a failure-response",
    "which final response it was", "would fail: it expects", "more than 15 single statuses", "in the past",
    "not a SIP URI", "not built", "no address of one gateway", "a gateway's URI", "a From has no", "the URI parameter",
    "a URL ", "not a URL", "is (an?|no|not a) .*address", "outside of the allowed networks", "not a network", "a call that fails has no gateway", "a stream; send Accept",
    "it is not confirmed", "Nothing waits", "Idempotency-Key was sent", "is not kept", "are kept; replay", "one is needed that", "not in the future", "of which revision", "it is past", "webhook_networks allows no", "neither a name nor an address",
]))


TAGS = re.compile(r'(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)')


# What the document calls a string and describes in words.
TABLES = ("text/csv", "application/x-ndjson")


@schemathesis.serializer(*TABLES)
def table(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.check
def refusals_are_meant(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.media_type in TABLES:
        return
    # Of a merge patch the document says only that it is an object.
    if response.status_code not in (400, 422) or case.method.upper() == "PATCH":
        return
    # The phase `coverage` takes a 0 for such a field, whatever its pattern says.
    if any(not TAGS.fullmatch((case.headers or {}).get(name) or "*") for name in ("If-Match", "If-None-Match")):
        return
    try:
        problem = response.json()
    except ValueError:
        raise AssertionError(f"a refusal that is no problem: {response.text[:200]}") from None
    # What stands inside an operation of a change set is described with the object that it is for.
    errors = [error for error in problem.get("errors", []) if not error["pointer"].startswith("/operations/")]
    if problem.get("errors") and not errors:
        return
    texts = [error["reason"] for error in errors] or [problem["detail"]]
    unexplained = [text for text in texts if not MEANT.search(text)]
    if unexplained:
        raise AssertionError(f"the document allows what is refused: {unexplained[:5]}: {errors[:3]}")
