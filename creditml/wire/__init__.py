"""Translates jobs and components between the wire format of Azure ML's REST API and the spec language.

    reading     from the wire format to the spec language
    writing     from the spec language to the wire format
    words       the terms that both directions need
    resources   the parts that all ARM resources share: times, users, types

It does no I/O. The service uses it to answer Azure's clients, and the azureml backend to read a job from Azure ML.
"""
