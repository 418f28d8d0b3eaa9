"""Azure ML's REST dialect over the local workspace: the service that the genuine SDK talks to.

How a request gets its answer
    messages            requests, answers and errors, the same for both transports
    service             one workspace's service: who may ask, and what becomes of errors
    routes              which handler answers a request
    call                what a handler gets: the request, the workspace, and where the services are
    keys                the secret of a workspace, and the tokens and signatures that are derived from it

What it answers
    versions            data, environments, components and models
    promised_versions   numbers of next versions that clients were told
    codes               code assets: snapshots, and uploads that become one
    asset_ids           ids of assets, and what they stand for
    jobs, runs          jobs, and the run history: how they stand
    blobs               the storage account; `blob_places` says which file each blob is
    workspaces          the workspace itself, and where its services are
    computes            its computes
    datastores          its datastores

How clients reach it
    connection          `connect`: a genuine MLClient
    transport           within the process; the one module that replaces something in the SDK
    credential          the credential of that client
    restoring           submitted objects stay as they were, for another workspace
    compiling           from a job of the SDK to one that a file can hold
    server              over TLS on loopback, with its own `certificates`
    daemon              the server as a process of its own: up, down, status
    attached            the server as a process for the steps of one runner
    kernel              a Jupyter kernel that uses it
    variables           environment variables that lead unchanged programs to the server
    azure_cli           the `az` that AzureCliCredential finds with these variables

Modules that import the SDK are imported only when somebody connects.
"""
