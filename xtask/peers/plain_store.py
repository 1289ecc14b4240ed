"""The only change to the official Python SDK: its store refuses http addresses unless it is told that they are meant.

It has to be imported before the SDK.
"""

import obstore.store

store = obstore.store.S3Store


def plain_store(*arguments, **options):
    options["client_options"] = {**(options.get("client_options") or {}), "allow_http": True}
    return store(*arguments, **options)


obstore.store.S3Store = plain_store
