"""Jobs in Azure ML, submitted and watched through the genuine SDK.

azureml_jobs    the executor, as backends and the command line use it

Azure, through the SDK
    target          which workspace is meant
    connection      its client, and those of registries
    cloud           the workspace: its jobs (`cloud_jobs`), assets (`cloud_assets`) and data (`cloud_data`)
    runs            how jobs and steps stand, from the SDK's objects
    steps           which runs belong to which steps of a job
    metrics         what steps have logged
    errors          the SDK's errors as creditml's

Before a submission
    offline_checks  what Azure ML would refuse, as the job alone shows
    online_checks   what the workspace in Azure lacks
    uploads         surprises in what is uploaded

A submission
    submitting      from a job that is ready to one in Azure ML
    attempts        notes of submissions, so that no job is submitted twice
    sdk_jobs        the SDK's object for a job
    registering     local assets that Azure ML lacks
    sdk_assets      the SDK's object for an asset
    comparing       whether an asset has the same content here and in Azure

Afterwards
    watch           a job while it runs
    poller          asks how it stands, in a thread
    record          its records in the local workspace
    bringing        what it has left: logs, metrics, outputs
    download        copies files from Azure
    reading         jobs and components of Azure ML, read as creditml's own
    pulling         a whole job of Azure ML, brought into the local workspace
"""

from creditml_azureml.azureml_jobs import AzureMLExecutor

__all__ = ["AzureMLExecutor"]
