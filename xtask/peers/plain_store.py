"""The only change to the official Python SDK: its store refuses http addresses unless it is told that they are meant."""

import daytona._sync.object_storage as object_storage

original_store = object_storage.S3Store


class PlainStore(original_store):
    def __new__(cls, *arguments, **options):
        options["client_options"] = {**(options.get("client_options") or {}), "allow_http": True}
        return original_store(*arguments, **options)


object_storage.S3Store = PlainStore
