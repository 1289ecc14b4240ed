"""Writes seeds for the fuzz targets: BuildKit's recorded Dockerfiles, bodies that were recorded, archives, and the XML of S3."""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "tests/fixtures"


def read(name):
    return json.loads(gzip.open(FIXTURES / f"{name}.json.gz").read())


def write(target, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def text(target, value):
    write(target, value.encode("utf-8", "surrogatepass"))


# Dockerfiles.
for case in read("buildkit/parse"):
    text("dockerfile", case["text"])
for case in read("buildkit/expand"):
    variables = "".join(f"ENV {name}={json.dumps(value)}\n" for name, value in (case.get("env") or {}).items())
    text("dockerfile", f"FROM scratch\n{variables}COPY {case['word']} /x\n")
for case in read("buildkit/build"):
    text("dockerfile", case["dockerfile"])

# Bodies of the API and of the admin routes.
QUERIES = ["", "limit=0x10&page=1e0", "name=%25a&sort=createdAt&order=asc", "access_token=x", "labels=%7B%7D&states=started"]
ADMIN = [
    {"effect": {"throttleUpload": 1}, "operation": "createSnapshot"},
    {"effect": {"refuse": {"status": 503}}, "times": 2},
    {"image": "a:1", "steps": [{"state": "pulling", "after": 1}], "fails": "no"},
    {"dockerfile": "x", "build": 5, "log": ["a"], "fails": "no"},
    {"advance": 5},
    {"speed": 2},
    {"hold": True},
    {"beginning": "host/"},
    {"id": "eu", "name": "eu", "regionType": "shared"},
    {"snapshotQuota": 3, "suspended": "reason"},
    {"authenticated": {"limit": 3, "seconds": 60}},
    {"afterCreate": 1, "afterDelete": 1},
    {"name": "a", "imageName": "a:1", "state": "active"},
    {"permissions": ["write:snapshots"], "name": "k"},
]
bodies = ADMIN + [
    exchange["request"]["body"]
    for exchange in read("exchanges-neighbours")
    if isinstance((exchange.get("request") or {}).get("body"), dict)
]
for number, body in enumerate(bodies):
    data = json.dumps(body)
    query = QUERIES[number % len(QUERIES)]
    for content_type, encoding, data in [
        ("application/json", "", data.encode()),
        ("application/json; charset=utf-16", "", data.encode("utf-16")),
        ("application/json", "gzip", gzip.compress(data.encode(), mtime=0)),
        ("text/json", "deflate", zlib.compress(data.encode())),
        ("application/x-www-form-urlencoded", "", b"name=a&buildInfo[dockerfileContent]=x&entrypoint[]=a&cpu=1&a[b][c][0]=1"),
    ]:
        write("api", "\n".join([query, content_type, encoding, ""]).encode() + data)


# Archives.
def archive(members, style=tarfile.USTAR_FORMAT):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=style) as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o755
            if kind == tarfile.REGTYPE:
                member.size = len(content)
            else:
                member.linkname = content.decode()
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue().rstrip(b"\0") + bytes(1024)


SIMPLE = [("a.txt", tarfile.REGTYPE, b"a"), ("d/a.txt", tarfile.REGTYPE, b"")]
LINKS = [
    ("d", tarfile.DIRTYPE, b""),
    ("d/l", tarfile.SYMTYPE, b"../../x"),
    ("d/l/a", tarfile.REGTYPE, b"a"),
    ("h", tarfile.LNKTYPE, b"d/l"),
    ("p", tarfile.FIFOTYPE, b""),
    ("c", tarfile.CHRTYPE, b""),
]
LONG = [("n" * 130 + "/" + "é" * 90, tarfile.REGTYPE, b"a"), ("../x", tarfile.REGTYPE, b""), ("/y", tarfile.REGTYPE, b"")]
inner = [archive(SIMPLE), archive(LINKS), archive(LONG, tarfile.PAX_FORMAT), archive(LONG, tarfile.GNU_FORMAT)]
for one in inner:
    write("archive", one)
    for packed in [one, gzip.compress(one, mtime=0)]:
        write("archive", archive([("a.tar", tarfile.REGTYPE, packed)]))

# XML.
PART = "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
for value in [
    "",
    f"<CompleteMultipartUpload>{PART}</CompleteMultipartUpload>",
    f'<?xml version="1.0"?><CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{PART * 3}</CompleteMultipartUpload>',
    "<Delete><Object><Key>a/one/context.tar</Key></Object><Quiet>true</Quiet></Delete>",
    "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>",
    '<!DOCTYPE a [<!ENTITY b "c">]><Delete>&b;<![CDATA[x]]><!-- y --></Delete>',
]:
    text("storage", value)
