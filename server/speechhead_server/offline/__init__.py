"""Videos made while nobody watches: jobs in a queue, each in a process that can be killed."""
