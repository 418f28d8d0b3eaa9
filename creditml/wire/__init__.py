"""Azure ML's words: jobs, components and ids as its REST API has them, from and to the terms of the spec language.

    scope     ids and names
    words     what both directions have in common
    reading   what clients send
    writing   what is answered

Pure translation: the service answers with it, and the azureml backend understands a job of the cloud by it.
"""
