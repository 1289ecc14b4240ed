"""The official Python SDK's side of `cargo xtask bench service`: the commands of daytona-sdk's example service_bench."""

import datetime
import json
import sys
import time

import plain_store  # before the SDK is used
from daytona import CreateSnapshotParams, Daytona, DaytonaConfig, Image
from daytona_api_client import SnapshotsApi

send = SnapshotsApi.create_snapshot
until_accepted = False


class Accepted(BaseException):
    """The server has accepted a snapshot, and nobody waits for it."""


def create_snapshot(self, *arguments, **options):
    """The only place that shows when it is accepted."""
    answer = send(self, *arguments, **options)
    if until_accepted:
        raise Accepted
    return answer


SnapshotsApi.create_snapshot = create_snapshot


def definition(name):
    return Image.base("alpine:3.20").run_commands(f"echo {name}")


def new_client():
    return Daytona(DaytonaConfig(target="us"))


client = new_client()
for line in sys.stdin:
    command = line.split()
    if command[0] == "accept":
        _, temperature, folder, name = command
        image = definition(name).add_local_dir(folder, "/app")
        begun = time.perf_counter()
        if temperature == "cold":
            client = new_client()
        until_accepted = True
        try:
            client.snapshot.create(CreateSnapshotParams(name=name, image=image))
        except Accepted:
            answer = {"seconds": time.perf_counter() - begun}
        until_accepted = False
    else:
        _, log, name = command
        options = {"on_logs": lambda text: None} if log == "logs" else {}
        snapshot = client.snapshot.create(CreateSnapshotParams(name=name, image=definition(name)), **options)
        active = snapshot.updated_at
        if isinstance(active, str):
            active = datetime.datetime.fromisoformat(active.replace("Z", "+00:00"))
        answer = {"late": time.time() - active.timestamp()}
    print(json.dumps(answer), flush=True)
