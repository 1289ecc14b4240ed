"""The official Python SDK's own upload code, timed: upload.py FOLDER ENDPOINT BUCKET ORGANIZATION ACCESS_KEY SECRET_KEY"""

import json
import resource
import sys
import time

import plain_store  # before the SDK is used
from daytona._sync.object_storage import ObjectStorage

folder, endpoint, bucket, organization, access_key, secret_key = sys.argv[1:]
begin = time.perf_counter()
store = ObjectStorage(endpoint, access_key, secret_key, "", bucket, region="us-east-1")
store.upload(folder, organization, "d")
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": round(seconds, 3), "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
