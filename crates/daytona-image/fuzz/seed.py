"""Writes seeds for the fuzz targets: the texts, words, rules and projects of BuildKit's recorded cases."""

import gzip
import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "tests/fixtures/buildkit"


def cases(name):
    return json.loads(gzip.open(FIXTURES / f"{name}.json.gz").read())


def write(target, text):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    data = text.encode("utf-8", "surrogatepass")
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def project(entries, rules, dockerfile):
    return "\n%\n".join(["\n".join(entries), rules, dockerfile])


for case in cases("parse"):
    write("dockerfile", case["text"])
for case in cases("expand"):
    variables = "".join(f"ENV {name}={json.dumps(value)}\n" for name, value in (case.get("env") or {}).items())
    write("dockerfile", f"FROM scratch\n{variables}COPY {case['word']} /x\n")
for case in cases("ignore"):
    for path in case["tree"][:3]:
        write("ignore", f"{case['ignore']}\n{path}")
    write("walk", project(case["tree"], case["ignore"], "FROM scratch\nCOPY . /x\n"))
for case in cases("build"):
    write("dockerfile", case["dockerfile"])
    rules = [entry.get("content", "") for entry in case["tree"] if entry["path"] == ".dockerignore"]
    others = [entry for entry in case["tree"] if entry["path"] != ".dockerignore"]
    entries = [f"{entry['path']} -> {entry['link']}" if "link" in entry else entry["path"] for entry in others]
    write("walk", project(entries, "".join(rules[:1]), case["dockerfile"]))
