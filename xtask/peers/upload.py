"""The official Python SDK's own upload code, timed: upload.py FOLDER ENDPOINT BUCKET ORGANIZATION ACCESS_KEY SECRET_KEY"""

import json
import resource
import sys
import time

import daytona._sync.object_storage as object_storage


class PlainStore(object_storage.S3Store):
    """The only change: the SDK's store refuses http addresses unless it is told that they are meant."""

    def __new__(cls, *arguments, **options):
        options["client_options"] = {**(options.get("client_options") or {}), "allow_http": True}
        return object_storage.OriginalStore(*arguments, **options)


object_storage.OriginalStore = object_storage.S3Store
object_storage.S3Store = PlainStore

folder, endpoint, bucket, organization, access_key, secret_key = sys.argv[1:]
begin = time.perf_counter()
store = object_storage.ObjectStorage(endpoint, access_key, secret_key, "", bucket, region="us-east-1")
store.upload(folder, organization, "d")
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": round(seconds, 3), "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
