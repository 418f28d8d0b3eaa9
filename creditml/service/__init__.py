"""Azure ML's REST dialect over the local workspace: what the genuine SDK talks to.

    messages     requests, answers and errors, whatever carries them
    routes       which path is answered by what
    service      one workspace's service: who may ask, and what becomes of errors
    versions     data, environments, components, models and code
    jobs, runs   jobs, and what the run history says of them
    blobs        the storage account of the datastores; `blob_places` says which file each blob is
    workspaces   the workspace itself, computes, and where the services are
    keys         the secret of a workspace, and what is derived from it

    transport    carries requests within the process; the one file that reaches into the SDK's storage client
    compiling    from a job of the SDK to one that a file can hold
    restoring    what is submitted stays as it was, for another workspace
    connection   `connect`: a genuine MLClient
    server       carries requests over TLS on loopback; `certificates` are its own
    variables    environment variables under which an unchanged script talks to the server
    azure_cli    the `az` that AzureCliCredential finds under these variables
    daemon       the server as a process of its own: up, down, status

What has to be imported with the SDK is imported when somebody connects.
"""
