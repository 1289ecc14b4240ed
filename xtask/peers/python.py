"""The official Python SDK against the emulator: each line is one thing that was done and how it ended."""

import asyncio
import json
import os
import pathlib
import sys
import tempfile
import urllib.request

import plain_store  # before the SDK is used
from daytona import AsyncDaytona, CreateSnapshotParams, Daytona, DaytonaConfig, Image, Resources
from daytona.common.errors import DaytonaConflictError, DaytonaError, DaytonaNotFoundError

failures = 0


def check(name, is_so, seen):
    global failures
    failures += 0 if is_so else 1
    print(f"{'ok  ' if is_so else 'FAIL'} python: {name}{'' if is_so else f' -- {seen}'}", flush=True)


def error_of(call):
    try:
        return None, call()
    except Exception as error:  # what class it is, is what is looked at
        return error, None


def admin(method, path, body=None):
    address = os.environ["DAYTONA_API_URL"].removesuffix("/api") + "/_emulator" + path
    headers = {"Authorization": "Bearer " + os.environ["DAYTONA_EMULATOR_ADMIN_KEY"]}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data, headers, method=method)) as answer:
        return json.load(answer)


daytona = Daytona(DaytonaConfig(target="us"))
snapshots = daytona.snapshot

page = snapshots.list()
check("list is empty", page.items == [] and page.total == 0, page)

made = snapshots.create(CreateSnapshotParams(name="py-image", image="ubuntu:22.04", resources=Resources(cpu=1, memory=2)))
check("create from an image name", made.state == "active" and made.mem == 2, made)
check("get by name", snapshots.get("py-image").id == made.id, made)
check("get by id", snapshots.get(made.id).name == "py-image", made)
check("list finds it", [one.name for one in snapshots.list(page=1, limit=10).items] == ["py-image"], None)

error, _ = error_of(lambda: snapshots.create(CreateSnapshotParams(name="py-image", image="ubuntu:22.04")))
check("a name that is taken is a conflict", isinstance(error, DaytonaConflictError), repr(error))
error, _ = error_of(lambda: snapshots.get("nowhere"))
check("what is not there is not found", isinstance(error, DaytonaNotFoundError), repr(error))
error, _ = error_of(lambda: snapshots.create(CreateSnapshotParams(name="py-latest", image="ubuntu:latest")))
check("a latest tag is refused", getattr(error, "status_code", None) == 400 and ":latest" in str(error), repr(error))

with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    (root / "app" / "sub").mkdir(parents=True)
    (root / "app" / "main.py").write_text("print('hello')\n")
    (root / "app" / "sub" / "data.txt").write_text("data\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    os.chdir(root)
    image = (
        Image.debian_slim("3.12")
        .pip_install(["numpy>=2", "requests"])
        .add_local_file("run.sh", "/opt/run.sh")
        .add_local_dir("app", "/opt/app")
        .env({"MODE": "test"})
        .entrypoint(["/opt/run.sh"])
    )
    lines = []
    # Long enough for the SDK, which looks once a second, to see the build.
    admin("POST", "/scripts", {"name": "py-built", "takes": 4_000})
    built = snapshots.create(CreateSnapshotParams(name="py-built", image=image), on_logs=lines.append)
    text = "".join(lines)
    check("create from an Image with a file and a folder", built.state == "active", built)
    check("the entrypoint is the Dockerfile's", built.entrypoint == ["/opt/run.sh"], built.entrypoint)
    check("its log was streamed", "RUN python -m pip install" in text and "Created snapshot py-built" in text, text)
    files = {file["path"]: file["mode"] for file in admin("GET", "/images/py-built")["files"]}
    wanted = {"/opt/run.sh": "0755", "/opt/app/main.py": "0644", "/opt/app/sub/data.txt": "0644"}
    check("the files are in the image", files == wanted, files)

    async def create_asynchronously():
        async with AsyncDaytona(DaytonaConfig(target="us")) as client:
            file = Image.base("alpine:3.20").add_local_file("app/main.py", "/main.py")
            return await client.snapshot.create(CreateSnapshotParams(name="py-async", image=file))

    error, made_so = error_of(lambda: asyncio.run(create_asynchronously()))
    check("the asynchronous client uploads, too", made_so is not None and made_so.state == "active", repr(error))

error, _ = error_of(
    lambda: snapshots.create(CreateSnapshotParams(name="py-fails", image=Image.base("alpine:3.20").run_commands("exit 7")))
)
reason = 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'
check("a failing build has the server's reason", isinstance(error, DaytonaError) and reason in str(error), repr(error))

admin("POST", "/scripts", {"image": "nonexistent:1.0", "notInRegistry": True})
error, _ = error_of(lambda: snapshots.create(CreateSnapshotParams(name="py-unknown", image="nonexistent:1.0")))
check("an unknown image has the server's reason", "failed to inspect in registry" in str(error), repr(error))

error, _ = error_of(lambda: snapshots.activate(made))
check("an active one is not activated", "is already active" in str(error), repr(error))
snapshots.delete(made)
check("delete marks for removal", snapshots.get("py-image").state == "removing", None)
admin("POST", "/clock", {"advance": 11_000})
error, _ = error_of(lambda: snapshots.get("py-image"))
check("a deleted one goes", isinstance(error, DaytonaNotFoundError), repr(error))

sys.exit(1 if failures else 0)
