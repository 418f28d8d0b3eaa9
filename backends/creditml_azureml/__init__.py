"""Jobs in Azure ML, submitted and watched through the genuine SDK.

target       which workspace is meant
cloud        that workspace through the SDK's client
entity       from a `Job` to what the SDK submits
sending      notes of submissions, so that one that was cut off is taken up and not made twice
watch        a job of the cloud while it runs, and its record in the local workspace
download     its logs and outputs
reading      jobs and components of the cloud as our own
pulling      a job of the cloud, brought into the local workspace
registering  local assets that the cloud lacks
comparing    whether an asset here and there is the same
sent         from a local asset to what the SDK registers
checking     what Azure ML would refuse
errors       what the SDK raises, as our errors
secrets      texts without what lets somebody in
"""

from creditml_azureml.azureml_jobs import AzureMLExecutor

__all__ = ["AzureMLExecutor"]
