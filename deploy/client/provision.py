#!/usr/bin/env python3
"""Provisions the five objects of the README through a client that was generated from openapi/tandem.yaml, and prints the
gateways that a look-up names. `deploy/client/generate` makes the client.

    provision.py FOLDER-OF-THE-CLIENT http://127.0.0.1:8080
"""
import sys

sys.path.insert(0, sys.argv[1])
from tandem_client import Client, models  # noqa: E402
from tandem_client.api.look_up import lookup  # noqa: E402
from tandem_client.api.routing_data import (  # noqa: E402
    get_gateway, put_gateway, put_gateway_group, put_route, put_routing_list)

client = Client(base_url=sys.argv[2])


def check(answer, *wanted):
    if answer.status_code not in wanted:
        sys.exit(f"{answer.status_code}: {answer.content.decode()}")
    return answer.parsed


for id, uri in [("lon1", "sip:192.0.2.10:5060"), ("lon2", "sip:192.0.2.11:5060")]:
    made = check(put_gateway.sync_detailed(id, client=client, body=models.Gateway(uri=uri)), 201)
    assert made.id == id and made.uri == uri and made.effective["hold_s"] == 60
members = [models.GroupMember(gateway=id) for id in ("lon1", "lon2")]
check(put_gateway_group.sync_detailed("london", client=client, body=models.GatewayGroup(members=members)), 201)
groups = [models.ListEntry(group="london")]
check(put_routing_list.sync_detailed("uk", client=client, body=models.RoutingList(groups=groups)), 201)
check(put_route.sync_detailed("default", "44", client=client, body=models.Route(routing_list="uk")), 201)
read = get_gateway.sync_detailed("lon1", client=client)
again = put_gateway.sync_detailed("lon1", client=client, body=check(read, 200), if_match=read.headers["ETag"])
assert check(again, 200).revision == read.parsed.revision, "what GET gave can be PUT back and changes nothing"
found = check(lookup.sync_detailed(client=client, number="+442071234567"), 200)
print(" ".join(target.gateway for target in found.targets))
